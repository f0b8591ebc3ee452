"""Hostile bodies: every one is refused with a problem that says why, none is answered with 5xx."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import zlib

import pytest
from tests.server.world import World, quick, raw, run

from supportbot.server.bodies import deeper_than
from supportbot.server.options import Texts

SORRY = {"action": "reply", "replies": [Texts().trouble]}
JSON = {"Content-Type": "application/json"}
KIB = 1024


def chat(**keys: object) -> bytes:
    return json.dumps({"message": "hi", **keys}).encode()


NOT_JSON: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \r\n\t ",
    "a word": b"hello",
    "form": b"message=hi&session_id=a",
    "xml": b"<message>hi</message>",
    "open object": b'{"message": "hi"',
    "open string": b'{"message": "hi',
    "open escape": b'{"message": "hi\\',
    "short escape": b'{"message": "\\u12"}',
    "bad escape": b'{"message": "\\x41"}',
    "single quotes": b"{'message': 'hi'}",
    "no quotes": b"{message: 1}",
    "trailing comma": b'{"message": "hi",}',
    "comment": b'{"message": "hi"} // note',
    "two values": b'{"message": "hi"}{"message": "hi"}',
    "control character": b'{"message": "a\nb"}',
    "nul": b'{"message": "a\x00b"}',
    "only nul": b"\x00" * 64,
    "NaN": b'{"message": NaN}',
    "Infinity": b'{"message": Infinity}',
    "-Infinity": b'{"message": -Infinity}',
    "NaN deep": b'{"message": "hi", "visitor": {"age": [NaN]}}',
    "1e999": b'{"message": "hi", "n": 1e999}',
    "-1e999": b'{"message": "hi", "n": -1e999}',
    "5000 digits": b'{"message": "hi", "n": ' + b"9" * 5000 + b"}",
    "leading zero": b'{"message": "hi", "n": 01}',
    "python literals": b'{"message": None}',
    "array": b"[]",
    "array of objects": b'[{"message": "hi"}]',
    "string": b'"hi"',
    "number": b"42",
    "true": b"true",
    "null": b"null",
    "utf-16": '{"message": "hi"}'.encode("utf-16"),
    "utf-16 without mark": '{"message": "hi"}'.encode("utf-16-le"),
    "utf-32": '{"message": "hi"}'.encode("utf-32"),
    "latin-1": '{"message": "h\xe9"}'.encode("latin-1"),
    "overlong utf-8": b'{"message": "\xc0\xaf"}',
    "surrogate in utf-8": b'{"message": "\xed\xa0\x80"}',
    "beyond unicode": b'{"message": "\xf4\x90\x80\x80"}',
    "cut utf-8": b'{"message": "\xe2\x82',
    "gzip without saying so": gzip.compress(chat()),
    "twice the same key": b'{"message": "hi", "message": "ho"}',
    "twice the same key deep": b'{"message": "hi", "visitor": {"name": "a", "name": "b"}}',
    "100000 arrays": b"[" * 100_000,
    "100000 objects": b'{"a":' * 40_000,
    "deep but closed": b'{"message": "hi", "x": ' + b"[" * 200 + b"]" * 200 + b"}",
    "33 levels": b'{"message": "hi", "x": ' + b"[" * 32 + b"]" * 32 + b"}",
    "unbalanced": b"]" * 1000 + b"[" * 1000,
}

WRONG_KEYS: dict[str, bytes] = {
    "no message": b"{}",
    "other key": b'{"text": "hi"}',
    "message null": chat(message=None),
    "message number": chat(message=5),
    "message boolean": chat(message=True),
    "message list": chat(message=["hi"]),
    "message object": chat(message={"text": "hi"}),
    "session number": chat(session_id=5),
    "session list": chat(session_id=["a"]),
    "session empty": chat(session_id=""),
    "session blank": chat(session_id=" "),
    "session with slash": chat(session_id="../etc/passwd"),
    "session with newline": chat(session_id="abc\n"),
    "session with umlaut": chat(session_id="\xe4"),
    "session with arabic digit": chat(session_id="\u0661"),
    "session too long": chat(session_id="a" * 65),
    "session of another channel": chat(session_id="siq_430872000002553007"),
    "message id number": chat(message_id=7),
    "message id empty": chat(message_id=""),
    "message id with newline": chat(message_id="a\nb"),
    "message id too long": chat(message_id="a" * 129),
    "visitor text": chat(visitor="Ada"),
    "visitor list": chat(visitor=["Ada"]),
    "visitor name number": chat(visitor={"name": 5}),
    "visitor name object": chat(visitor={"name": {"first": "Ada"}}),
    "visitor name too long": chat(visitor={"name": "a" * 400}),
    "visitor strange key": chat(visitor={"__class__": "x"}),
    "visitor many keys": chat(visitor={f"k{number}": "x" for number in range(17)}),
}

OTHER_TYPES = {
    "none": None,
    "text": "text/plain",
    "form": "application/x-www-form-urlencoded",
    "multipart": "multipart/form-data; boundary=x",
    "json text": "text/json",
    "latin-1": "application/json; charset=latin-1",
    "utf-7": "application/json; charset=utf-7",
    "unknown charset": "application/json; charset=klingon",
    "hex": "application/json; charset=hex",
    "nonsense": ";;;",
    "longer name": "application/jsonp",
}

ENCODINGS = {
    "gzip": gzip.compress(chat()),
    "deflate": zlib.compress(chat()),
    "br": chat(),
    "zstd": chat(),
    "gzip, gzip": gzip.compress(gzip.compress(chat())),
    "klingon": chat(),
}


async def refused(world: World, path: str, body: bytes, status: int, headers: dict[str, str]) -> str:
    """Send a body, check the problem that comes back, and give its detail."""
    async with world.client.post(
        world.url + path, data=io.BytesIO(body), headers=headers, skip_auto_headers=["Content-Type"]
    ) as answer:
        data = json.loads(await answer.read())
        assert answer.status == status, data
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert data["status"] == status
        assert data["type"] == "about:blank"
        assert data["request_id"] == answer.headers["X-Request-ID"]
        assert len(data["detail"]) > 15
        assert "Traceback" not in data["detail"]
        assert world.conversations.messages == []
        detail: str = data["detail"]
        return detail


@pytest.mark.parametrize("name", list(NOT_JSON))
def test_what_is_not_a_json_object_is_refused(name: str) -> None:
    async def test(world: World) -> None:
        await refused(world, "/chat", NOT_JSON[name], 400, JSON)

    run(test)


@pytest.mark.parametrize("name", list(NOT_JSON))
def test_the_same_to_salesiq_is_answered(name: str) -> None:
    """A greeting; where a message can be made out all the same, that message is answered."""

    async def test(world: World) -> None:
        async with world.client.post(f"{world.url}/webhook/salesiq", data=NOT_JSON[name]) as answer:
            assert answer.status == 200
            said = (await answer.json())["replies"]
        texts = [f"You said: {message.text}" for message in world.conversations.messages]
        assert said == (texts or ["Hello! How can I help?"])

    run(test)


@pytest.mark.parametrize("name", list(WRONG_KEYS))
def test_wrong_keys_are_named(name: str) -> None:
    async def test(world: World) -> None:
        detail = await refused(world, "/chat", WRONG_KEYS[name], 400, JSON)
        named = name.split()[0]
        assert (named if named not in {"no", "other"} else "message") in detail

    run(test)


@pytest.mark.parametrize("name", list(OTHER_TYPES))
def test_other_content_types_are_refused(name: str) -> None:
    async def test(world: World) -> None:
        kind = OTHER_TYPES[name]
        await refused(world, "/chat", chat(), 415, {"Content-Type": kind} if kind else {})

    run(test)


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON", "application/json; charset=UTF-8"])
def test_json_types_are_taken(kind: str) -> None:
    async def test(world: World) -> None:
        async with world.client.post(f"{world.url}/chat", data=chat(), headers={"Content-Type": kind}) as answer:
            assert answer.status == 200

    run(test)


@pytest.mark.parametrize("encoding", list(ENCODINGS))
def test_compressed_bodies_are_refused_unread(encoding: str) -> None:
    async def test(world: World) -> None:
        await refused(world, "/chat", ENCODINGS[encoding], 415, JSON | {"Content-Encoding": encoding})
        headers = JSON | {"Content-Encoding": encoding}
        data = ENCODINGS[encoding]
        async with world.client.post(f"{world.url}/webhook/salesiq", data=data, headers=headers) as answer:
            assert answer.status == 200
            assert await answer.json() == SORRY

    run(test)


def test_identity_is_no_compression() -> None:
    async def test(world: World) -> None:
        headers = JSON | {"Content-Encoding": "identity"}
        async with world.client.post(f"{world.url}/chat", data=chat(), headers=headers) as answer:
            assert answer.status == 200

    run(test)


@pytest.mark.parametrize("size", [256 * KIB + 1, 2048 * KIB])
def test_large_bodies_are_refused_by_their_length(size: int) -> None:
    async def test(world: World) -> None:
        detail = await refused(world, "/chat", b" " * size, 413, JSON)
        assert "256 KiB" in detail
        async with world.client.post(f"{world.url}/webhook/salesiq", data=io.BytesIO(b" " * size)) as answer:
            assert answer.status == 200
            assert await answer.json() == SORRY

    run(test, quick())


def test_large_chunked_bodies_are_refused_while_they_are_read() -> None:
    async def test(world: World) -> None:
        head = b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        answer = await raw(world.port, head + chunk * 5 + b"0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"application/problem+json" in answer

    run(test)


def test_a_body_of_the_allowed_size_is_read() -> None:
    async def test(world: World) -> None:
        body = chat()
        body += b" " * (256 * KIB - len(body))
        async with world.client.post(f"{world.url}/chat", data=body, headers=JSON) as answer:
            assert answer.status == 200

    run(test)


@pytest.mark.parametrize(("path", "status"), [("/chat", 408), ("/webhook/salesiq", 200)])
def test_a_body_that_never_comes_is_not_waited_for(path: str, status: int) -> None:
    async def test(world: World) -> None:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n"
        answer = await raw(world.port, head.encode() + b'{"message"')
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b"X-Request-ID" in answer

    run(test, quick())


def test_a_caller_who_leaves_in_the_middle_of_a_body_breaks_nothing() -> None:
    async def test(world: World) -> None:
        head = b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n"
        _, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(head + b'{"message"')
        await writer.drain()
        writer.transport.abort()
        assert (await world.chat("still there?"))["handler"] == "echo"

    run(test)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: nine\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: 1\r\n" * 500 + b"\r\n",
        b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_not_http_is_answered_in_our_form(data: bytes) -> None:
    async def test(world: World) -> None:
        answer = await raw(world.port, data)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.split()[1] == b"400"
        assert b"application/problem+json" in head
        assert b"X-Request-ID: " in head
        assert b"aiohttp" not in head + body
        assert json.loads(body)["detail"] == "This is not a valid HTTP request."

    run(test)


@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: /" + b"a" * 9_000 + b"\r\n\r\n", 431, "A header"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X" * 9_000 + b": 1\r\n\r\n", 431, "A header"),
        (b"POST /chat HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 8_192 + b"\r\n\r\n", 431, "A header"),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "The address"),
        (b"GET /?" + b"a" * 8_190 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "The address"),
        (b"GET /" + b"a" * 8_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404, ""),
    ],
)
def test_what_is_too_long_is_told_apart(data: bytes, status: int, said: str, pieces: int) -> None:
    async def test(world: World) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        size = len(data) // pieces + 1
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await asyncio.sleep(0.01)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        assert int(head.split()[1]) == status
        assert b"application/problem+json" in head
        assert b"aaaa" not in head + body
        found = json.loads(body)
        assert (found["status"], found["detail"].startswith(said)) == (status, True)

    run(test)


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        ("[[1]]", False),
        ("[[[1]]]", True),
        ('["[[[[["]', False),
        ('["\\"[[[[["]', False),
        ('["\\\\", [[1]]]', True),
        ("[],[],[],[]", False),
    ],
)
def test_brackets_in_strings_do_not_nest(text: str, deep: bool) -> None:
    assert deeper_than(text, 2) is deep
