"""POST /chat goes around the application's router: nobody may notice. A query takes the long way, so the two are compared."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from typing import Any

import pytest
from tests.server.world import World, quick, raw, run

from supportbot.model.session import Message
from supportbot.runtime.results import Answer, Render
from supportbot.server.service import SERVICE

SHORT, LONG = "/chat", "/chat?long=way"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JSON = "Content-Type: application/json\r\n"
BODIES = {
    "a turn": b'{"message": "hi", "session_id": "s1", "message_id": "m-1"}',
    "a greeting": b'{"message": ""}',
    "no JSON": b"hi",
    "no message": b"{}",
    "nothing": b"",
    "a failure": b'{"message": "boom"}',
    "a store that fails": b'{"message": "disk"}',
}
HEADERS = {
    "usual": JSON,
    "HTTP/1.0": JSON,
    "no type": "",
    "compressed": JSON + "Content-Encoding: gzip\r\n",
    "identity": JSON + "Content-Encoding: identity\r\n",
    "an id": JSON + f"X-Request-ID: r-1\r\ntraceparent: {PARENT}\r\n",
    "no sane id": JSON + "X-Request-ID: a b\r\n",
    "nothing expected": JSON + "Expect: \r\n",
    "a continuation expected": JSON + "Expect: 100-continue\r\n",
    "a miracle expected": JSON + "Expect: miracles\r\n",
}


async def post(world: World, path: str, body: bytes, headers: str = JSON, version: str = "1.1") -> bytes:
    head = f"POST {path} HTTP/{version}\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return await raw(world.port, head.encode() + body)


def parts(answer: bytes) -> tuple[str, dict[str, str], Any]:
    """The first line, the headers without what differs from request to request, and the body."""
    head, _, body = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert len(headers) == len(lines)
    assert int(headers["Content-Length"]) == len(body)
    data = json.loads(body)
    assert data["request_id"] == headers["X-Request-ID"]
    for name in ("Date", "Content-Length"):
        del headers[name]
    if len(headers["X-Request-ID"]) == 32:
        headers["X-Request-ID"] = data["request_id"] = ""
    if len(data.get("session_id", "")) == 32:
        data["session_id"] = ""
    return first, headers, data


@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("kind", HEADERS)
def test_both_ways_answer_the_same(kind: str, sent: bytes) -> None:
    async def test(world: World) -> None:
        version = "1.0" if kind == "HTTP/1.0" else "1.1"
        short, long = [await post(world, path, sent, HEADERS[kind], version) for path in (SHORT, LONG)]
        assert parts(short) == parts(long)
        assert (b"100 Continue" in short) is (b"100 Continue" in long)

    run(test)


def test_a_ready_answer_has_the_headers_of_every_other() -> None:
    async def test(world: World) -> None:
        _, ready, _ = parts(await post(world, SHORT, BODIES["a turn"]))
        other = (await raw(world.port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).partition(
            b"\r\n\r\n"
        )[0]
        headers = dict(line.split(": ", 1) for line in other.decode().split("\r\n")[1:])
        assert set(ready) == set(headers) - {"Date", "Content-Length"}
        differ = {name for name in ready if ready[name] != headers[name]}
        assert differ == {"X-Request-ID", "X-Bot-Revision"}  # the turn's own revision is empty here

    run(test)


@pytest.mark.parametrize(
    ("version", "asked", "told"),
    [
        ("1.1", None, None),
        ("1.1", "keep-alive", None),
        ("1.1", "close", "close"),
        ("1.0", None, None),
        ("1.0", "keep-alive", "keep-alive"),
    ],
)
@pytest.mark.parametrize("path", [SHORT, LONG])
def test_the_connection_ends_when_it_should(path: str, version: str, asked: str | None, told: str | None) -> None:
    async def test(world: World) -> None:
        body = BODIES["a turn"]
        head = f"POST {path} HTTP/{version}\r\nHost: x\r\n{JSON}Content-Length: {len(body)}\r\n"
        head += f"Connection: {asked}\r\n" if asked else ""
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        for _ in range(2):
            writer.write(head.encode() + b"\r\n" + body)
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines[1:-2])
            await reader.readexactly(int(headers["Content-Length"]))
            assert lines[0] == f"HTTP/{version} 200 OK"
            assert headers.get("Connection") == told
            if told == "close" or (version == "1.0" and not told):
                assert await reader.read() == b""
                break
        writer.close()

    run(test)


@pytest.mark.parametrize("path", [SHORT, LONG])
def test_a_server_that_stops_says_so(path: str) -> None:
    async def test(world: World) -> None:
        world.app[SERVICE].draining = True
        body = BODIES["a turn"]
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: {len(body)}\r\n\r\n"
        answer = await raw(world.port, head.encode() + body)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nConnection: close\r\n" in answer

    run(test)


@pytest.mark.parametrize("path", [SHORT, LONG])
def test_an_answer_that_was_given_before_says_so(path: str) -> None:
    async def test(world: World) -> None:
        async def again(message: Message, request_id: str, render: Render, **_: object) -> Answer:
            return Answer(b'{"request_id": "r-0"}', None)

        world.conversations.answer = again  # type: ignore[method-assign]
        answer = await post(world, path, BODIES["a turn"])
        assert b"\r\nX-Repeated: true\r\n" in answer
        assert f"\r\nX-Bot-Revision: {world.conversations.bot.revision}\r\n".encode() in answer
        assert answer.endswith(b'\r\n\r\n{"request_id": "r-0"}')

    run(test)


@pytest.mark.parametrize("path", [SHORT, LONG])
def test_whoever_reads_slowly_gets_all_of_a_long_answer(path: str) -> None:
    long = b'{"message": "%s"}' % (b"a" * 200_000)

    async def test(world: World) -> None:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: {len(long)}\r\n\r\n".encode()
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, ("127.0.0.1", world.port))
        times = 20
        sending = asyncio.create_task(loop.sock_sendall(slow, (head + long) * times))
        await asyncio.sleep(0.3)
        assert len(world.conversations.messages) < times  # the server waits before it answers more
        got = b""
        while got.count(b"HTTP/1.1 200 OK") < times or not got.endswith(b"}"):
            got += await asyncio.wait_for(loop.sock_recv(slow, 1 << 20), 5)
        await sending
        slow.close()
        assert got.count(b"a" * 200_000) == times

    run(test)


@pytest.mark.parametrize("path", [SHORT, LONG])
def test_a_caller_who_left_is_not_written_to(path: str) -> None:
    async def test(world: World) -> None:
        body = b'{"message": "slow"}'
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: {len(body)}\r\n\r\n"
        _, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(head.encode() + body)
        while not world.conversations.messages:
            await asyncio.sleep(0.01)
        writer.transport.abort()
        await asyncio.sleep(0.05)
        world.conversations.gate.set()
        assert (await world.chat("still there?"))["handler"] == "echo"
        assert len(world.conversations.finished) == 2

    run(test, quick())


@pytest.mark.parametrize("path", [SHORT, LONG])
def test_a_body_that_comes_in_pieces_is_waited_for(path: str) -> None:
    async def test(world: World) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{JSON}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        for piece in (head.encode(), b'a\r\n{"message"\r\n', b'7\r\n: "hi"}\r\n', b"0\r\n\r\n"):
            writer.write(piece)
            await asyncio.sleep(0.02)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        writer.close()
        assert world.conversations.messages[0].text == "hi"

    run(test)


@pytest.mark.parametrize("path", [SHORT, LONG])
def test_requests_sent_at_once_are_answered_in_order(path: str) -> None:
    async def test(world: World) -> None:
        texts = [f"number {at}" for at in range(100)]
        bodies = [json.dumps({"message": text}).encode() for text in texts]
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: %d\r\n\r\n"
        last = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = await raw(world.port, b"".join(head.encode() % len(body) + body for body in bodies) + last)
        said = re.findall(r'"text":"You said: (.*?)"', answer.decode())
        assert said == texts

    run(test)
