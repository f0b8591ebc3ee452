"""Structured logs: one line an event, JSON for machines or readable for people.

Every line carries the request id, the session id and the bot's revision. Whatever a visitor
may have written is masked, and its control characters are escaped: a text cannot start a
line of its own, nor reach a terminal's control codes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TextIO

import msgspec

from supportbot.runtime.masking import mask

Style = Literal["auto", "json", "text"]

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
SESSION_ID: ContextVar[str] = ContextVar("session_id", default="")
REVISION: ContextVar[str] = ContextVar("revision", default="")
TRACE_ID: ContextVar[str] = ContextVar("trace_id", default="")  # of the caller's W3C traceparent

_encoder = msgspec.json.Encoder()

CONTEXT = (("request_id", REQUEST_ID), ("session_id", SESSION_ID), ("revision", REVISION), ("trace_id", TRACE_ID))

# Facts with words of the bot's author or of ours, never a visitor's: masking would only garble them.
OURS = frozenset(
    {"handler", "kind", "category", "state", "next_state", "actions", "model", "urls", "method", "revision"}
)

logger = logging.getLogger("supportbot.server")

WAIT_SECONDS = 0.05
MOST_WAITING = 200


def log(level: int, event: str, **facts: Any) -> None:
    """Log an event with facts, e.g. ``log(logging.INFO, "decided", handler="callback")``. ``event`` is ours."""
    if logger.isEnabledFor(level):
        logger.handle(Line(event, level, facts))


class Line(logging.LogRecord):
    """A record of our own. Nobody asks where in the code, in which thread and task it was made: not looked up."""

    def __init__(self, event: str, level: int, facts: Mapping[str, Any]) -> None:
        self.__dict__.update(_PLAIN)
        self.msg = event
        self.levelno, self.levelname = level, logging.getLevelName(level)
        self.created = time.time()
        self.facts = facts


_PLAIN = logging.LogRecord("supportbot.server", logging.INFO, "", 0, "", None, None).__dict__


def log_failure(event: str, failure: BaseException, **facts: Any) -> None:
    """Log an unexpected exception with its traceback."""
    logger.error("%s", event, exc_info=failure, extra={"facts": facts})


class Lines(logging.StreamHandler[TextIO]):
    """Writes to a stream. In an event loop the lines of a moment go out together; warnings go out at once."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: list[str] = []
        self._writer: asyncio.AbstractEventLoop | None = None  # will write what waits

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._waiting.append(self.format(record))
        except Exception:
            self.handleError(record)
            return
        if record.levelno >= logging.WARNING or len(self._waiting) >= MOST_WAITING or not self._comes_later():
            self.flush()

    def _comes_later(self) -> bool:
        if self._writer is not None and not self._writer.is_closed():
            return True
        try:
            self._writer = asyncio.get_running_loop()
        except RuntimeError:
            return False
        self._writer.call_later(WAIT_SECONDS, self._write)
        return True

    def _write(self) -> None:
        self._writer = None
        self.flush()

    def flush(self) -> None:
        with self.lock or nullcontext():
            lines, self._waiting = self._waiting, []
            if lines:
                with suppress(OSError, ValueError):  # the reader of a pipe went away; a log must not end the server
                    self.stream.write("\n".join(lines) + "\n")
                    self.stream.flush()


def flush() -> None:
    """Write what waits."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def configure(level: str = "INFO", style: Style = "auto", stream: TextIO | None = None) -> None:
    """Send all logs to ``stream`` (stderr); "auto" is readable in a terminal and JSON elsewhere."""
    target = stream or sys.stderr
    readable = style == "text" or (style == "auto" and target.isatty())
    handler = Lines(target)
    handler.setFormatter(TextFormatter() if readable else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("supportbot").setLevel(_level(level))


def count_lines(counts: Counter[str]) -> None:
    """Count the lines of the log by level from now on."""

    def counted(record: logging.LogRecord) -> bool:
        counts[record.levelname.lower()] += 1
        return True

    for handler in logging.getLogger().handlers:
        handler.addFilter(counted)


def _level(name: str) -> int:
    known = logging.getLevelNamesMapping()
    return known.get(name.strip().upper(), logging.INFO)


def escape(text: str) -> str:
    """The text on one line: everything that is not printable becomes a backslash sequence."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def masked(value: Any) -> Any:
    """A fact that may go into a log: texts masked, numbers and booleans as they are."""
    if isinstance(value, str):
        return mask(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(item) for item in value]
    return mask(str(value))


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    facts: Mapping[str, Any] = getattr(record, "facts", {})
    return {key: value if key in OURS else masked(value) for key, value in facts.items()}


def _event(record: logging.LogRecord) -> str:
    return str(record.msg) if isinstance(record, Line) else mask(record.getMessage())


def encode_line(line: Mapping[str, Any]) -> str:
    """ASCII only, so no separator of any alphabet gets through."""
    try:
        encoded = _encoder.encode(line)
    except (TypeError, ValueError):
        encoded = b"\xff"
    return encoded.decode("ascii") if encoded.isascii() else json.dumps(line, default=str)


def _context() -> dict[str, str]:
    """Ids of the current request. They are checked or made by us, so they are not masked."""
    return {name: value for name, variable in CONTEXT if (value := variable.get())}


def moment(seconds: float) -> str:
    """Seconds of the epoch as ``2026-11-23T10:15:00.123+00:00``."""
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}+00:00"


@lru_cache(maxsize=4)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": moment(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _event(record),
            **_context(),
            **_facts(record),
        }
        if record.exc_info:
            line["traceback"] = mask(self.formatException(record.exc_info))
        return encode_line(line)


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        facts = " ".join(f"{key}={_plain(value)}" for key, value in {**_facts(record), **_context()}.items())
        line = f"{moment} {record.levelname:<7} {escape(_event(record))}" + (f"  {facts}" if facts else "")
        if record.exc_info:
            trace = mask(self.formatException(record.exc_info))
            line += "".join(f"\n    {escape(part)}" for part in trace.splitlines())
        return line


def _plain(value: Any) -> str:
    text = escape(value) if isinstance(value, str) else json.dumps(value, default=str)
    return f'"{text}"' if " " in text or not text else text
