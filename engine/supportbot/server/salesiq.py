"""What SalesIQ sends to a webhook bot, read tolerantly: any key may be absent or of another type than documented."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal
from zoneinfo import available_timezones

from supportbot.model.session import Message
from supportbot.runtime.ids import new_id
from supportbot.server.bodies import clean, deeper_than
from supportbot.server.chat import RESERVED, VISITOR_CHARS, guessed_id
from supportbot.server.options import ServerLimits

Kind = Literal["greet", "message", "wordless", "answers", "handover_failed", "too_long", "failure"]

SESSION_KEYS = ("active_conversation_id", "uuid", "visitid", "visitor_id", "id")
PREVIEW = "botpreview_"  # conversations of the console's preview: nothing can be called or handed over for them
SAFE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)
PLACEHOLDER_NAME = re.compile(r"(?i)(?:website )?visitor[ #_-]*[0-9]*")
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
REQUEST_ID_CHARS = 128
PLATFORMS = ("whatsapp", "facebook", "instagram", "telegram", "line", "wechat")
FORWARD_CODES = frozenset({"1001", "1002", "1003"})  # nobody there, nobody free, no such operator
TOO_LONG = "1005"
ANSWERS, ANSWER_CHARS = 40, 2000
FAILED_TEXTS = 20


@dataclass(frozen=True, slots=True)
class Event:
    """One call of SalesIQ. ``known``: it names a conversation, so there is one to go on with.

    ``request_id``: the key under which a late answer can be delivered; empty when it cannot.
    ``platform``: the messenger behind the channel, empty for a page. ``failed``: the texts of an answer that failed.
    """

    kind: Kind
    session_id: str
    known: bool
    text: str
    message_id: str
    visitor: Mapping[str, str]
    request_id: str = ""
    preview: bool = False
    platform: str = ""
    context_id: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)
    failed: tuple[str, ...] = ()

    def message(self, now: datetime) -> Message:
        return Message(self.message_id, self.session_id, self.text, "salesiq", now, self.visitor, self.answers)


def read_object(body: bytes, limits: ServerLimits) -> Mapping[str, Any]:
    """The JSON object in a body; an empty one for anything else. Never raises."""
    text = body.decode("utf-8-sig", "replace")
    if deeper_than(text, limits.body_depth):
        return {}
    try:
        value = json.loads(text, parse_int=str)  # ids may have more digits than a number of ours
    except (ValueError, RecursionError):
        return {}
    return _mapping(value)


def parse(payload: Mapping[str, Any], http_request_id: str = "") -> Event:
    """Read any JSON object. Never raises."""
    inner = _mapping(payload.get("entity"))
    if "handler" not in payload and "handler" in inner:  # wrapped, as the other webhooks of SalesIQ are
        payload = inner
    visitor = _mapping(payload.get("visitor"))
    key = _first(visitor, SESSION_KEYS)
    answers = _answers(payload)
    text = _text(payload, visitor).strip() or "; ".join(answers.values())
    request_id = _scalar(_mapping(payload.get("request")).get("id"))
    preview = key.startswith(PREVIEW)
    own_id = session_id(key or new_id())
    return Event(
        kind=_kind(payload, text),
        session_id=own_id,
        known=bool(key),
        text=text,
        message_id=request_id[:REQUEST_ID_CHARS] or guessed_id(own_id, text, http_request_id),
        visitor=_visitor(visitor),
        request_id=request_id if key and not preview and REQUEST_ID.fullmatch(request_id) else "",
        preview=preview,
        platform=_platform(visitor),
        context_id=_scalar(payload.get("context_id")),
        answers=answers,
        failed=_failed_texts(_mapping(payload.get("failed_response"))),
    )


def session_id(key: str) -> str:
    """Our id of a SalesIQ conversation: its own id when that is safe in a path, else a digest of it."""
    safe = key if SAFE_KEY.fullmatch(key) else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:60]
    return RESERVED + safe


def _kind(payload: Mapping[str, Any], text: str) -> Kind:
    handler = payload.get("handler")
    if handler == "failure":
        return _failure(payload)
    if handler == "context" and text:
        return "answers"
    if text:
        return "message"
    if handler == "message" and (payload.get("operation") != "chat" or payload.get("attachments")):
        return "wordless"
    return "greet"


def _failure(payload: Mapping[str, Any]) -> Kind:
    """Which of our answers failed. A hand-over fails in more ways than are documented, so its own action decides."""
    given = payload.get("cause")
    cause = _mapping(given)
    code = _scalar(cause.get("code")) or _scalar(given)
    action = _mapping(payload.get("failed_response")).get("action")
    if action == "forward" or code in FORWARD_CODES:
        return "handover_failed"
    return "too_long" if code == TOO_LONG else "failure"


def _failed_texts(response: Mapping[str, Any]) -> tuple[str, ...]:
    replies = response.get("replies")
    items = replies if isinstance(replies, list) else [replies]
    texts = (item if isinstance(item, str) else _mapping(item).get("text") for item in items[:FAILED_TEXTS])
    return tuple(clean(text) for text in texts if isinstance(text, str) and text.strip())


def _text(payload: Mapping[str, Any], visitor: Mapping[str, Any]) -> str:
    """The visitor's words: ``message.text``, a plain ``message``, or the question the chat was opened with."""
    message = payload.get("message")
    spoken = message if isinstance(message, str) else _mapping(message).get("text")
    if isinstance(spoken, str) and spoken.strip():
        return clean(spoken)
    opening = payload.get("handler") == "trigger" or payload.get("operation") == "chat"
    question = visitor.get("question")
    return clean(question) if opening and isinstance(question, str) else ""


def _answers(payload: Mapping[str, Any]) -> dict[str, str]:
    """Of a ``context`` call: question -> answer; each is a text, or an object with one."""
    if payload.get("handler") != "context":
        return {}
    return dict(_answer_items(_mapping(payload.get("answers"))))


def _answer_items(answers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, answer in list(answers.items())[:ANSWERS]:
        text = _mapping(answer).get("text", answer)
        if isinstance(text, str) and text.strip():
            yield clean(name)[:80], clean(text).strip()[:ANSWER_CHARS]


def _visitor(visitor: Mapping[str, Any]) -> dict[str, str]:
    found = {key: _scalar(visitor.get(key)) for key in ("name", "email", "phone", "language")}
    if PLACEHOLDER_NAME.fullmatch(found["name"]):
        found["name"] = ""
    zone, country = _scalar(visitor.get("time_zone")), _scalar(visitor.get("country")).upper()
    found["time_zone"] = zone if zone in _zones() else ""
    found["country"] = country if len(country) == 2 and country.isascii() and country.isalpha() else ""
    return {key: value for key, value in found.items() if value}


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _platform(visitor: Mapping[str, Any]) -> str:
    channel = _scalar(visitor.get("channel")).casefold()
    return next((name for name in PLATFORMS if name in channel), "")


def _first(data: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((value for key in keys if (value := _scalar(data.get(key)))), "")


def _scalar(value: object) -> str:
    """A text or a whole number as text; anything else counts as absent."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return clean(str(value)).strip()[:VISITOR_CHARS]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
