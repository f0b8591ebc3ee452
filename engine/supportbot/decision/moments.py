"""Dates and times as visitors write them: "tomorrow at 3", "Monday 10:15", "in 2 hours", "asap"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            ("monday", "mon"),
            ("tuesday", "tue", "tues"),
            ("wednesday", "wed"),
            ("thursday", "thu", "thur", "thurs"),
            ("friday", "fri"),
            ("saturday", "sat"),
            ("sunday", "sun"),
        )
    )
    for name in names
}
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sep", "sept"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}
_PARTS_OF_DAY = {
    "morning": time(9),
    "noon": time(12),
    "midday": time(12),
    "lunchtime": time(12, 30),
    "afternoon": time(14),
    "evening": time(17),
    "tonight": time(18),
}
AT_ONCE = frozenset(("asap", "now", "immediately", "anytime", "whenever"))
_UNITS = {
    "minute": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "hr": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_FIRST = AT_ONCE.union(
    _WEEKDAYS, _MONTHS, _PARTS_OF_DAY, ("in", "day", "today", "tonight", "tomorrow", "tmrw", "tomorow")
)  # with what words begin a moment, if not with a digit
_FILLERS = frozenset(("at", "on", "in", "the", "around", "about", "by", "next", "this", "of", ",", "after", "before"))

_AFTER_A_TIME = _FILLERS | {
    "",
    "today",
    "tomorrow",
    "tonight",
    "please",
    "or",
    "and",
    "if",
    "then",
    "oclock",
    "o'clock",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """What was said: a day, a time of day, or both; ``words`` is how many words it took."""

    day: date | None
    clock: time | None
    words: int

    def at(self, now: datetime) -> datetime:
        """The next such moment: a time that is over today means tomorrow, a day alone its morning."""
        if self.day is None:
            chosen = datetime.combine(now.date(), self.clock or time(9), now.tzinfo)
            return chosen if chosen >= now else chosen + timedelta(days=1)
        return datetime.combine(self.day, self.clock or time(9), now.tzinfo)


def moment_at(words: list[str], start: int, now: datetime) -> Moment | None:
    """The moment that begins at a word; ``words`` are lower case, punctuation stripped."""
    first = words[start]
    if first not in _FIRST and not first[:1].isdecimal():
        return None  # as mostly: looking further would take twenty times as long
    if first in AT_ONCE:
        return Moment(now.date(), now.time().replace(second=0, microsecond=0), 1)
    offset = _offset(words, start)
    if offset is not None:
        then = now + offset[0]
        return Moment(then.date(), then.time().replace(second=0, microsecond=0), offset[1])
    day: date | None = None
    clock: time | None = None
    part = ""  # of the day
    at, end = start, start
    while at < len(words):
        found_day = _day(words, at, now.date()) if day is None else None
        found_clock = _clock(words, at) if clock is None else None
        if found_day is not None:
            part = part or ("tonight" if words[at] == "tonight" else "")
            day, length = found_day
        elif not part and words[at] in _PARTS_OF_DAY and words[at - 1 : at] != ["good"]:
            part, length = words[at], 1
        elif found_clock is not None:
            clock, length = found_clock
        elif at > start and words[at] in _FILLERS:
            at += 1
            continue
        else:
            break
        at += length
        end = at
    if day is None and clock is None and not part:
        return None
    return Moment(day, _within(part, clock), end - start)


def _within(part: str, clock: time | None) -> time | None:
    """The time that was said, read in the part of the day that was said."""
    if clock is None:
        return _PARTS_OF_DAY.get(part)
    late = part in ("afternoon", "evening", "tonight") and clock.hour < 12
    early = part == "morning" and clock.hour > 12  # "3 in the morning", which alone is in the afternoon
    return clock.replace(hour=(clock.hour + 12) % 24) if late or early else clock


def _offset(words: list[str], start: int) -> tuple[timedelta, int] | None:
    """in 2 hours"""
    if words[start] != "in" or start + 2 >= len(words):
        return None
    if words[start + 1 : start + 4] in (["half", "an", "hour"], ["half", "a", "day"]):
        return _UNITS[words[start + 3]] / 2, 4
    amount = {"a": "1", "an": "1", "half": "0.5", "two": "2", "three": "3"}.get(words[start + 1], words[start + 1])
    unit = _UNITS.get(words[start + 2].rstrip("s"))
    if unit is None or not amount.replace(".", "", 1).isdecimal() or len(amount) > 4:
        return None
    return float(amount) * unit, 3


def _day(words: list[str], at: int, today: date) -> tuple[date, int] | None:
    word = words[at]
    if word in ("today", "tonight"):
        return today, 1
    if word in ("tomorrow", "tmrw", "tomorow"):
        return today + timedelta(days=1), 1
    if words[at : at + 3] == ["day", "after", "tomorrow"]:
        return today + timedelta(days=2), 3
    if word in _WEEKDAYS:
        return today + timedelta(days=(_WEEKDAYS[word] - today.weekday()) % 7 or 7), 1
    return _written_date(word, today) or _named_month(words, at, today)


def _written_date(word: str, today: date) -> tuple[date, int] | None:
    """2026-11-24, 24/11, 24/11/2026, 24.11.2026: the day comes first unless it cannot."""
    if word == "24/7":
        return None
    for separator in "-/.":
        parts = word.split(separator)
        if len(parts) in (2, 3) and all(part.isdecimal() and len(part) <= 4 for part in parts):
            numbers = [int(part) for part in parts]
            if separator == "-" and len(parts) == 2:
                return None
            if separator == "." and len(parts) == 2:
                return None  # more often a version or an amount
            if len(parts) == 3 and len(parts[0]) == 4:
                chosen = _date(*numbers)
            elif len(parts) == 3 and len(parts[2]) not in (2, 4):
                return None  # 1.2.3 is a version
            else:
                day, month = numbers[0], numbers[1]
                if month > 12 >= day:
                    day, month = month, day
                chosen = _date(_century(numbers[2]), month, day) if len(parts) == 3 else _coming(today, month, day)
            return (chosen, 1) if chosen else None
    return None


def _century(year: int) -> int:
    return year + 2000 if year < 100 else year


def _named_month(words: list[str], at: int, today: date) -> tuple[date, int] | None:
    """24 November, 24th of November, November 24"""
    rest = [word for word in words[at : at + 3] if word != "of"]
    if len(rest) < 2 or words[at] == "of":
        return None
    taken = 2 + (words[at + 1 : at + 2] == ["of"])
    for month_word, day_word in ((rest[1], rest[0]), (rest[0], rest[1])):
        number = day_word.rstrip("stndrh")
        if month_word in _MONTHS and number.isdecimal() and len(number) <= 2:
            chosen = _coming(today, _MONTHS[month_word], int(number))
            return (chosen, taken) if chosen else None
    return None


def _coming(today: date, month: int, day: int) -> date | None:
    """The next such day: a date without a year is never over."""
    chosen = _date(today.year, month, day)
    return _date(today.year + 1, month, day) if chosen is None or chosen < today else chosen


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _clock(words: list[str], at: int) -> tuple[time, int] | None:
    word = words[at]
    half = next((half for half in ("am", "pm") if word.replace(".", "").endswith(half)), None)
    digits = word.replace("p.m", "pm").replace("a.m", "am").removesuffix(half).rstrip(".") if half else word
    if half:
        digits = digits.replace(".", ":")  # 3.30pm
    taken = 1
    if half is None and at + 1 < len(words) and words[at + 1].replace(".", "") in ("am", "pm"):
        half, taken = words[at + 1].replace(".", ""), 2
    hours, colon, minutes = digits.partition(":")
    if not hours.isdecimal() or len(hours) > 2 or (colon and not (minutes.isdecimal() and len(minutes) == 2)):
        return None
    said_at = _said_to_be_a_time(words, at)
    oclock = at + 1 < len(words) and words[at + 1] in ("oclock", "o'clock")
    if not (colon or half or said_at or oclock):
        return None
    hour, minute = int(hours), int(minutes or 0)
    if half == "pm" and hour < 12:
        hour += 12
    elif half == "am" and hour == 12:
        hour = 0
    elif half is None and not colon and hour < 8:
        hour += 12  # "at 3" is in the afternoon for anybody who wants a call
    if hour > 23 or minute > 59:
        return None
    return time(hour, minute), taken + (1 if oclock else 0)


def _said_to_be_a_time(words: list[str], at: int) -> bool:
    """ "at 3", and "around 3" unless it goes on with what there are three of."""
    before, after = words[at - 1 : at], words[at + 1 : at + 2]
    if before == ["at"]:
        return True
    if before not in (["around"], ["about"], ["after"], ["by"], ["before"]):
        return False
    return not after or after[0] in _AFTER_A_TIME or after[0] in _WEEKDAYS
