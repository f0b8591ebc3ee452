"""Access tokens: each error form of the token service, one refresh for all, no storm after a restart."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.zoho.fake_zoho import CLIENT_SECRET, REFRESH_TOKEN, THROTTLED, FakeZoho
from tests.zoho.world import OfficeClock, starter

from supportbot.adapters.http_actions import HttpActions
from supportbot.adapters.oauth import Token, read_token
from supportbot.adapters.private_hosts import ALLOWED
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.runtime.calls import CallResult

SCOPE = {"slots": {"email": "jane@example.com"}}
LOCALIZED = {"error_description": "\u8bf7\u6c42\u592a\u591a", "error": "\u62d2\u7edd\u8bbf\u95ee", "status": "failure"}


class Caller:
    """A process of the bot: its own HTTP client, the store's file shared with others."""

    def __init__(self, zoho: FakeZoho, path: Path, clock: OfficeClock) -> None:
        self.store = SQLiteStore(path)
        self.alerts: list[str] = []
        self.mended: list[str] = []
        self.actions = HttpActions(
            zoho.environment(),
            self.store.outbox,
            clock.now,
            lambda _, text: self.alerts.append(text),
            self.mended.append,
        )
        self.bot = starter(timeout=3.0)

    async def call(self) -> CallResult:
        return await self.actions.call(self.bot, self.bot.actions["find_contact"], SCOPE)


@asynccontextmanager
async def caller(zoho: FakeZoho, folder: Path, clock: OfficeClock) -> AsyncIterator[Caller]:
    made = Caller(zoho, folder / "sessions.db", clock)
    try:
        yield made
    finally:
        await made.actions.close()
        await made.store.close()


@pytest.mark.parametrize(
    ("status", "body", "hold", "permanent", "alerts"),
    [
        (200, {"error": "invalid_code"}, 3600, True, 1),
        (200, {"error": "invalid_client"}, 3600, True, 1),
        (200, {"error": "invalid_client_secret"}, 3600, True, 1),
        (400, THROTTLED, 600, False, 1),
        (200, THROTTLED, 600, False, 1),
        (400, LOCALIZED, 600, False, 1),
        (200, {"access_token": ""}, 600, False, 1),
        (200, {"access_token": None}, 600, False, 1),
        (200, "<html>Sign in</html>", 5, False, 0),
        (400, "<html>Bad</html>", 5, False, 0),
        (500, {"error": "x"}, 5, False, 0),
        (503, "", 5, False, 0),
        (404, "<html>Not found</html>", 60, True, 1),
        (404, {"error": "URL_NOT_FOUND"}, 60, True, 1),
    ],
)
def test_each_form_of_an_error_is_held_as_long_as_it_deserves(
    tmp_path: Path, status: int, body: object, hold: float, permanent: bool, alerts: int
) -> None:
    async def played() -> None:
        clock = OfficeClock()
        text = body if isinstance(body, str) else json.dumps(body)
        async with FakeZoho(refresh_answers=[(status, text)]).running() as zoho:
            async with caller(zoho, tmp_path, clock) as first:
                results = await asyncio.gather(*(first.call() for _ in range(10)))
                assert {result.verdict for result in results} == {"refused" if permanent else "again"}
                if not permanent:
                    assert all(hold - 3 < result.wait <= hold for result in results)
                assert (len(zoho.refreshes), len(first.alerts)) == (1, alerts)
            async with caller(zoho, tmp_path, clock) as restarted:
                assert (await restarted.call()).verdict != "done"
                assert len(zoho.refreshes) == 1
                clock.skip(hold + 1)
                assert (await restarted.call()).verdict == "done"
                assert len(zoho.refreshes) == 2

    asyncio.run(played())


def test_a_connection_that_signs_in_again_says_so_in_every_process(tmp_path: Path) -> None:
    async def played() -> None:
        clock = OfficeClock()
        answers = [(400, json.dumps(THROTTLED))]
        async with (
            FakeZoho(refresh_answers=answers).running() as zoho,
            caller(zoho, tmp_path, clock) as one,
            caller(zoho, tmp_path, clock) as other,
        ):
            assert (await one.call()).verdict == (await other.call()).verdict == "again"
            assert (one.mended, other.mended) == ([], [])
            clock.skip(601)
            assert (await one.call()).verdict == (await other.call()).verdict == "done"
            assert set(one.mended) == set(other.mended) == {"desk"}
            assert len(zoho.refreshes) == 2

    asyncio.run(played())


def test_fifty_calls_share_one_refresh(tmp_path: Path) -> None:
    async def played() -> None:
        async with FakeZoho().running() as zoho, caller(zoho, tmp_path, OfficeClock()) as one:
            results = await asyncio.gather(*(one.call() for _ in range(50)))
            assert {result.verdict for result in results} == {"done"}
            assert len(zoho.refreshes) == 1

    asyncio.run(played())


def test_processes_share_a_token_and_its_refresh(tmp_path: Path) -> None:
    async def played() -> None:
        clock = OfficeClock()
        async with (
            FakeZoho().running() as zoho,
            caller(zoho, tmp_path, clock) as one,
            caller(zoho, tmp_path, clock) as other,
        ):
            results = await asyncio.gather(*(process.call() for process in (one, other) for _ in range(20)))
            assert {result.verdict for result in results} == {"done"}
            assert len(zoho.refreshes) == 1
            zoho.expire()
            results = await asyncio.gather(*(process.call() for process in (one, other) for _ in range(20)))
            assert {result.verdict for result in results} == {"done"}
            assert len(zoho.refreshes) == 2

    asyncio.run(played())


def test_a_token_is_renewed_five_minutes_early_and_not_before(tmp_path: Path) -> None:
    async def played() -> None:
        clock = OfficeClock()
        async with FakeZoho(token_seconds=3600).running() as zoho, caller(zoho, tmp_path, clock) as one:
            await one.call()
            clock.skip(3600 - 310)
            await one.call()
            assert len(zoho.refreshes) == 1
            clock.skip(20)
            await one.call()
            assert len(zoho.refreshes) == 2

    asyncio.run(played())


def test_a_token_still_serves_while_its_renewal_is_held(tmp_path: Path) -> None:
    async def played() -> None:
        clock = OfficeClock()
        async with FakeZoho().running() as zoho, caller(zoho, tmp_path, clock) as one:
            await one.call()
            clock.skip(3600 - 290)
            zoho.refresh_answers.append((400, json.dumps(THROTTLED)))
            assert (await one.call()).verdict == "again"
            assert (await one.call()).verdict == "done"
            assert len(zoho.refreshes) == 2

    asyncio.run(played())


def test_a_crash_loop_does_not_use_up_the_quota(tmp_path: Path) -> None:
    async def played() -> None:
        clock = OfficeClock()
        async with FakeZoho().running() as zoho:
            for _ in range(15):  # a process that starts, finds its token refused, and ends
                zoho.expire()
                async with caller(zoho, tmp_path, clock) as process:
                    await process.call()
            assert len(zoho.refreshes) == 8
            async with caller(zoho, tmp_path, clock) as process:
                result = await process.call()
                assert (result.verdict, result.error) == ("again", "rate_limited")

    asyncio.run(played())


def test_a_token_service_that_is_away_is_asked_again_soon(tmp_path: Path) -> None:
    async def played() -> None:
        clock = OfficeClock()
        zoho = FakeZoho()
        async with zoho.running(), caller(zoho, tmp_path, clock) as one:
            with socket.create_server(("127.0.0.1", 0)) as closed:
                port = closed.getsockname()[1]
            environment = {**zoho.environment(), "ZOHO_ACCOUNTS_URL": f"http://127.0.0.1:{port}"}
            away = HttpActions(environment, one.store.outbox, clock.now)
            result = await away.call(one.bot, one.bot.actions["find_contact"], SCOPE)
            await away.close()
            assert (result.verdict, result.wait <= 5) == ("again", True)

    asyncio.run(played())


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ({"access_token": "a", "expires_in": 3600}, 3600),
        ({"access_token": "a", "expires_in": 3600000}, 3600),
        ({"access_token": "a", "expires_in": "1800"}, 1800),
        ({"access_token": "a", "expires_in": 3600000, "expires_in_sec": 3000}, 3000),
        ({"access_token": "a"}, 3600),
        ({"access_token": "a", "expires_in": "soon"}, 3600),
        ({"access_token": "a", "expires_in": -5}, 3600),
    ],
)
def test_how_long_a_token_lives(answer: dict[str, object], seconds: float) -> None:
    assert read_token(200, answer, Token(), 1000.0) == Token("a", 1000.0 + seconds, seconds)


def test_no_secret_is_logged_and_none_stands_in_an_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def played() -> None:
        for answers in ([], [(200, '{"error": "invalid_code"}')], [(400, json.dumps(THROTTLED))], [(500, "<html>")]):
            folder = tmp_path / str(len(answers)) / str(abs(hash(str(answers))))
            folder.mkdir(parents=True)
            async with FakeZoho(refresh_answers=answers).running() as zoho, caller(zoho, folder, OfficeClock()) as one:
                await one.call()
                assert zoho.violations == []

    with caplog.at_level(logging.DEBUG):
        asyncio.run(played())
    assert "no access token" in caplog.text
    for canary in (CLIENT_SECRET, REFRESH_TOKEN, "token-canary"):
        assert canary not in caplog.text


def test_connections_that_sign_in_for_others_follow_the_same_rule_as_calls(tmp_path: Path) -> None:
    """The push of late answers signs in too, over a connection that says nothing of private addresses."""

    async def played() -> None:
        async with FakeZoho().running() as zoho, caller(zoho, tmp_path, OfficeClock()) as one:
            connection = replace(one.bot.connections["desk"], allow_private=False)
            headers = await one.actions.sign_in(connection)
            assert headers is not None
            assert headers["Authorization"].startswith("Zoho-oauthtoken ")

    asyncio.run(played())


def test_a_refusal_of_our_own_holds_nobody_up(tmp_path: Path) -> None:
    async def played() -> None:
        async with FakeZoho().running() as zoho:
            store, clock = SQLiteStore(tmp_path / "sessions.db"), OfficeClock()
            environment = {name: value for name, value in zoho.environment().items() if name != ALLOWED}
            alerts: list[str] = []
            actions = HttpActions(environment, store.outbox, clock.now, lambda _, text: alerts.append(text))
            bot = starter(timeout=3.0)
            open_one = replace(bot.connections["desk"], allow_private=True)
            try:
                assert await actions.sign_in(replace(open_one, allow_private=False)) is None
                assert (len(zoho.refreshes), len(alerts)) == (0, 1)
                assert "private address" in alerts[0]
                assert await actions.sign_in(open_one) is not None
                assert len(zoho.refreshes) == 1
            finally:
                await actions.close()
                await store.close()

    asyncio.run(played())
