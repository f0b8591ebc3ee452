"""Declared actions against a real fake desk on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace as renewed
from tests.runtime.desk_bot import desk_bot
from tests.serving import serving

from supportbot.adapters.environment import expand, missing_names
from supportbot.adapters.http_actions import HttpActions
from supportbot.adapters.local_actions import LocalActions
from supportbot.decision.conclude import start_session
from supportbot.decision.scope import scope_of
from supportbot.model.bot import Bot
from supportbot.runtime.ports import ActionResult
from supportbot.runtime.scripts import first_moment

TOKEN = "desk-canary-token"


class Desk:
    """Answers with ``answers`` in their order, the last one again and again; remembers what it was sent."""

    def __init__(self, *answers: tuple[int, str] | str) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, Mapping[str, str], Any]] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with serving(web.route("*", r"/{tail:[\s\S]*}", self._view)) as url:
            yield f"{url}/api"

    async def _view(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append((request.method, request.raw_path, request.headers, json.loads(body) if body else None))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "hang":
            await asyncio.sleep(60)
        if isinstance(answer, str):
            raise web.HTTPFound("/elsewhere")
        status, text = answer
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    return desk_bot(tmp_path_factory.mktemp("bot"))


def run(
    bot: Bot, desk: Desk, action: str = "create_ticket", summary: str = "it smokes", timeout: float = 5.0
) -> ActionResult:
    connections = {name: replace(item, timeout=timeout) for name, item in bot.connections.items()}
    bot = replace(bot, connections=connections)
    now = first_moment(bot)
    session = renewed(start_session(bot, "s1", now), slots={"summary": summary})

    async def called() -> ActionResult:
        async with desk.running() as url:
            actions = HttpActions({"DESK_URL": url + "/", "DESK_ACCESS_TOKEN": TOKEN})
            try:
                return await actions.run(bot, bot.actions[action], scope_of(bot, session, now))
            finally:
                await actions.close()

    return asyncio.run(called())


def test_a_call_renders_its_body_sends_its_headers_and_saves_its_answer(bot: Bot) -> None:
    desk = Desk((201, '{"ticket": {"number": "T-77"}}'))
    assert run(bot, desk) == ActionResult(True, {"ticket_number": "T-77"})
    method, path, headers, body = desk.requests[0]
    assert (method, path) == ("POST", "/api/tickets")
    assert (headers["Authorization"], headers["orgId"]) == (f"Bearer {TOKEN}", "7")
    assert body == {"subject": "Help: it smokes", "tags": ["bot", "other"], "nested": {"open": "True"}}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((500, "{}"), "failed"),
        ((502, "{}"), "failed"),
        ((400, "{}"), "rejected"),
        ((401, "{}"), "auth"),
        ((200, "<html>"), "failed"),
        ((200, "[" * 100_000), "failed"),
        ((200, '{"ticket": {"number": "' + "9" * 2_000_000 + '"}}'), "failed"),
        ("redirect", "rejected"),
    ],
)
def test_a_call_that_writes_is_sent_once_whatever_comes_back(
    bot: Bot, answer: tuple[int, str] | str, error: str
) -> None:
    desk = Desk(answer)
    assert run(bot, desk) == ActionResult(False, {}, error)
    assert len(desk.requests) == 1


def test_a_write_that_was_refused_for_lack_of_room_is_sent_again(bot: Bot) -> None:
    desk = Desk((429, "{}"), (201, '{"ticket": {"number": 7}}'))
    assert run(bot, desk) == ActionResult(True, {"ticket_number": 7})
    assert len(desk.requests) == 2


def test_a_desk_that_hangs_is_a_timeout(bot: Bot) -> None:
    desk = Desk("hang")
    assert run(bot, desk, timeout=0.3).error == "timeout"
    assert len(desk.requests) == 1


def test_a_reading_call_is_tried_three_times(bot: Bot) -> None:
    desk = Desk((503, ""), (503, ""), (200, '[{"id": 12}]'))
    assert run(bot, desk, "find_ticket") == ActionResult(True, {"ticket_number": 12})
    desk = Desk((503, ""))
    assert run(bot, desk, "find_ticket").error == "failed"
    assert len(desk.requests) == 3
    desk = Desk((404, ""))
    assert run(bot, desk, "find_ticket").error == "rejected"
    assert len(desk.requests) == 1


@pytest.mark.parametrize(
    ("summary", "path"),
    [
        ("a/b?c=d#e", "/api/tickets/a%2Fb%3Fc%3Dd%23e"),
        ("../../admin", "/api/tickets/..%2F..%2Fadmin"),
        ("..", "/api/tickets/"),
        ("ünï %2e", "/api/tickets/%C3%BCn%C3%AF%20%252e"),
        ("a\r\nHost: evil", "/api/tickets/a%0D%0AHost%3A%20evil"),
    ],
)
def test_a_slot_stays_one_segment_of_the_path(bot: Bot, summary: str, path: str) -> None:
    desk = Desk((200, "[]"))
    run(bot, desk, "find_ticket", summary)
    assert desk.requests[0][1] == path


@pytest.mark.parametrize(
    ("answer", "saved"),
    [
        ("{}", ""),
        ("[]", ""),
        ('{"ticket": null}', ""),
        ('{"ticket": {"number": {"a": 1}}}', ""),
        ('{"ticket": {"number": NaN}}', ""),
        ('{"ticket": {"number": true}}', True),
        ('{"ticket": {"number": 1.5}}', 1.5),
        ('{"ticket": {"number": "a\\ud800b"}}', "a?b"),
    ],
)
def test_what_cannot_be_saved_is_empty_because_the_call_itself_succeeded(
    bot: Bot, answer: str, saved: str | float | bool
) -> None:
    assert run(bot, Desk((200, answer))) == ActionResult(True, {"ticket_number": saved})


def test_a_missing_variable_switches_the_connection_off_and_names_itself(
    bot: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    async def called() -> ActionResult:
        actions = HttpActions({"DESK_URL": "http://127.0.0.1:1", "DESK_ACCESS_TOKEN": ""})
        return await actions.run(bot, bot.actions["create_ticket"], {})

    assert asyncio.run(called()).error == "off"
    assert "DESK_ACCESS_TOKEN" in caplog.text


def test_no_failure_shows_the_token(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    async def called(environment: Mapping[str, str]) -> ActionResult:
        actions = HttpActions(environment)
        try:
            return await actions.run(bot, bot.actions["create_ticket"], {})
        finally:
            await actions.close()

    with caplog.at_level(logging.DEBUG):
        for url in (f"http://user:{TOKEN}@127.0.0.1:1", f"no url {TOKEN}", f"http://[{TOKEN}"):
            assert asyncio.run(called({"DESK_URL": url, "DESK_ACCESS_TOKEN": f"{TOKEN}\r\nX: y"})).error == "failed"
    assert "action create_ticket failed" in caplog.text
    assert TOKEN not in caplog.text


def test_local_actions_always_give_the_same_references(bot: Bot) -> None:
    actions = LocalActions()
    result = asyncio.run(actions.run(bot, bot.actions["create_ticket"], {}))
    assert result == ActionResult(True, {"ticket_number": "DEMO-1001"})
    assert actions.calls == ["create_ticket"]


@pytest.mark.parametrize(
    ("text", "expected", "missing"),
    [
        ("plain $ {x} ${", "plain $ {x} ${", ()),
        ("${A}-${A}", "1-1", ()),
        ("${B}", None, ("B",)),
        ("${EMPTY}", None, ("EMPTY",)),
        ("${B:-}${EMPTY:-two}", "two", ()),
        ("${A:-other}", "1", ()),
        ("${B:-http://x:1/y}/z", "http://x:1/y/z", ()),
        ("${B} ${C} ${B}", None, ("B", "C")),
    ],
)
def test_references_to_the_environment(text: str, expected: str | None, missing: tuple[str, ...]) -> None:
    environment = {"A": "1", "EMPTY": ""}
    assert expand(text, environment) == expected
    assert missing_names(text, environment) == missing
