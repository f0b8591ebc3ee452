"""The codec of /chat: JSON of the page and of other programs to messages, turns to JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from supportbot.decision.conclude import GREETING
from supportbot.model.decision import CallModel, Outcome
from supportbot.model.session import Message
from supportbot.runtime.attempt import GUESSED
from supportbot.runtime.ids import new_id
from supportbot.runtime.results import TurnResult
from supportbot.server.bodies import clean, kind_of, parse_object
from supportbot.server.options import ServerLimits
from supportbot.server.problems import Problem, encode
from supportbot.server.service import called_actions

SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
RESERVED = "siq_"  # sessions of the SalesIQ channel: a web page must not walk into one
VISITOR_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
VISITOR_KEYS = 16
VISITOR_CHARS = 320
MESSAGE_ID_CHARS = 128
UNGUESSABLE = 32  # characters of a message id: as long as 128 random bits in hexadecimal, or a UUID


class ChatRequest(Struct, frozen=True, gc=False):
    """``text`` empty: the conversation begins without a question."""

    session_id: str
    text: str
    message_id: str
    visitor: Mapping[str, str]

    def message(self, now: datetime) -> Message:
        return Message(self.message_id, self.session_id, self.text, "chat", now, self.visitor)


class _Usual(Struct, forbid_unknown_fields=True, gc=False):
    """What nearly all bodies hold: texts under known keys."""

    message: str
    session_id: str | None = None
    message_id: str | None = None
    visitor: dict[str, str | None] | None = None


_decode_usual = msgspec.json.Decoder(_Usual).decode


def read(body: bytes, limits: ServerLimits, request_id: str = "") -> ChatRequest:
    """Read a request's body. Raises Problem 400."""
    usual = _usual(body)
    if usual is None:
        return parse(parse_object(body, limits), request_id)
    return _checked(usual.message, usual.session_id, usual.message_id, usual.visitor, request_id)


def parse(data: Mapping[str, Any], request_id: str = "") -> ChatRequest:
    """Read a request's JSON object. Raises Problem 400."""
    if "message" not in data:
        raise Problem(400, 'The key "message" is missing. Send "" to begin a conversation.')
    return _checked(data["message"], data.get("session_id"), data.get("message_id"), data.get("visitor"), request_id)


def _usual(body: bytes) -> _Usual | None:
    """The body, when it is surely JSON in which nothing is unknown and no key is there twice.

    Much quicker than ``parse_object``, which takes all the others and says what is wrong with them.
    """
    try:
        found = _decode_usual(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    keys = 1 + (found.session_id is not None) + (found.message_id is not None)
    if found.visitor is not None:
        keys += 1 + len(found.visitor)
    colons = body.count(b":")  # each key has one, also a key that is there twice; the others are in texts
    if colons == keys or (colons == keys + _colons(found) and b"\\u003" not in body):  # none is written as an escape
        return found
    return None


def _colons(found: _Usual) -> int:
    """Colons in the texts that may have some."""
    colons = found.message.count(":")
    if found.visitor is not None:
        colons += sum(value.count(":") for value in found.visitor.values() if value is not None)
    return colons


def _checked(said: object, session: object, message: object, visitor: object, request_id: str) -> ChatRequest:
    text = clean(_string(said, "message")).strip()
    message_id = _message_id(message)
    session_id = _session_id(session) or _first_session(message_id, text)
    return ChatRequest(
        session_id,
        text,
        message_id or guessed_id(session_id, text, request_id),
        {} if visitor is None else _visitor(visitor),
    )


def guessed_id(session_id: str, text: str, request_id: str) -> str:
    """The id of a message whose sender gave none: a request that is sent again says the same under the same id."""
    said = "\0".join((session_id, request_id, text)).encode("utf-8", "replace")
    return GUESSED + blake2b(said, digest_size=16).hexdigest()


class _Reply(Struct, omit_defaults=True, gc=False):
    text: str
    suggestions: tuple[str, ...] = ()


class _Model(Struct, omit_defaults=True, gc=False):
    """``used``: a model's answer is in the reply. ``tokens``: spent on this turn, also in vain."""

    used: bool
    model: str = ""
    tokens: int = 0


class _Body(Struct, gc=False):
    """The JSON object that answers a message, in the order of its keys."""

    session_id: str
    replies: list[_Reply]
    state: str
    category: str
    handler: str
    llm: _Model
    actions: list[str]
    revision: str
    request_id: str


_UNASKED = _Model(False)


def render(result: TurnResult, request_id: str) -> bytes:
    """The body that answers a message."""
    session, decision, outcomes = result.session, result.decision, result.outcomes
    return encode(
        _Body(
            session.id,
            [_Reply(part.text, part.suggestions) for part in result.reply.texts],
            session.state,
            session.category if decision is None else decision.category,
            GREETING if decision is None else decision.handler,
            _model(outcomes) if outcomes else _UNASKED,
            called_actions(outcomes) if outcomes else [],
            result.revision,
            request_id,
        )
    )


def check_session_id(value: str) -> str:
    """The id itself. Raises Problem 400 when it is not one."""
    if not SESSION_ID.fullmatch(value):
        raise Problem(400, 'A "session_id" has 1 to 64 letters, digits, "_" or "-".')
    return value


def _first_session(message_id: str, text: str) -> str:
    """The session that begins with a message. Its sender may repeat it, knowing no session yet: an id that nobody
    else can guess leads to the same session again."""
    if len(message_id) < UNGUESSABLE:
        return new_id()
    said = "\0".join((message_id, text)).encode("utf-8", "replace")
    return blake2b(said, digest_size=16, person=b"session").hexdigest()


def _session_id(value: object) -> str:
    if value is None:
        return ""
    text = check_session_id(_string(value, "session_id"))
    if text.startswith(RESERVED):
        raise Problem(400, f'A "session_id" that begins with "{RESERVED}" belongs to another channel.')
    return text


def _message_id(value: object) -> str:
    if value is None:
        return ""
    text = _string(value, "message_id")
    if not 1 <= len(text) <= MESSAGE_ID_CHARS or not text.isprintable():
        raise Problem(400, f'A "message_id" has 1 to {MESSAGE_ID_CHARS} printable characters.')
    return text


def _visitor(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise Problem(400, f'"visitor" is {kind_of(value)}; an object such as {{"name": "Ada"}} is expected.')
    if len(value) > VISITOR_KEYS:
        raise Problem(400, f'"visitor" has more than {VISITOR_KEYS} keys.')
    return {_visitor_key(key): _visitor_text(key, item) for key, item in value.items() if item is not None}


def _visitor_key(key: str) -> str:
    if not VISITOR_KEY.fullmatch(key):
        raise Problem(400, 'A key of "visitor" has small letters, digits and "_", e.g. "email".')
    return key


def _visitor_text(key: str, value: object) -> str:
    text = clean(_string(value, f"visitor.{key}")).strip()
    if len(text) > VISITOR_CHARS:
        raise Problem(400, f'"visitor.{key}" is longer than {VISITOR_CHARS} characters.')
    return text


def _string(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise Problem(400, f'"{name}" is {kind_of(value)}; a string is expected.')
    return value


def _model(outcomes: tuple[Outcome, ...]) -> _Model:
    calls = [outcome for outcome in outcomes if isinstance(outcome.effect, CallModel)]
    return _Model(
        any(call.ok for call in calls),
        next((call.model for call in calls if call.model), ""),
        sum(call.tokens_in + call.tokens_out for call in calls),
    )
