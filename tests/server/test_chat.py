"""/chat and the views beside it, over a real socket."""

from __future__ import annotations

import asyncio
import re

import pytest
from tests.server.world import REVISION, World, quick, run

from supportbot import __version__


def test_a_turn_has_the_documented_form() -> None:
    async def test(world: World) -> None:
        data = await world.chat("hello there", session_id="abc")
        request_id = data.pop("request_id")
        assert data == {
            "session_id": "abc",
            "replies": [{"text": "You said: hello there", "suggestions": ["Yes", "No"]}],
            "state": "greeting",
            "category": "other",
            "handler": "echo",
            "llm": {"used": False},
            "actions": [],
            "revision": "",
        }
        assert world.conversations.request_ids == [request_id]

    run(test)


def test_replies_without_suggestions_have_no_such_key() -> None:
    async def test(world: World) -> None:
        data = await world.chat("two")
        assert data["replies"] == [{"text": "First", "suggestions": ["a"]}, {"text": "Second"}]

    run(test)


def test_what_the_model_cost_and_which_actions_ran() -> None:
    async def test(world: World) -> None:
        assert (await world.chat("llm"))["llm"] == {"used": True, "model": "openai/test", "tokens": 42}
        assert (await world.chat("llmfail"))["llm"] == {"used": False}
        assert (await world.chat("ticket"))["actions"] == ["create_ticket"]

    run(test)


@pytest.mark.parametrize("nothing", ["", "   ", "\n\t", "\u0000"])
def test_an_empty_message_begins_the_conversation(nothing: str) -> None:
    async def test(world: World) -> None:
        data = await world.chat(nothing, session_id="abc")
        assert data["replies"][0]["text"] == "Welcome!"
        assert data["handler"] == "greeting"
        assert [message.session_id for message in world.conversations.begun] == ["abc"]
        assert world.conversations.messages == []

    run(test)


def test_server_made_session_ids_have_128_bits_and_differ() -> None:
    async def test(world: World) -> None:
        ids = {(await world.chat("hi"))["session_id"] for _ in range(20)}
        assert len(ids) == 20
        assert all(re.fullmatch("[0-9a-f]{32}", made) for made in ids)

    run(test)


def test_message_id_and_visitor_reach_the_runtime() -> None:
    async def test(world: World) -> None:
        visitor = {"name": " Ada ", "email": "ada@example.com", "phone": None}
        await world.chat("hi", message_id="m-1", visitor=visitor)
        (message,) = world.conversations.messages
        assert (message.id, message.channel) == ("m-1", "chat")
        assert message.visitor == {"name": "Ada", "email": "ada@example.com"}
        assert message.at.tzinfo is not None

    run(test)


def test_lone_surrogates_cannot_be_stored_so_they_are_replaced() -> None:
    async def test(world: World) -> None:
        body = b'{"message": "a\\ud800b \\ud83d\\ude00"}'
        headers = {"Content-Type": "application/json"}
        async with world.client.post(f"{world.url}/chat", data=body, headers=headers) as answer:
            assert answer.status == 200
        assert world.conversations.messages[0].text == "a\ufffdb \U0001f600"

    run(test)


def test_two_sessions_in_parallel_do_not_wait_for_each_other() -> None:
    async def test(world: World) -> None:
        held = asyncio.create_task(world.chat("slow", session_id="first"))
        while not world.conversations.messages:
            await asyncio.sleep(0)
        assert (await world.chat("quick", session_id="second"))["session_id"] == "second"
        assert world.conversations.finished == ["second"]
        world.conversations.gate.set()
        assert (await held)["session_id"] == "first"

    run(test)


def test_the_root_says_who_answers() -> None:
    async def test(world: World) -> None:
        async with world.client.get(world.url) as answer:
            assert await answer.json() == {
                "service": "supportbot",
                "version": __version__,
                "bot": "Test desk",
                "revision": REVISION,
            }

    run(test)


def test_health_of_a_bot_without_model_and_without_calls() -> None:
    async def test(world: World) -> None:
        async with world.client.get(f"{world.url}/health") as answer:
            assert answer.status == 200
            data = await answer.json()
        assert data["status"] == "healthy"
        assert data["active_sessions"] == 3
        assert data["store"] == {"status": "ok"}
        assert data["model"] == {"status": "off"}
        assert data["connections"] == {"desk": {"status": "unused"}}

    run(test)


@pytest.mark.parametrize("way", ["broken", "stuck"])
def test_health_is_unhealthy_when_the_store_does_not_answer(way: str) -> None:
    async def test(world: World) -> None:
        setattr(world.conversations.store, way, True)
        async with world.client.get(f"{world.url}/health") as answer:
            assert answer.status == 503
            assert (await answer.json())["status"] == "unhealthy"
        async with world.client.get(f"{world.url}/livez") as answer:
            assert answer.status == 200

    run(test, quick())


@pytest.mark.parametrize(("word", "part"), [("llmfail", "model"), ("ticketfail", "desk")])
def test_health_is_degraded_after_three_failures_and_well_after_one_success(word: str, part: str) -> None:
    async def test(world: World) -> None:
        world.conversations.model.configured = True

        async def status() -> tuple[str, str]:
            async with world.client.get(f"{world.url}/health") as answer:
                assert answer.status == 200
                data = await answer.json()
                return data["status"], (data["model"] if part == "model" else data["connections"][part])["status"]

        for _ in range(2):
            await world.chat(word)
        assert await status() == ("healthy", "ok")
        await world.chat(word)
        assert await status() == ("degraded", "failing")
        await world.chat(word.removesuffix("fail"))
        assert await status() == ("healthy", "ok")

    run(test)


def test_probes() -> None:
    async def test(world: World) -> None:
        for path, word in (("/livez", "alive"), ("/readyz", "ready")):
            async with world.client.get(world.url + path) as answer:
                assert answer.status == 200
                assert await answer.json() == {"status": word}

    run(test)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/widget", "text/html; charset=utf-8"),
        ("/widget/app.js", "text/javascript; charset=utf-8"),
        ("/widget/style.css", "text/css; charset=utf-8"),
        ("/widget/icon.svg", "image/svg+xml"),
    ],
)
def test_the_page_loads_from_here_only(path: str, kind: str) -> None:
    async def test(world: World) -> None:
        async with world.client.get(world.url + path) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"] == kind
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self';")
            assert "unsafe" not in policy
            body = await answer.text()
            etag = answer.headers["ETag"]
        assert not re.search(r"""(src|href)=["'](https?:)?//""", body)
        assert "innerHTML" not in body
        async with world.client.get(world.url + path, headers={"If-None-Match": etag}) as answer:
            assert answer.status == 304

    run(test)


def test_the_page_has_no_inline_script_or_style() -> None:
    async def test(world: World) -> None:
        async with world.client.get(f"{world.url}/widget") as answer:
            page = await answer.text()
        assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", page)

    run(test)
