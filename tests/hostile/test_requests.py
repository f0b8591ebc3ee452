"""Requests meant to break the server: it answers, says nothing about itself, and goes on answering others."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from tests.hostile.world import ALIVE, HANG, Server, insides, read, watched

REQUESTS: list[dict[str, Any]] = read("requests.yaml")
CONNECTIONS = 800
AT_ONCE = 12
DRIP = 0.5  # seconds between the bytes of a slow request
STATUS = re.compile(rb"HTTP/\d\.\d (\d{3}) ")
REFUSED_WITHOUT_A_WORD = 0


@dataclass(frozen=True)
class Answered:
    name: str
    statuses: tuple[int, ...]
    text: str
    hung: bool


def body_of(request: dict[str, Any]) -> bytes:
    if "bomb" in request:
        return gzip.compress(bytes(request["bomb"]), 9)
    return filled(request, "body")


def filled(request: dict[str, Any], key: str) -> bytes:
    text: str = request.get(key, "")
    if "fill" in request:
        text = text.replace(
            "@", "".join(part * times for part, times in (request["fill"], request.get("close", ["", 0])))
        )
    return text.encode("latin-1")


def bytes_of(request: dict[str, Any]) -> bytes:
    if "send" in request:
        return filled(request, "send")
    body = body_of(request)
    head = f"{request['method']} {request['target']} HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in request["headers"])
    if request.get("length", True) and (body or request["method"] == "POST"):
        head += f"Content-Length: {len(body)}\r\n"
    return head.encode("latin-1") + b"\r\n" + body


async def send(port: int, request: dict[str, Any]) -> Answered:
    """Everything that comes back until the server hangs up, or is silent after an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = b""
    hung = False
    dripping = None
    try:
        writer.write(bytes_of(request))
        with suppress(ConnectionError):
            await writer.drain()
        if request.get("hangs_up"):
            return Answered(request["name"], (), "", False)
        dripping = asyncio.create_task(drip(writer, request.get("drip", "").encode("latin-1")))
        try:
            async with asyncio.timeout(HANG):
                got = await first_part(reader)
        except TimeoutError:
            hung = True
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.15):
                    while more := await reader.read(65536):
                        got += more
    except ConnectionError:
        pass
    finally:
        if dripping is not None:
            dripping.cancel()
        writer.close()
    return Answered(request["name"], tuple(map(int, STATUS.findall(got))), got.decode("latin-1"), hung)


async def first_part(reader: asyncio.StreamReader) -> bytes:
    """Up to the first final answer: "100 Continue" is none."""
    got = b""
    while part := await reader.read(65536):
        got += part
        if any(int(status) >= 200 for status in STATUS.findall(got)):
            break
    return got


async def drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    for at in range(len(data)):
        await asyncio.sleep(DRIP)
        writer.write(data[at : at + 1])
        with suppress(ConnectionError):
            await writer.drain()


async def send_all(port: int, requests: Iterable[dict[str, Any]]) -> list[Answered]:
    """Some at a time; slow ones keep nobody from his turn."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(request: dict[str, Any]) -> Answered:
        if request["name"].startswith("slow"):
            return await send(port, request)
        async with gate:
            return await send(port, request)

    return await asyncio.gather(*map(one, requests))


def final(statuses: tuple[int, ...]) -> list[int]:
    return [status for status in statuses if status >= 200]


@pytest.fixture(scope="module")
def answers(server: Server) -> dict[str, Answered]:
    """The whole corpus, sent once."""
    with watched(server):
        return {answer.name: answer for answer in asyncio.run(send_all(server.port, REQUESTS))}


def test_the_corpus_is_large_enough_and_its_names_tell_apart() -> None:
    assert len(REQUESTS) >= 150
    assert len({request["name"] for request in REQUESTS}) == len(REQUESTS)


@pytest.mark.parametrize("request_", REQUESTS, ids=[request["name"] for request in REQUESTS])
def test_it_is_answered_as_it_deserves(request_: dict[str, Any], answers: dict[str, Answered]) -> None:
    answer = answers[request_["name"]]
    assert not answer.hung
    assert insides(answer.text) == []
    if request_.get("hangs_up"):
        return
    statuses = final(answer.statuses) or [REFUSED_WITHOUT_A_WORD]
    assert max(statuses) < 500
    assert sorted(set(statuses)) == request_["status"], answer.text[:2000]


def test_refusals_say_who_they_are_and_load_nothing(answers: dict[str, Answered]) -> None:
    for answer in answers.values():
        if (final(answer.statuses) or [0])[0] >= 400:
            assert "application/problem+json" in answer.text, answer.text[:500]
            assert "X-Request-ID: " in answer.text
            assert "nosniff" in answer.text


def test_the_log_has_one_object_a_line_and_no_failure(server: Server, answers: dict[str, Answered]) -> None:
    lines = [line for line in server.log_text().splitlines() if not line.startswith("note: ")]
    entries = [json.loads(line) for line in lines]
    assert len(entries) > len(answers) / 2
    assert [entry for entry in entries if entry["level"] == "error" or "traceback" in entry] == []
    assert all(line.isascii() and line.isprintable() for line in lines)


def test_many_connections_that_say_nothing_leave_room_for_others(server: Server, answers: dict[str, Answered]) -> None:
    async def crowd() -> None:
        opened = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", server.port) for _ in range(CONNECTIONS)))
        try:
            for at, (_, writer) in enumerate(opened):
                writer.write(b"POST /chat HTTP/1.1\r\nHost: a\r\nX: " if at % 2 else b"")
            async with asyncio.timeout(HANG):
                answer = await asyncio.to_thread(server.chat, "my printer is offline", "in-a-crowd")
            assert answer["handler"] == "printer_offline"
        finally:
            for _, writer in opened:
                writer.close()

    with watched(server):
        asyncio.run(crowd())


def test_a_turn_is_answered_as_ever_afterwards(server: Server, answers: dict[str, Answered]) -> None:
    assert server.chat("my printer is offline", "afterwards")["handler"] == "printer_offline"
    assert max(server.seconds) < ALIVE
