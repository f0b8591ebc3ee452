"""Listening and letting go: signals, work in progress, addresses, and one request without listening."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import PIPE
from urllib.parse import urlsplit

import aiohttp
import pytest
from tests.server.world import FakeConversations

from supportbot.errors import SettingsError, UsageError
from supportbot.server import logs, once
from supportbot.server.app import create_app
from supportbot.server.options import Secret, ServerLimits, ServerOptions
from supportbot.server.run import serve, url

ROOT = Path(__file__).parents[2]
LIMITS = ServerLimits(drain=30.0, grace=30.0)  # long enough that no test ends by itself


@dataclass
class Running:
    conversations: FakeConversations
    server: asyncio.Task[None]
    url: str
    client: aiohttp.ClientSession

    async def say(self, text: str, session_id: str = "a") -> int:
        body = {"message": text, "session_id": session_id}
        async with self.client.post(f"{self.url}/chat", json=body) as answer:
            return answer.status


@asynccontextmanager
async def running(limits: ServerLimits = LIMITS) -> AsyncIterator[Running]:
    conversations = FakeConversations()
    options = ServerOptions(port=0, limits=limits)
    urls: asyncio.Queue[str] = asyncio.Queue()
    server = asyncio.create_task(
        serve(create_app(conversations, options), options, lambda found: urls.put_nowait(found[0]))
    )
    try:
        async with aiohttp.ClientSession() as client:
            yield Running(conversations, server, await urls.get(), client)
    finally:
        server.cancel()
        await asyncio.wait([server])


async def until_asked(running: Running) -> None:
    while not running.conversations.messages:
        await asyncio.sleep(0.005)


def kill(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def test_sigterm_answers_what_was_accepted_and_says_no_to_probes() -> None:
    async def test() -> None:
        async with running() as it:
            held = asyncio.create_task(it.say("slow"))
            await until_asked(it)
            kill(signal.SIGTERM)
            status = 200
            while status == 200:
                async with it.client.get(f"{it.url}/readyz") as answer:
                    status = answer.status
            assert status == 503
            assert await it.say("hello", "b") == 200  # requests that still arrive are taken
            kill(signal.SIGTERM)
            it.conversations.gate.set()
            assert await held == 200
            await it.server
            with pytest.raises(aiohttp.ClientConnectorError):
                await it.say("too late")

    asyncio.run(test())


def test_sigint_does_not_wait_for_new_requests() -> None:
    async def test() -> None:
        async with running() as it:
            assert await it.say("hello") == 200
            kill(signal.SIGINT)
            await it.server

    asyncio.run(test())


def test_a_caller_who_waits_for_a_turn_that_never_ends_gets_the_grace_time_once() -> None:
    async def test() -> None:
        async with running(replace(LIMITS, drain=0.0, grace=3.0)) as it:
            held = asyncio.create_task(it.say("slow"))
            await until_asked(it)
            kill(signal.SIGTERM)
            await asyncio.wait_for(asyncio.shield(it.server), 6)
            with pytest.raises(aiohttp.ClientError):
                await held

    asyncio.run(test())


@pytest.mark.parametrize("rounds", range(5))
def test_connections_that_are_taken_in_the_moment_of_the_end_are_answered(rounds: int) -> None:
    """``rounds`` of the event loop after the signal; which of them is the delicate one is aiohttp's affair."""
    request = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    async def test() -> list[bytes]:
        async with running(replace(LIMITS, drain=0.0)) as it:
            where = urlsplit(it.url)
            kill(signal.SIGINT)
            for _ in range(rounds):
                await asyncio.sleep(0)
            callers = [socket.create_connection((where.hostname, where.port)) for _ in range(20)]
            for caller in callers:
                caller.sendall(request)
            await asyncio.wait_for(asyncio.shield(it.server), LIMITS.grace / 2)
            return [await asyncio.to_thread(_heard, caller) for caller in callers]

    assert {line[:15] for line in asyncio.run(test())} <= {b"HTTP/1.1 200 OK", b"reset"}


def _heard(caller: socket.socket) -> bytes:
    """What a caller reads; ``reset`` when the connection was never taken."""
    with caller:
        caller.settimeout(10)
        try:
            return caller.recv(4096)
        except ConnectionResetError:
            return b"reset"


def test_the_last_lines_name_the_revision_that_answered_last(caplog: pytest.LogCaptureFixture) -> None:
    class Revisions(logging.Handler):
        found: list[tuple[str, str]]

        def emit(self, record: logging.LogRecord) -> None:
            self.found.append((record.getMessage(), logs.REVISION.get()))

    async def test() -> None:
        async with running() as it:
            it.conversations.bot = replace(it.conversations.bot, revision="reloaded")
            kill(signal.SIGINT)
            await it.server

    seen = Revisions()
    seen.found = []
    logs.logger.addHandler(seen)
    try:
        with caplog.at_level(logging.INFO, logs.logger.name):
            asyncio.run(test())
    finally:
        logs.logger.removeHandler(seen)
    assert [line for line in seen.found if line[0].startswith("stop")] == [
        ("stopping", "reloaded"),
        ("stopped", "reloaded"),
    ]


def test_a_turn_that_outlived_its_caller_is_finished_before_the_end() -> None:
    async def test() -> None:
        async with running(replace(LIMITS, drain=0.0, chat_seconds=0.05)) as it:
            assert await it.say("slow") == 503
            kill(signal.SIGTERM)
            asyncio.get_running_loop().call_later(0.2, it.conversations.gate.set)
            await it.server
            assert it.conversations.finished == ["a"]

    asyncio.run(test())


def test_a_turn_that_never_ends_does_not_keep_the_server_alive() -> None:
    async def test() -> None:
        async with running(replace(LIMITS, drain=0.0, chat_seconds=0.05, grace=0.1)) as it:
            assert await it.say("slow") == 503
            kill(signal.SIGTERM)
            await it.server
            assert it.conversations.finished == []

    asyncio.run(test())


def test_a_caller_who_hangs_up_does_not_cut_a_turn() -> None:
    async def test() -> None:
        async with running() as it:
            held = asyncio.create_task(it.say("slow"))
            await until_asked(it)
            held.cancel()
            await asyncio.wait([held])
            it.conversations.gate.set()
            while not it.conversations.finished:
                await asyncio.sleep(0.005)
            assert it.conversations.finished == ["a"]

    asyncio.run(test())


def test_an_address_in_use_is_a_settings_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        options = ServerOptions(port=taken.getsockname()[1])
        with pytest.raises(SettingsError, match=r"cannot listen on 127\.0\.0\.1:.*--port"):
            asyncio.run(serve(create_app(FakeConversations(), options), options))


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 99999), ("203.0.113.1", 0)])
def test_so_is_an_address_that_is_none(host: str, port: int) -> None:
    options = ServerOptions(host=host, port=port)
    with pytest.raises(SettingsError, match="cannot listen"):
        asyncio.run(serve(create_app(FakeConversations(), options), options))


def test_the_url_of_an_ipv6_address_has_brackets() -> None:
    assert url(("::1", 80, 0, 0)) == "http://[::1]:80"
    assert url(("127.0.0.1", 8080)) == "http://127.0.0.1:8080"


PROCESS = """
import asyncio
from supportbot.server.app import create_app
from supportbot.server.options import ServerLimits, ServerOptions
from supportbot.server.run import serve
from tests.server.world import FakeConversations

options = ServerOptions(port=0, limits=ServerLimits(drain=0.0))
asyncio.run(serve(create_app(FakeConversations(), options), options, lambda urls: print(urls[0], flush=True)))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_ends_with_0(number: signal.Signals) -> None:
    command = [sys.executable, "-W", "error", "-c", PROCESS]
    with subprocess.Popen(command, cwd=ROOT, stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert first.startswith("http://127.0.0.1:"), errors
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


# --- one request without listening


def get(path: str, options: ServerOptions | None = None) -> once.Answer:
    return asyncio.run(once.get(create_app(FakeConversations(), options or ServerOptions()), path))


@pytest.mark.parametrize("path", ["/", "/health", "/livez", "/readyz", "/widget", "/webhook/salesiq"])
def test_get_answers_as_the_server_does(path: str) -> None:
    answer = get(path)
    assert answer.ok
    assert answer.status == 200
    assert answer.headers["x-request-id"]
    assert answer.body


def test_get_gives_the_whole_body() -> None:
    assert json.loads(get("/").body)["service"] == "supportbot"
    assert get("/widget").body.rstrip().endswith(b"</html>")


@pytest.mark.parametrize("path", ["/nowhere", "/chat", "/a b\r\nX: y", "/\xfc", "/%zz"])
def test_get_of_what_is_not_there_is_not_ok(path: str) -> None:
    answer = get(path)
    assert not answer.ok
    assert answer.status in {404, 405}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["", "health", "http://127.0.0.1/health"])
def test_get_wants_a_path(path: str) -> None:
    with pytest.raises(UsageError, match="/health"):
        get(path)


def test_get_works_for_a_server_that_would_be_public() -> None:
    assert get("/health", ServerOptions(host="0.0.0.0", admin_token=Secret("x"))).ok
