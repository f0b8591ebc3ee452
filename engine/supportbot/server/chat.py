"""The codec of /chat: JSON of the page and of other programs to messages, turns to JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from supportbot.decision.conclude import GREETING
from supportbot.model.decision import CallModel, Outcome, Suggested
from supportbot.model.session import Message
from supportbot.runtime.attempt import GUESSED
from supportbot.runtime.ids import new_id
from supportbot.runtime.results import TurnResult
from supportbot.server.bodies import clean, kind_of
from supportbot.server.problems import Problem
from supportbot.server.service import called_actions

SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
RESERVED = "siq_"  # sessions of the SalesIQ channel: a web page must not walk into one
VISITOR_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
VISITOR_KEYS = 16
VISITOR_CHARS = 320
MESSAGE_ID_CHARS = 128
UNGUESSABLE = 32  # characters of a message id: as long as 128 random bits in hexadecimal, or a UUID


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """``text`` empty: the conversation begins without a question."""

    session_id: str
    text: str
    message_id: str
    visitor: Mapping[str, str]

    def message(self, now: datetime) -> Message:
        return Message(self.message_id, self.session_id, self.text, "chat", now, self.visitor)


def parse(data: Mapping[str, Any], request_id: str = "") -> ChatRequest:
    """Read a request's JSON object. Raises Problem 400."""
    if "message" not in data:
        raise Problem(400, 'The key "message" is missing. Send "" to begin a conversation.')
    text = clean(_string(data["message"], "message")).strip()
    message_id = _message_id(data.get("message_id"))
    session_id = _session_id(data.get("session_id")) or _first_session(message_id, text)
    return ChatRequest(
        session_id=session_id,
        text=text,
        message_id=message_id or guessed_id(session_id, text, request_id),
        visitor=_visitor(data.get("visitor")),
    )


def guessed_id(session_id: str, text: str, request_id: str) -> str:
    """The id of a message whose sender gave none: a request that is sent again says the same under the same id."""
    said = "\0".join((session_id, request_id, text)).encode("utf-8", "replace")
    return GUESSED + blake2b(said, digest_size=16).hexdigest()


def render(result: TurnResult, request_id: str) -> dict[str, object]:
    return {
        "session_id": result.session.id,
        "replies": [_reply(part) for part in result.reply.texts],
        "state": result.session.state,
        "category": result.decision.category if result.decision else result.session.category,
        "handler": result.decision.handler if result.decision else GREETING,
        "llm": _llm(result.outcomes),
        "actions": called_actions(result),
        "revision": result.revision,
        "request_id": request_id,
    }


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
    if value is None:
        return {}
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


def _reply(part: Suggested) -> dict[str, object]:
    return {"text": part.text, "suggestions": list(part.suggestions)} if part.suggestions else {"text": part.text}


def _llm(outcomes: tuple[Outcome, ...]) -> dict[str, object]:
    """``used``: a model's answer is in the reply. ``tokens``: spent on this turn, also in vain."""
    calls = [outcome for outcome in outcomes if isinstance(outcome.effect, CallModel)]
    shown: dict[str, object] = {"used": any(call.ok for call in calls)}
    if model := next((call.model for call in calls if call.model), ""):
        shown["model"] = model
    if tokens := sum(call.tokens_in + call.tokens_out for call in calls):
        shown["tokens"] = tokens
    return shown
