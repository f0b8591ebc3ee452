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
_root = logging.getLogger()
_lines: Lines | None = None  # where our own lines go, once it is configured
_BARE = (int, float, bool, type(None))  # facts that can hold nothing private
_LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}

WAIT_SECONDS = 0.05
MOST_WAITING = 200


def _name(level: int) -> str:
    return _LEVELS.get(level, "other")


def log(level: int, event: str, **facts: Any) -> None:
    """Log an event with facts, e.g. ``log(logging.INFO, "decided", handler="callback")``. ``event`` is ours."""
    if logger.isEnabledFor(level):
        if _lines is not None and not logger.handlers and _root.handlers == [_lines]:
            _lines.take(level, event, facts)  # the way through the logging library costs more than the line itself
        else:
            logger.log(level, "%s", event, extra={"facts": facts})


def log_failure(event: str, failure: BaseException, **facts: Any) -> None:
    """Log an unexpected exception with its traceback."""
    logger.error("%s", event, exc_info=failure, extra={"facts": facts})


class Lines(logging.StreamHandler[TextIO]):
    """Writes to a stream. In an event loop the lines of a moment go out together; warnings go out at once."""

    def __init__(self, stream: TextIO, style: JsonStyle | TextStyle) -> None:
        super().__init__(stream)
        self.counts: Counter[str] = Counter()  # lines by level
        self._style = style
        self._waiting: list[str] = []
        self._writer: asyncio.AbstractEventLoop | None = None  # will write what waits

    def take(self, level: int, event: str, facts: Mapping[str, Any]) -> None:
        """A line of our own."""
        self._add(level, self._style.line(time.time(), level, logger.name, event, facts))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            facts: Mapping[str, Any] = getattr(record, "facts", {})
            trace = mask(logging.Formatter().formatException(record.exc_info)) if record.exc_info else ""
            event = mask(record.getMessage())
            line = self._style.line(record.created, record.levelno, record.name, event, facts, trace)
        except Exception:
            self.handleError(record)
            return
        self._add(record.levelno, line)

    def _add(self, level: int, line: str) -> None:
        self.counts[_name(level)] += 1
        self._waiting.append(line)
        if level >= logging.WARNING or len(self._waiting) >= MOST_WAITING or not self._comes_later():
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
    global _lines
    target = stream or sys.stderr
    readable = style == "text" or (style == "auto" and target.isatty())
    _lines = Lines(target, TextStyle() if readable else JsonStyle())
    _root.handlers[:] = [_lines]
    _root.setLevel(logging.WARNING)
    logging.getLogger("supportbot").setLevel(level)


def count_lines(counts: Counter[str]) -> None:
    """Count the lines of the log by level from now on."""
    if _lines is not None:
        _lines.counts = counts


def escape(text: str) -> str:
    """The text on one line: everything that is not printable becomes a backslash sequence."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def masked(value: Any) -> Any:
    """A fact that may go into a log: texts masked, numbers and booleans as they are."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, _BARE):
        return value
    if isinstance(value, Mapping):
        return {str(key): masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(item) for item in value]
    return mask(str(value))


def _add_facts(line: dict[str, Any], facts: Mapping[str, Any]) -> None:
    for key, value in facts.items():
        line[key] = value if key in OURS or type(value) in _BARE else masked(value)


def _add_context(line: dict[str, Any]) -> None:
    """Ids of the current request. They are checked or made by us, so they are not masked."""
    for name, variable in CONTEXT:
        if value := variable.get():
            line[name] = value


def encode_line(line: Mapping[str, Any]) -> str:
    """ASCII only, so no separator of any alphabet gets through."""
    try:
        encoded = _encoder.encode(line)
    except (TypeError, ValueError):
        encoded = b"\xff"
    return encoded.decode("ascii") if encoded.isascii() else json.dumps(line, default=str)


def moment(seconds: float) -> str:
    """Seconds of the epoch as ``2026-11-23T10:15:00.123+00:00``."""
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}+00:00"


@lru_cache(maxsize=4)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class JsonStyle:
    """One JSON object a line, for machines."""

    def line(self, created: float, level: int, name: str, event: str, facts: Mapping[str, Any], trace: str = "") -> str:
        line: dict[str, Any] = {"time": moment(created), "level": _name(level), "logger": name, "event": event}
        _add_context(line)
        _add_facts(line, facts)
        if trace:
            line["traceback"] = trace
        return encode_line(line)


class TextStyle:
    """For people at a terminal."""

    def line(self, created: float, level: int, name: str, event: str, facts: Mapping[str, Any], trace: str = "") -> str:
        moment = datetime.fromtimestamp(created).astimezone().strftime("%H:%M:%S")
        told: dict[str, Any] = {}
        _add_facts(told, facts)
        _add_context(told)
        pairs = "".join([f" {key}={_plain(value)}" for key, value in told.items()])
        line = f"{moment} {_name(level).upper():<7} {escape(event)}" + (f" {pairs}" if pairs else "")
        return line + "".join(f"\n    {escape(part)}" for part in trace.splitlines())


def _plain(value: Any) -> str:
    text = escape(value) if isinstance(value, str) else json.dumps(value, default=str)
    return f'"{text}"' if " " in text or not text else text
