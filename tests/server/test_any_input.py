"""For any input at all: the readers of bodies raise a Problem or nothing, and what they give can be stored."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from tests.server.views import SESSION, VIEW
from tests.server.world import says

from supportbot.server import bodies, chat, logs, salesiq, salesiq_reply
from supportbot.server.middlewares import SANE_ID, request_id_of
from supportbot.server.options import ServerLimits, is_loopback
from supportbot.server.problems import Problem

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LIMITS = ServerLimits()
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)  # lone surrogates too
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT
VALUES = st.recursive(
    SCALARS, lambda deep: st.lists(deep, max_size=3) | st.dictionaries(ANY_TEXT, deep, max_size=3), max_leaves=8
)
CHAT_KEYS = st.sampled_from(["message", "session_id", "message_id", "visitor", "other"])
SIQ_KEYS = st.sampled_from(["handler", "operation", "message", "visitor", "request", "attachments", "answers"])
VISITORS = st.dictionaries(
    st.sampled_from(["active_conversation_id", "uuid", "visitid", "name", "email", "phone", "question"]), VALUES
)
EVENTS = st.dictionaries(SIQ_KEYS, VALUES | VISITORS | st.sampled_from(["trigger", "message", "failure", "chat"]))


@given(st.binary(max_size=400))
def test_any_bytes(body: bytes) -> None:
    with suppress(Problem):
        assert isinstance(bodies.parse_object(body, LIMITS), dict)


@given(VALUES)
def test_any_json_is_read_as_json_reads_it_or_refused(value: Any) -> None:
    body = json.dumps(value).encode()
    with suppress(Problem):
        assert bodies.parse_object(body, LIMITS) == json.loads(body)


@given(st.dictionaries(ANY_TEXT, st.integers(-(10**30), 10**30) | ANY_TEXT | st.booleans() | st.none()))
def test_any_plain_object_is_read(value: dict[str, Any]) -> None:
    assert bodies.parse_object(json.dumps(value).encode(), LIMITS) == value


@given(st.dictionaries(CHAT_KEYS, VALUES))
def test_any_chat_request(data: dict[str, Any]) -> None:
    with suppress(Problem):
        asked = chat.parse(data)
        assert chat.SESSION_ID.fullmatch(asked.session_id)
        message = asked.message(NOW)
        for text in (message.text, *message.visitor, *message.visitor.values()):
            text.encode()


PIECES = st.sampled_from(["a", ":", '"', "\\", "\\u003a", "\\u003A", '":"', '", "message": "', "\n", "\u00e9"])
TEXTS = st.lists(PIECES, max_size=4).map("".join)
WRITTEN = st.builds(lambda text, raw: f'"{text}"' if raw else json.dumps(text), TEXTS, st.booleans())
PAIRS = st.lists(st.tuples(CHAT_KEYS | st.just("name"), WRITTEN | st.just("null")), max_size=4)
SPACES = st.sampled_from(["", " ", "\t\n"])


def written(pairs: list[tuple[str, str]], space: str) -> str:
    """A JSON object as it was put together: keys may be there twice, and colons stand anywhere in texts."""
    return "{" + ",".join(f'"{key}"{space}:{space}{value}' for key, value in pairs) + "}"


@given(PAIRS, PAIRS | st.none(), SPACES)
@example([("message", '"a"'), ("message", r'"\u003a"')], None, "")  # an escaped colon makes up for the second key
@example([("message", '"a:b"')], [("name", '"c:d"'), ("name", '"e"')], " ")
def test_the_quick_way_reads_a_body_as_the_thorough_one(
    pairs: list[tuple[str, str]], visitor: list[tuple[str, str]] | None, space: str
) -> None:
    more = [] if visitor is None else [("visitor", written(visitor, space))]
    body = written([("message_id", '"m-1"'), ("session_id", '"s1"'), *pairs, *more], space).encode()
    try:
        expected: object = chat.parse(bodies.parse_object(body, LIMITS), "r-1")
    except Problem as problem:
        expected = problem.detail
    try:
        found: object = chat.read(body, LIMITS, "r-1")
    except Problem as problem:
        found = problem.detail
    assert found == expected


@given(EVENTS)
def test_any_salesiq_event(payload: dict[str, Any]) -> None:
    event = salesiq.parse(payload)
    assert chat.SESSION_ID.fullmatch(event.session_id)
    assert event.message_id
    message = event.message(NOW)
    for text in (message.text, message.id, *message.visitor.values()):
        text.encode()


@given(st.lists(ANY_TEXT, max_size=3))
def test_any_reply_is_a_valid_action(texts: list[str]) -> None:
    for text in texts:
        shown = salesiq_reply.render(says(text, text), SESSION, VIEW)
        assert shown["action"] == "reply"
        assert isinstance(shown["replies"], list)
        assert all(said.strip() and len(said) <= 1000 for said in shown["replies"])


@given(ANY_TEXT)
def test_any_text_stays_on_its_line(text: str) -> None:
    assert len(logs.escape(text).splitlines()) <= 1


@given(ANY_TEXT)
def test_any_request_id_becomes_a_sane_one(text: str) -> None:
    assert SANE_ID.fullmatch(request_id_of(text))


@given(ANY_TEXT)
def test_any_host_is_loopback_or_not(text: str) -> None:
    assert is_loopback(text) in {True, False}
