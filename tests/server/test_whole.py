"""The server over the real runtime and a compiled bot: what a visitor meets, through both channels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.desk_bot import desk_bot
from tests.runtime.fakes import FakeModel, conversations
from tests.server.world import listening

from supportbot.adapters.memory_store import MemoryStore
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.model.bot import Bot
from supportbot.runtime.conversation import Conversations
from supportbot.runtime.ports import ModelAnswer
from supportbot.server.app import create_app
from supportbot.server.options import ServerOptions

Post = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    return desk_bot(tmp_path_factory.mktemp("bot"))


def run(test: Callable[[Post], Awaitable[None]], talks: Conversations) -> None:
    async def inside() -> None:
        options = ServerOptions()
        async with listening(create_app(talks, options), options) as (port, client):

            async def post(path: str, /, **body: object) -> dict[str, Any]:
                async with client.post(f"http://127.0.0.1:{port}{path}", json=body) as answer:
                    data: dict[str, Any] = await answer.json()
                    assert answer.status == 200, data
                    return data

            await test(post)

    asyncio.run(inside())


def test_a_conversation_begins_goes_on_and_begins_again(bot: Bot) -> None:
    async def test(post: Post) -> None:
        hello = await post("/chat", message="")
        session = hello["session_id"]
        assert (hello["handler"], hello["state"], hello["llm"]) == ("greeting", "greeting", {"used": False})
        first = await post("/chat", message="My printer is offline", session_id=session)
        assert (first["handler"], first["category"], first["state"]) == (
            "printer_offline",
            "printing",
            "troubleshooting",
        )
        assert first["replies"][0]["text"] == "Is it switched on?"
        reset = await post(f"/reset/{session}")
        assert (reset["session_id"], reset["reset"]) == (session, True)
        again = await post("/chat", message="", session_id=session)
        assert again["state"] == "greeting"

    run(test, conversations(bot))


def test_both_channels_are_one_bot_and_different_sessions(bot: Bot) -> None:
    store = MemoryStore()

    async def test(post: Post) -> None:
        await post("/chat", message="My printer is offline", session_id="42")
        visitor = {"active_conversation_id": "42", "name": "Visitor 7"}
        answer = await post(
            "/webhook/salesiq", handler="message", message={"text": "My printer is offline"}, visitor=visitor
        )
        assert answer["action"] == "reply"
        assert answer["replies"] == ["Is it switched on?"]
        assert set(store.sessions_by_id) == {"42", "siq_42"}
        assert store.sessions_by_id["siq_42"].channel == "salesiq"
        assert store.sessions_by_id["siq_42"].visitor == {}

    run(test, conversations(bot, store))


def test_pings_leave_no_trace(bot: Bot) -> None:
    store = MemoryStore()

    async def test(post: Post) -> None:
        for _ in range(3):
            assert (await post("/webhook/salesiq"))["replies"]
            assert (await post("/webhook/salesiq", handler="trigger", visitor={"name": "Visitor 51234"}))["replies"]
        assert store.sessions_by_id == {}

    run(test, conversations(bot, store))


def test_what_a_model_answered_is_told(bot: Bot) -> None:
    model = FakeModel(ModelAnswer("Try to restart it.", "openai/test", 30, 5))

    async def test(post: Post) -> None:
        data = await post("/chat", message="what is the meaning of this strange picture")
        assert data["handler"] == "llm_fallback"
        assert data["llm"] == {"used": True, "model": "openai/test", "tokens": 35}
        assert data["replies"][0]["text"] == "Try to restart it."

    run(test, conversations(bot, model=model))


def test_many_messages_of_many_sessions_at_once_all_count(bot: Bot, tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "sessions.db")

    async def test(post: Post) -> None:
        calls = [post("/chat", message="My printer is offline", session_id=f"s{n % 4}") for n in range(24)]
        await asyncio.gather(*calls)
        for number in range(4):
            session = await store.load(f"s{number}")
            assert session is not None
            assert session.turns == 6
        await store.close()

    run(test, conversations(bot, store))
