"""Whole turns with the real adapters: SQLite, litellm's own client, a desk over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.adapters.openai_server import OpenAIServer
from tests.adapters.test_http_actions import Desk
from tests.runtime.desk_bot import desk_bot
from tests.runtime.fakes import message

from supportbot.adapters.clock import SystemClock
from supportbot.adapters.http_actions import HttpActions
from supportbot.adapters.litellm_model import LiteLLMModel
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.model.bot import Bot
from supportbot.runtime.conversation import Conversations


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    return desk_bot(tmp_path_factory.mktemp("bot"))


@contextlib.asynccontextmanager
async def talking(bot: Bot, folder: Path, server: OpenAIServer, desk: Desk) -> AsyncIterator[Conversations]:
    async with server.running(), desk.running() as desk_url:
        environment = {
            "SUPPORTBOT_LLM_MODEL": "openai/test",
            "SUPPORTBOT_LLM_API_BASE": server.base,
            "OPENAI_API_KEY": "sk-canary-0123456789",
            "DESK_URL": desk_url,
            "DESK_ACCESS_TOKEN": "token",
        }
        store = SQLiteStore(folder / "sessions.db")
        model = LiteLLMModel(bot.settings.llm, environment)
        actions = HttpActions(environment)
        await model.warm()
        try:
            yield Conversations(bot, store, model, actions, SystemClock())
        finally:
            for adapter in (actions, model, store):
                await adapter.close()


def test_a_conversation_through_all_adapters_survives_a_restart(bot: Bot, tmp_path: Path) -> None:
    async def run() -> None:
        server, desk = OpenAIServer("ok"), Desk((201, '{"ticket": {"number": "T-5"}}'))
        async with talking(bot, tmp_path, server, desk) as talk:
            await talk.take(message("my printer is offline"))
            answered = await talk.take(message("what does blinking mean? I am jane@example.com"))
            assert answered.reply.text == "Restart the printer."
            assert answered.record is not None
            assert (answered.record.tokens_in, answered.record.tokens_out) == (12, 5)
        sent = str(server.asked[0]["messages"])
        assert "The spooler is a service." in sent
        assert "my printer is offline" in sent
        assert "[e-mail]" in sent
        assert "jane@example.com" not in sent
        async with talking(bot, tmp_path, server, desk) as talk:
            result = await talk.take(message("please open a ticket"))
            assert result.reply.text == "Your ticket is T-5."
            assert (result.session.turns, result.session.version) == (3, 3)

    asyncio.run(run())


@pytest.mark.parametrize("mode", ["hang", "drip", "broken", "rate_limited", "garbage", "html", "null_content"])
def test_every_visitor_gets_a_useful_text_when_model_and_desk_fail(bot: Bot, tmp_path: Path, mode: str) -> None:
    async def run() -> None:
        async with talking(bot, tmp_path, OpenAIServer(mode), Desk((503, "down"))) as talk:
            results = await asyncio.gather(
                *(talk.take(message("what does blinking mean", f"m{n}")) for n in range(5)),
                *(talk.take(message("please open a ticket", f"t{n}")) for n in range(5)),
            )
            assert {result.reply.text for result in results[:5]} == {"I cannot think right now. Shall I get a person?"}
            assert {result.session.state for result in results[:5]} == {"escalation_offered"}
            assert {result.reply.text for result in results[5:]} == {"The desk does not answer."}

    asyncio.run(run())
