"""POST /chat has three ways, and nobody may notice which one was taken.

A query takes the way of all requests. A message that comes whole over a connection that stays open is answered
without a task; the others go around the application's router.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from typing import Any

import pytest
from tests.server.world import World, quick, raw, run, serving

from supportbot.errors import StoreError
from supportbot.model.session import Message
from supportbot.runtime.attempt import Asked
from supportbot.runtime.conversation import Over
from supportbot.runtime.ports import Conflict
from supportbot.runtime.results import Answer, Render
from supportbot.server.options import ServerLimits, ServerOptions
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


WAYS = ("without a task", "around the router", "of all requests")


async def post(world: World, way: str, body: bytes, headers: str = JSON, version: str = "1.1") -> bytes:
    """The whole answer."""
    path = LONG if way == "of all requests" else SHORT
    head = f"POST {path} HTTP/{version}\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}"
    if way != "without a task":
        return await raw(world.port, f"{head}Connection: close\r\n\r\n".encode() + body)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    try:
        writer.write(f"{head}\r\n".encode() + body)
        return await one_answer(reader)
    finally:
        writer.close()


async def one_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if b"100 Continue" in head:
        return head + await one_answer(reader)
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    assert length
    return head + await reader.readexactly(int(length[1]))


def parts(answer: bytes) -> tuple[str, dict[str, str], Any]:
    """The first line, the headers without what differs from request to request, and the body."""
    head, _, body = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert len(headers) == len(lines)
    assert int(headers["Content-Length"]) == len(body)
    data = json.loads(body)
    assert data["request_id"] == headers["X-Request-ID"]
    for name in ("Date", "Content-Length", "Connection"):
        headers.pop(name, None)
    if len(headers["X-Request-ID"]) == 32:
        headers["X-Request-ID"] = data["request_id"] = ""
    if len(data.get("session_id", "")) == 32:
        data["session_id"] = ""
    return first, headers, data


@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("kind", HEADERS)
def test_all_ways_answer_the_same(kind: str, sent: bytes) -> None:
    async def test(world: World) -> None:
        version = "1.0" if kind == "HTTP/1.0" else "1.1"
        answers = [await post(world, way, sent, HEADERS[kind], version) for way in WAYS]
        assert parts(answers[0]) == parts(answers[1]) == parts(answers[2])
        assert len({b"100 Continue" in answer for answer in answers}) == 1
        counted = {label.split("\x1f")[2]: sum(counts) for label, (counts, _) in figures(world).items()}
        status = parts(answers[0])[0].split()[1]
        assert counted == ({status: 3} if status != "417" else {})  # aiohttp refuses that before anything counts

    run(test)


def figures(world: World) -> dict[str, tuple[list[int], list[float]]]:
    return world.app[SERVICE].metrics.requests.by_label


@pytest.mark.parametrize("known", [True, False])
def test_each_way_is_the_one_it_says(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another version of aiohttp all messages take its usual way."""
    monkeypatch.setattr("supportbot.server.protocol.QUICK", known)

    async def test(world: World) -> None:
        tasks = list[str]()

        def at_once(asked: Asked, over: Over) -> bool:
            task = asyncio.current_task()
            tasks.append(task.get_coro().__qualname__ if task else "")  # type: ignore[union-attr]
            return False

        world.conversations.at_once = at_once  # type: ignore[method-assign]
        for way in WAYS:
            await post(world, way, BODIES["a turn"])
        usual = "RequestHandler._handle_request"
        assert tasks == ["" if known else usual, usual, usual]

    run(test)


def test_a_ready_answer_has_the_headers_of_every_other() -> None:
    async def test(world: World) -> None:
        _, ready, _ = parts(await post(world, WAYS[0], BODIES["a turn"]))
        other = (await raw(world.port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).partition(
            b"\r\n\r\n"
        )[0]
        headers = dict(line.split(": ", 1) for line in other.decode().split("\r\n")[1:])
        assert set(ready) == set(headers) - {"Date", "Content-Length", "Connection"}
        differ = {name for name in ready if ready[name] != headers[name]}
        assert differ == {"X-Request-ID", "X-Bot-Revision"}  # the turn's own revision is empty here

    run(test)


@pytest.mark.parametrize(("failure", "status"), [(None, 200), (StoreError("disk full"), 503), (Conflict("again"), 200)])
@pytest.mark.parametrize("way", WAYS)
def test_a_turn_that_waits_for_its_commit_only(way: str, failure: Exception | None, status: int) -> None:
    async def test(world: World) -> None:
        def at_once(asked: Asked, over: Over) -> bool:
            answer = Answer(json.dumps({"request_id": asked.request_id}).encode(), None)
            asyncio.get_running_loop().call_later(0.02, over, answer, failure)
            return True

        world.conversations.at_once = at_once  # type: ignore[method-assign]
        first, headers, _ = parts(await post(world, way, BODIES["a turn"]))
        assert f" {status} " in first
        assert ("X-Repeated" in headers) is (failure is None)
        assert len(world.conversations.messages) == isinstance(failure, Conflict)

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
def test_a_server_that_begins_to_stop_says_so(path: str) -> None:
    async def test(world: World) -> None:
        body = b'{"message": "slow"}'
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: {len(body)}\r\n\r\n"
        asked = asyncio.create_task(raw(world.port, head.encode() + body))
        while not world.conversations.messages:
            await asyncio.sleep(0.01)
        world.app[SERVICE].draining = True
        world.conversations.gate.set()
        for answer in (await asked, await raw(world.port, head.encode() + body)):
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"\r\nConnection: close\r\n" in answer

    run(test)


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_was_given_before_says_so(way: str) -> None:
    async def test(world: World) -> None:
        async def again(message: Message, request_id: str, render: Render, **_: object) -> Answer:
            return Answer(b'{"request_id": "r-0"}', None)

        world.conversations.answer = again  # type: ignore[method-assign]
        answer = await post(world, way, BODIES["a turn"])
        assert b"\r\nX-Repeated: true\r\n" in answer
        assert f"\r\nX-Bot-Revision: {world.conversations.bot.revision}\r\n".encode() in answer
        assert answer.endswith(b'\r\n\r\n{"request_id": "r-0"}')

    run(test)


@pytest.mark.parametrize("way", WAYS)
def test_a_turn_over_its_deadline_goes_on(way: str) -> None:
    async def test(world: World) -> None:
        first, headers, _ = parts(await post(world, way, b'{"message": "slow", "session_id": "s1"}'))
        assert " 503 " in first
        assert headers["Retry-After"] == "5"
        world.conversations.gate.set()
        await asyncio.sleep(0.02)
        assert world.conversations.finished == ["s1"]

    run(test, quick())


@pytest.mark.parametrize("way", WAYS)
def test_a_session_that_writes_too_often_is_told_to_wait(way: str) -> None:
    async def test(world: World) -> None:
        most = world.conversations.bot.settings.operations.session_rate.burst
        answered = 0
        while (answer := await post(world, way, BODIES["a turn"])).startswith(b"HTTP/1.1 200 "):
            answered += 1
        assert most <= answered < 2 * most  # a few more are allowed meanwhile
        assert " 429 " in parts(answer)[0]
        assert world.app[SERVICE].metrics.refused == {"session_rate": 1}

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


def test_what_comes_while_a_message_is_answered_waits_for_its_turn() -> None:
    async def test(world: World) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)

        def request(text: str) -> bytes:
            body = json.dumps({"message": text}).encode()
            return f"POST /chat HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: {len(body)}\r\n\r\n".encode() + body

        writer.write(request("slow"))
        while not world.conversations.messages:
            await asyncio.sleep(0.01)
        writer.write(request("second") + request("third")[:40])
        await asyncio.sleep(0.05)
        assert len(world.conversations.messages) == 1
        world.conversations.gate.set()
        said = [json.loads((await one_answer(reader)).partition(b"\r\n\r\n")[2])["replies"] for _ in range(2)]
        writer.write(request("third")[40:])
        said.append(json.loads((await one_answer(reader)).partition(b"\r\n\r\n")[2])["replies"])
        writer.write(request("fourth"))
        said.append(json.loads((await one_answer(reader)).partition(b"\r\n\r\n")[2])["replies"])
        assert [replies[0]["text"] for replies in said] == [
            f"You said: {text}" for text in ("slow", "second", "third", "fourth")
        ]
        writer.close()

    run(test)


def test_a_connection_is_kept_while_its_message_is_answered_and_closed_when_it_is_silent() -> None:
    async def test(world: World) -> None:
        body = b'{"message": "slow"}'
        head = f"POST /chat HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: {len(body)}\r\n\r\n".encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(head + body)
        await asyncio.sleep(0.5)
        world.conversations.gate.set()
        assert (await one_answer(reader)).startswith(b"HTTP/1.1 200 OK")
        assert await asyncio.wait_for(reader.read(), 1) == b""
        writer.close()

    run(test, ServerOptions(limits=ServerLimits(keepalive_seconds=0.2)))


@pytest.mark.parametrize("way", WAYS[:2])
def test_a_message_in_work_is_answered_before_the_server_ends(way: str) -> None:
    async def inside() -> bytes:
        async with serving() as world:
            asked = asyncio.create_task(post(world, way, b'{"message": "slow"}'))
            while not world.conversations.messages:
                await asyncio.sleep(0.01)
            asyncio.get_running_loop().call_later(0.2, world.conversations.gate.set)
        return await asked  # the server has ended here

    assert asyncio.run(inside()).startswith(b"HTTP/1.1 200 OK")


def test_a_server_ends_although_a_message_is_never_answered() -> None:
    async def inside() -> None:
        async with serving(quick()) as world:
            asked = asyncio.create_task(post(world, WAYS[0], b'{"message": "slow"}'))
            while not world.conversations.messages:
                await asyncio.sleep(0.01)
            world.app[SERVICE].turn = never  # type: ignore[method-assign]
            stuck = asyncio.create_task(post(world, WAYS[0], b'{"message": "hi"}'))
            assert b" 503 " in await asked
            world.conversations.gate.set()
        with pytest.raises(asyncio.IncompleteReadError):
            await stuck

    def never(*_: object, **__: object) -> None:
        return None

    asyncio.run(asyncio.wait_for(inside(), 10))
