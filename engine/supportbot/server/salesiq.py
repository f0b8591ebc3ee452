"""The codec of the Zoho SalesIQ webhook bot: tolerant of what it reads, strict in what it answers.

Any key may be absent or of another type than documented. The answer is always a valid
action, because SalesIQ hands the chat over, or drops it, when it does not like the answer.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from supportbot.model.decision import Reply
from supportbot.model.session import Message
from supportbot.server.bodies import clean
from supportbot.server.chat import RESERVED, VISITOR_CHARS
from supportbot.server.options import Texts

Kind = Literal["greet", "message", "wordless", "failure"]

SESSION_KEYS = ("active_conversation_id", "uuid", "visitid")
SAFE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)
PLACEHOLDER_NAME = re.compile(r"(?i)visitor[ #_-]*[0-9]*")
REQUEST_ID_CHARS = 128


@dataclass(frozen=True, slots=True)
class Event:
    """One call of SalesIQ. ``known``: it names a conversation, so there is one to go on with."""

    kind: Kind
    session_id: str
    known: bool
    text: str
    message_id: str
    visitor: Mapping[str, str]

    def message(self, now: datetime) -> Message:
        return Message(self.message_id, self.session_id, self.text, "salesiq", now, self.visitor)


def parse(payload: Mapping[str, Any]) -> Event:
    """Read any JSON object. Never raises."""
    visitor = _mapping(payload.get("visitor"))
    key = _first(visitor, SESSION_KEYS)
    text = _text(payload, visitor).strip()
    return Event(
        kind=_kind(payload, text),
        session_id=session_id(key or secrets.token_hex(16)),
        known=bool(key),
        text=text,
        message_id=_scalar(_mapping(payload.get("request")).get("id"))[:REQUEST_ID_CHARS] or secrets.token_hex(16),
        visitor=_visitor(visitor),
    )


def session_id(key: str) -> str:
    """Our id of a SalesIQ conversation: its own id when that is safe in a path, else a digest of it."""
    safe = key if SAFE_KEY.fullmatch(key) else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:60]
    return RESERVED + safe


def render(reply: Reply, texts: Texts) -> dict[str, object]:
    """An action that SalesIQ understands, with at least one text.

    Suggestions go with the last text only: while they show, a visitor cannot type, so those
    of an earlier text must not cover a later question.
    """
    parts = [part for part in reply.texts if part.text.strip()]
    said = [part.text for part in parts]
    if reply.handoff:
        department = {"department": reply.handoff.department} if reply.handoff.department else {}
        return {"action": "forward", "replies": said or [texts.connecting], **department}
    if reply.closed:
        return {"action": "end", "replies": said or [texts.goodbye]}
    suggestions = list(parts[-1].suggestions) if parts else []
    shown: dict[str, object] = {"action": "reply", "replies": said or [texts.hello]}
    return shown | ({"suggestions": suggestions} if suggestions else {})


def plain(text: str) -> dict[str, object]:
    """A reply that needs no turn."""
    return {"action": "reply", "replies": [text]}


def _kind(payload: Mapping[str, Any], text: str) -> Kind:
    handler = payload.get("handler")
    if handler == "failure":
        return "failure"
    if text:
        return "message"
    if handler == "message" and (payload.get("operation") != "chat" or payload.get("attachments")):
        return "wordless"
    return "greet"


def _text(payload: Mapping[str, Any], visitor: Mapping[str, Any]) -> str:
    """The visitor's words: ``message.text``, a plain ``message``, or the question the chat was opened with."""
    message = payload.get("message")
    spoken = message if isinstance(message, str) else _mapping(message).get("text")
    if isinstance(spoken, str) and spoken.strip():
        return clean(spoken)
    opening = payload.get("handler") == "trigger" or payload.get("operation") == "chat"
    question = visitor.get("question")
    return clean(question) if opening and isinstance(question, str) else ""


def _visitor(visitor: Mapping[str, Any]) -> dict[str, str]:
    found = {key: _scalar(visitor.get(key)) for key in ("name", "email", "phone", "language")}
    if PLACEHOLDER_NAME.fullmatch(found["name"]):
        found["name"] = ""
    return {key: value for key, value in found.items() if value}


def _first(data: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((value for key in keys if (value := _scalar(data.get(key)))), "")


def _scalar(value: object) -> str:
    """A text or a whole number as text; anything else counts as absent."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return clean(str(value)).strip()[:VISITOR_CHARS]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
