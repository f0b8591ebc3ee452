"""Logs: one line an event, ids on every line, nothing private, nothing forged."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from tests.server.world import REVISION, World, run

from supportbot.server import logs

FORGED = 'x\n12:00:00 ERROR   forged\r\u2028\u2029\x1b[2J\x9b31m {"level": "error"}'


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    names = ("", "supportbot")
    before = [
        (logging.getLogger(name), logging.getLogger(name).handlers[:], logging.getLogger(name).level) for name in names
    ]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


def lines(style: logs.Style, level: str = "INFO") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(level, style, stream)
    return stream


def parsed(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_turn_is_one_decision_line_with_all_ids() -> None:
    stream = lines("json")

    async def test(world: World) -> None:
        async with world.client.post(
            f"{world.url}/chat", json={"message": "llm", "session_id": "abc"}, headers={"X-Request-ID": "r-1"}
        ) as answer:
            assert answer.status == 200

    run(test)
    (decided,) = parsed(stream)
    assert (decided["request_id"], decided["session_id"], decided["revision"]) == ("r-1", "abc", REVISION)
    assert decided["event"] == "decided"
    assert " ".join(decided) == (
        "time level logger event request_id session_id revision "
        "handler kind category state next_state actions turn model tokens"
    )
    assert decided["handler"] == "echo"
    assert (decided["model"], decided["tokens"]) == ("openai/test", 42)


@pytest.mark.parametrize(
    ("header", "trace_id"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("00-" + "0" * 32 + "-00f067aa0ba902b7-01", None),
        ("nonsense", None),
    ],
)
def test_the_caller_s_trace_is_kept(header: str, trace_id: str | None) -> None:
    stream = lines("json")

    async def test(world: World) -> None:
        async with world.client.get(f"{world.url}/health", headers={"traceparent": header}) as answer:
            assert answer.status == 200

    run(test)
    (line,) = parsed(stream)
    assert line.get("trace_id") == trace_id


def test_another_request_is_one_line() -> None:
    stream = lines("json")

    async def test(world: World) -> None:
        async with world.client.get(f"{world.url}/health") as answer:
            assert answer.status == 200

    run(test)
    (request,) = parsed(stream)
    assert (request["method"], request["path"], request["status"]) == ("GET", "/health", 200)


def test_what_a_visitor_writes_is_not_logged_at_all() -> None:
    stream = lines("json", "DEBUG")

    async def test(world: World) -> None:
        await world.chat("my dog is called Rex", visitor={"email": "ada@example.com"})

    run(test)
    assert "Rex" not in stream.getvalue()
    assert "ada@" not in stream.getvalue()


@pytest.mark.parametrize("style", ["json", "text"])
def test_an_exception_with_private_text_is_masked_and_stays_in_its_lines(style: logs.Style) -> None:
    stream = lines(style)

    async def test(world: World) -> None:
        body = {"message": f"boom mail ada@example.com {FORGED}", "session_id": "abc"}
        async with world.client.post(f"{world.url}/chat", json=body) as answer:
            assert answer.status == 500

    run(test)
    written = stream.getvalue()
    assert "RuntimeError" in written
    assert "ada@example.com" not in written
    assert not any(line.startswith("12:00:00 ERROR   forged") for line in written.splitlines())
    assert not any(char in written for char in "\x1b\x9b\r\u2028\u2029")


@pytest.mark.parametrize("style", ["json", "text"])
def test_no_text_starts_a_line(style: logs.Style) -> None:
    stream = lines(style)
    logs.log(logging.INFO, FORGED, detail=FORGED, more=[FORGED, {"deep": FORGED}])
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("style", ["json", "text"])
def test_facts_are_masked_but_ids_are_not(style: logs.Style) -> None:
    stream = lines(style)
    logs.SESSION_ID.set("siq_430872000002553007")
    try:
        logs.log(logging.INFO, "event", detail="call +1 555 010 4477", handler="password_reset")
    finally:
        logs.SESSION_ID.set("")
    assert "010 4477" not in stream.getvalue()
    assert "siq_430872000002553007" in stream.getvalue()
    assert "password_reset" in stream.getvalue()


def test_other_libraries_log_in_the_same_form() -> None:
    stream = lines("json")
    logging.getLogger("elsewhere").warning("mail to %s failed", "ada@example.com")
    logging.getLogger("elsewhere").info("not interesting")
    (line,) = parsed(stream)
    assert line["logger"] == "elsewhere"
    assert "ada@" not in line["event"]


@pytest.mark.parametrize(("level", "shown"), [("ERROR", 0), ("INFO", 1), ("DEBUG", 2)])
def test_levels(level: str, shown: int) -> None:
    stream = lines("json", level)
    logs.log(logging.INFO, "one")
    logs.log(logging.DEBUG, "two")
    assert len(parsed(stream)) == shown


def test_probes_are_not_worth_a_line() -> None:
    stream = lines("json")

    async def test(world: World) -> None:
        for path in ("/livez", "/readyz"):
            async with world.client.get(world.url + path) as answer:
                assert answer.status == 200

    run(test)
    assert stream.getvalue() == ""


def test_tokens_in_an_address_are_not_logged() -> None:
    stream = lines("json")

    async def test(world: World) -> None:
        async with world.client.get(f"{world.url}/health?token=s3cret") as answer:
            assert answer.status == 200

    run(test)
    assert "s3cret" not in stream.getvalue()


def test_auto_is_json_where_nobody_looks() -> None:
    stream = lines("auto")
    logs.log(logging.INFO, "event")
    assert parsed(stream)[0]["event"] == "event"
