"""Durations, times of day and dates as people write them."""

from __future__ import annotations

import re
from datetime import date, time

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
MAX_SECONDS = 366 * 86400.0

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) ?(s|m|h|d)", re.ASCII)
_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def seconds(text: str) -> float | None:
    """``30m`` -> 1800.0; None when it is no duration, or zero, or longer than a year."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return None
    length = float(found[1]) * SECONDS[found[2]]
    return length if 0 < length <= MAX_SECONDS else None


def span(text: str) -> tuple[time, time] | None:
    """``09:00-17:30`` -> both times; the end may be 24:00. None when it is none or ends before it begins."""
    first, dash, last = text.partition("-")
    begin, end = _time(first), _time(last)
    if not dash or begin is None or end is None or begin >= end:
        return None
    return begin, end


def day(text: str) -> date | None:
    """``2026-12-25``; None when there is no such day."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _time(text: str) -> time | None:
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    hour, minute = int(found[1]), int(found[2])
    if hour == 24:
        return time.max if minute == 0 else None
    return time(hour, minute)
