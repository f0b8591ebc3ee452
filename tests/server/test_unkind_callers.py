"""Callers and networks that misbehave, and what the way without a task (straight.py) must not lose over them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from tests.server.test_ways import JSON, LONG, PARENT, SHORT, one_answer
from tests.server.world import World, run

from supportbot.runtime.attempt import Asked
from supportbot.runtime.conversation import Over
from supportbot.runtime.results import Answer
from supportbot.server import logs, protocol
from supportbot.server.protocol import Quick
from supportbot.server.service import SERVICE

MOST_CHUNKS = 16_384  # aiohttp reads no more of one body ahead


def request(body: bytes, more: str = "", path: str = SHORT) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{JSON}{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


def in_chunks(body: bytes, chunks: int, more: str = "", path: str = SHORT) -> bytes:
    """A request whose body comes byte by byte."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{JSON}{more}Transfer-Encoding: chunked\r\n\r\n"
    pieces = (b"1\r\n%c\r\n" % byte for byte in body.ljust(chunks))
    return head.encode() + b"".join(pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("path", [SHORT, LONG])
def test_nothing_is_held_back_after_a_body_of_many_chunks(path: str) -> None:
    """The parser is told to pause at the very end of the first body, and does so in the second."""

    async def test(world: World) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1 << 20)
        first = in_chunks(b'{"message": "first"}', MOST_CHUNKS + 1, path=path)
        writer.write(first + request(b'{"message": "second"}', path=path) * 2)
        for text in (b"first", b"second", b"second"):
            answer = await asyncio.wait_for(one_answer(reader), 3)
            assert b"You said: " + text in answer
        writer.close()

    run(test)


@pytest.mark.parametrize("path", [SHORT, LONG, ""])
def test_all_requests_are_answered_although_the_parser_stops_between_them(path: str) -> None:
    """It counts a message that ends while it is in work already."""

    async def test(world: World) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        first = request(b'{"message": "hi"}')
        writer.write(first[:-5])
        await asyncio.sleep(0.05)
        writer.write(first[-5:])
        assert b" 200 OK" in await one_answer(reader)
        many = request(b'{"message": "hi"}', path=path) if path else b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
        writer.write(many * 100)
        for _ in range(100):
            assert b" 200 OK" in await asyncio.wait_for(one_answer(reader), 3)
        writer.close()

    run(test)


def test_log_lines_know_nothing_of_an_earlier_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading that was paused goes on in the context of the request that read on."""
    out = io.StringIO()
    monkeypatch.setattr(logs, "_lines", None)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logs.configure("INFO", "json", out)

    async def test(world: World) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        body = b'{"message": "hi", "session_id": "s1"}'
        writer.write(in_chunks(body, MOST_CHUNKS + 1000, f"traceparent: {PARENT}\r\n"))
        assert b" 200 OK" in await one_answer(reader)
        writer.write(request(b"[]", "X-Request-ID: second\r\n"))
        assert b" 400 " in await one_answer(reader)
        writer.close()

    run(test)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert any(line.get("trace_id") for line in lines)
    (line,) = (line for line in lines if line.get("request_id") == "second")
    assert "trace_id" not in line
    assert "session_id" not in line


def held(world: World) -> list[Callable[[], None]]:
    """Turns that wait for their commit from now on, until they are called."""
    turns = list[Callable[[], None]]()

    def at_once(asked: Asked, over: Over) -> bool:
        body = json.dumps({"request_id": asked.request_id}).encode()
        turns.append(partial(over, Answer(body, None), None))
        return True

    world.conversations.at_once = at_once  # type: ignore[method-assign]
    return turns


def test_a_turn_that_ends_in_the_moment_of_its_deadline_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    async def test(world: World) -> None:
        turns = held(world)
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(request(b'{"message": "hi"}'))
        while not turns:
            await asyncio.sleep(0.01)
        (waiting,) = world.app[SERVICE].deadlines._waiting
        turns[0]()
        waiting.late()
        assert b" 200 OK" in await one_answer(reader)
        writer.close()

    with caplog.at_level(logging.WARNING):
        run(test)
    assert not caplog.records


def test_a_stored_turn_is_answered_although_it_cannot_be_noted() -> None:
    async def test(world: World) -> None:
        def note(channel: str, answer: Answer) -> None:
            raise RuntimeError("no space for notes")

        world.app[SERVICE].note = note  # type: ignore[method-assign]
        turns = held(world)
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(request(b'{"message": "hi"}'))
        while not turns:
            await asyncio.sleep(0.01)
        with pytest.raises(RuntimeError):
            turns[0]()
        assert b" 200 OK" in await one_answer(reader)
        writer.close()

    run(test)


def test_whoever_leaves_while_his_next_request_waits_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The turn ends after the end of the stream was read, and before the connection knows of it."""

    async def test(world: World) -> None:
        errors = list[dict[str, Any]]()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: errors.append(context))
        turns = held(world)
        monkeypatch.setattr(Quick, "eof_received", lambda _: loop.call_soon(turns[0]) and None)
        _, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(request(b'{"message": "hi"}'))
        while not turns:
            await asyncio.sleep(0.01)
        writer.write(request(b'{"message": "are you there?"}'))
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.sleep(0.05)
        assert not [task for task in asyncio.all_tasks() if "RequestHandler.start" in repr(task)]
        assert not errors
        assert len(turns) == 1

    run(test)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux hangs up on them")
@pytest.mark.parametrize("path", [SHORT, LONG])
def test_whoever_never_reads_his_answers_is_hung_up_on(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "UNREAD", 0.5)
    long = request(b'{"message": "%s"}' % (b"a" * 200_000), path=path)

    async def test(world: World) -> None:
        loop = asyncio.get_running_loop()
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        await loop.sock_connect(deaf, ("127.0.0.1", world.port))
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(8):
                await loop.sock_sendall(deaf, long * 200)
        deaf.close()
        assert len(world.conversations.messages) < 200

    run(test)
