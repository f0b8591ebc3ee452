"""Answers of services read: JSON pointers, conditions, what an error means, what is saved."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from supportbot.decision.render import render
from supportbot.model.bot import Action, Find
from supportbot.model.connections import Check, Connection, ErrorKind, OAuth
from supportbot.model.session import SlotValue
from supportbot.runtime.calls import Found

MAX_SAVED = 1_000  # characters
UNREADABLE = object()  # the document of an answer that is no JSON


@dataclass(frozen=True, slots=True)
class Answer:
    """``document``: the parsed body, None when there is none, UNREADABLE when it is no JSON."""

    status: int
    document: Any
    retry_after: float | None = None


def read_answer(status: int, content: bytes, headers: Mapping[str, str]) -> Answer:
    document: Any = None
    if content.strip():
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            document = UNREADABLE
    return Answer(status, document, retry_after(headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header, which is a number or a date; None when there is none that makes sense."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), 86_400.0)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max((aware - datetime.now(UTC)).total_seconds(), 0.0), 86_400.0)


def judge(connection: Connection, action: Action, answer: Answer) -> ErrorKind | None:
    """What is wrong with an answer; None for a success."""
    for rule in connection.errors:
        if holds(rule.check, answer):
            return rule.kind
    ok = connection.ok if connection.ok.status else Check(((200, 299),), *_rest(connection.ok))
    if not holds(ok, answer):
        return _by_status(connection, answer.status)
    if answer.document is UNREADABLE and (action.save or action.find):
        return "unknown"
    return None if holds(action.ok, answer) or action.find else "unknown"


def holds(check: Check, answer: Answer) -> bool:
    if check.status and not any(first <= answer.status <= last for first, last in check.status):
        return False
    document = None if answer.document is UNREADABLE else answer.document
    return (
        all(_plain(at(document, pointer)) in values for pointer, values in check.equals)
        and all(at(document, pointer) is not None for pointer in check.exists)
        and all(at(document, pointer) is None for pointer in check.absent)
    )


def saved(action: Action, answer: Answer, scope: Mapping[str, Any]) -> tuple[dict[str, SlotValue], Found]:
    """The slots from an answer, and whether ``find`` (if any) found its item. Slots without a value become empty."""
    item = None if answer.document is UNREADABLE else answer.document
    found: Found = "yes"
    if action.find is not None:
        rows = at(item, action.find.pointer)
        item = _first(action.find, rows, scope)
        if item is None:
            cut = action.find.full and isinstance(rows, list) and len(rows) >= action.find.full
            found = "perhaps" if cut else "no"
    return {slot: _scalar(at(item, pointer)) for slot, pointer in action.save}, found


def at(document: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) finds, or None."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(key)
        elif isinstance(document, list) and key.isascii() and key.isdigit() and int(key) < len(document):
            document = document[int(key)]
        else:
            return None
    return document


def _rest(check: Check) -> tuple[Any, ...]:
    return check.equals, check.exists, check.absent


def _by_status(connection: Connection, status: int) -> ErrorKind:
    if status == 401:
        return "expired" if isinstance(connection.auth, OAuth) else "auth"
    if status == 403:
        return "auth"
    if status == 429:
        return "busy"
    if status in (408, 425) or status >= 500:
        return "unknown"
    # A success that the connection's own conditions do not take for one: the service understood and says no.
    return "rejected"


def _first(find: Find, rows: Any, scope: Mapping[str, Any]) -> Any:
    wanted = [(where, render(where.value, scope).strip().casefold()) for where in find.where]
    if not isinstance(rows, list) or not all(text for _, text in wanted):
        return None  # an empty condition would fit strangers
    for row in rows:
        texts = [(_plain(at(row, where.pointer)).strip().casefold(), text, where.ends) for where, text in wanted]
        if all(has.endswith(text) if ends else has == text for has, text, ends in texts):
            return row
    return None


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float)) else ""


def _scalar(value: Any) -> SlotValue:
    """A value that fits a slot; whatever does not is saved as empty text, because the call itself succeeded."""
    if isinstance(value, str):
        return value[:MAX_SAVED].encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    return value if isinstance(value, (bool, int, float)) else ""
