"""Ways to say a time, made into the ones that moments.py reads: "between 2 and 4", "half past three", "15h30"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from supportbot.decision.zones import zone_named

_NUMBERS = {
    word: str(number)
    for number, word in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), start=1
    )
}
_AT_ONCE = (
    ("asap",),
    ("as", "soon", "as"),
    ("right", "away"),
    ("straight", "away"),
    ("right", "now"),
    ("immediately",),
    ("now",),
    ("anytime",),
    ("whenever",),
    ("any", "time"),
    ("when", "you", "can"),
    ("the", "sooner"),
    ("next", "available"),
    ("earliest",),
    ("soon",),
    ("next", "hour"),
    ("within", "the", "hour"),
    ("within", "an", "hour"),
)
_SURE = 5
ASKING = frozenset(("what", "why", "how", "who", "where", "which"))
_NOT_AT_ONCE = frozenset({"not", "until", "till", "after", "before", "but", "from", "except"})
_RANGE_ENDS = frozenset({"and", "to", "till", "until", "-", "or"})
_QUARTERS = {"quarter": 15, "half": 30}


def at_once(words: Sequence[str], asked: bool) -> bool:
    """Whether the first moment that is possible is wanted: "asap", but not "any time after 3".

    ``asked``: the question was when. In other messages only the plainest words count.
    """
    if any(word in _NOT_AT_ONCE or word[:1].isdecimal() for word in words) or ASKING & set(words[:1]):
        return False
    named = any(word in _DAYS for word in words)
    phrases = _AT_ONCE if asked else _AT_ONCE[:_SURE]
    return not named and any(
        tuple(words[at : at + len(phrase)]) == phrase for phrase in phrases for at in range(len(words))
    )


_DAYS = frozenset(
    [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "mon",
        "tue",
        "tues",
        "wed",
        "thu",
        "thur",
        "thurs",
        "fri",
        "sat",
        "sun",
        "tomorrow",
        "today",
        "tonight",
        "morning",
        "afternoon",
        "evening",
        "noon",
        "midday",
        "lunchtime",
        "week",
    ]
)


def dated(words: Sequence[str], today: date) -> list[str]:
    """ "the 24th" and "in 3 days" as dates: a time of day may follow them."""
    made: list[str] = []
    words = _with_year(words)
    for at, word in enumerate(words):
        number = word[:-2] if word[-2:] in ("st", "nd", "rd", "th") else ""
        near = (*words[max(0, at - 1) : at], *words[at + 1 : at + 3])
        if number.isdecimal() and 0 < int(number[:3]) <= 31 and not any(other[:3] in _MONTH_STARTS for other in near):
            made.append(_coming_day(int(number), today).isoformat())
        elif word.rstrip("s") in _LENGTHS and made[-2:-1] == ["in"] and _count(made[-1]) is not None:
            days = (_count(made.pop()) or 1) * _LENGTHS[word.rstrip("s")]
            made[-1] = (today + timedelta(days=days)).isoformat()
        else:
            made.append(word)
    exact = any(_is_date(made, at) for at in range(len(made)))
    return [word for word in made if word not in _WEEKDAYS] if exact else made


def _is_date(words: Sequence[str], at: int) -> bool:
    """Whether a date is written there: beside it a day of the week says nothing more."""
    word = words[at]
    if word[:3] in _MONTHS and word.isalpha():
        return any(near.rstrip("stndrh").isdecimal() for near in (*words[max(0, at - 2) : at], *words[at + 1 : at + 2]))
    parts = word.replace("/", "-").replace(".", "-").split("-")
    return 2 <= len(parts) <= 3 and all(map(str.isdecimal, parts)) and ("/" in word or len(parts) == 3)


def _with_year(words: Sequence[str]) -> list[str]:
    """24 Nov 2026 and November 24th 2026 -> 2026-11-24, as calendars write days."""
    for at in range(len(words) - 2):
        first, second, year = words[at : at + 3]
        for day, month in ((first, second), (second, first)):
            digits = day.rstrip("stndrh")
            if month[:3] in _MONTHS and month.isalpha() and _two_or_one(digits) and len(year) == 4 and year.isdecimal():
                number = _MONTHS.index(month[:3]) + 1
                return [*words[:at], f"{year}-{number:02}-{int(digits):02}", *words[at + 3 :]]
    return list(words)


def _two_or_one(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 2


_WEEKDAYS = frozenset(
    (
        *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        *("mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun"),
    )
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LENGTHS = {"day": 1, "week": 7}


def _count(word: str) -> int | None:
    word = {"a": "1", "an": "1"}.get(word, _NUMBERS.get(word, word))
    return int(word) if word.isascii() and word.isdecimal() and len(word) <= 2 else None


def _coming_day(number: int, today: date) -> date:
    """The next day of a month with that number."""
    day = today
    while day.day != number:
        day += timedelta(days=1)
    return day


def clock_words(words: Sequence[str], asked: bool) -> list[str]:
    """The words with every time spelled so that it can be read. ``asked``: the question was when."""
    made = [_NUMBERS.get(word, word) if asked or _after_at(words, at) else word for at, word in enumerate(words)]
    if asked and made in (["later"], ["a", "bit", "later"], ["a", "little", "later"]):
        return ["in", "2", "hours"]
    made = _quarters(made)
    made = [part for word in made for part in _one(word, asked)]
    made = _ranges(made)
    made = _thirty(made)
    return _bare_hour(made) if asked else made


def _after_at(words: Sequence[str], at: int) -> bool:
    """ "ring me at five", but not "at one of these numbers"."""
    follows = words[at + 1] if at + 1 < len(words) else ""
    return at > 0 and words[at - 1] == "at" and follows not in ("of", "point", "stage", "time")


def _one(word: str, asked: bool) -> list[str]:
    """15h30, 15h, 3ish, 2-4pm, 14:00-16:00, 1530"""
    if word.count(":") == 2 and word.replace(":", "").isdecimal():
        return [word.rpartition(":")[0]]
    first, dash, last = word.replace("–", "-").partition("-")
    if dash and _hour(first) and _hour(last):
        half = last[-2:] if last[-2:] in ("am", "pm") and first[-2:] not in ("am", "pm") else ""
        return ["at", first + half]
    hours, letter, minutes = word.partition("h")
    if letter and hours.isdecimal() and len(hours) <= 2 and (minutes in ("", "r", "rs") or _two(minutes)):
        return ["at", f"{hours}:{minutes if _two(minutes) else '00'}"]
    if word.endswith("ish") and word[:-3].isdecimal():
        return ["at", word[:-3]]
    if asked and len(word) == 4 and word.isdecimal() and word < "2400" and word[2] < "6":
        return [f"{word[:2]}:{word[2:]}"]
    return [word]


def _two(text: str) -> bool:
    return len(text) == 2 and text.isdecimal()


def _hour(word: str) -> bool:
    bare = word.removesuffix("pm").removesuffix("am")
    hours, colon, minutes = bare.partition(":")
    return hours.isdecimal() and len(hours) <= 2 and int(hours) <= 24 and (not colon or _two(minutes))


def _ranges(words: list[str]) -> list[str]:
    """between 2 and 4 pm -> at 2 pm"""
    for at, word in enumerate(words):
        rest = words[at + 1 : at + 5]
        if (
            word in ("between", "from")
            and len(rest) >= 3
            and _hour(rest[0])
            and rest[1] in _RANGE_ENDS
            and _hour(rest[2])
        ):
            half = next((half for half in ("am", "pm") if rest[2].endswith(half) or rest[3:4] == [half]), "")
            if rest[0].endswith(("am", "pm")) or int(rest[0].partition(":")[0]) > 12:
                half = ""
            skipped = 4 + (rest[3:4] in (["am"], ["pm"]))
            return [*words[:at], "at", rest[0] + half, *words[at + skipped :]]
    return words


def _quarters(words: list[str]) -> list[str]:
    """half past 3 -> 3:30, quarter to 4 -> 3:45"""
    for at, word in enumerate(words):
        rest = words[at + 1 : at + 3]
        if word in _QUARTERS and len(rest) == 2 and rest[0] in ("past", "to") and rest[1].isdecimal():
            hour = int(rest[1]) - (rest[0] == "to")
            minutes = _QUARTERS[word] if rest[0] == "past" else 60 - _QUARTERS[word]
            hour = (hour - 1) % 12 + 1 if hour < 13 else hour
            rest_of = words[at + 3 :]
            said = f"{hour + 12 if hour < 8 and rest_of[:1] != ['am'] else hour}:{minutes:02}"
            before = words[: at - 1] if words[at - 1 : at] == ["a"] else words[:at]
            return [*before, said, *(rest_of[1:] if rest_of[:1] in (["am"], ["pm"]) else rest_of)]
    return words


def _thirty(words: list[str]) -> list[str]:
    """3 thirty -> 3:30"""
    for at, word in enumerate(words[:-1]):
        minutes = {"thirty": "30", "fifteen": "15"}.get(words[at + 1])
        if minutes and word.isdecimal() and 0 < int(word) <= 12:
            hour = int(word) + (12 if int(word) < 8 else 0)
            return [*words[:at], f"{hour}:{minutes}", *words[at + 2 :]]
    return words


def _bare_hour(words: list[str]) -> list[str]:
    """ "tomorrow 3", "3", "3 please": an hour without any sign of one, when the question was when."""
    if any(
        ":" in word or "/" in word or word.endswith(("am", "pm")) or word in ("am", "pm", "at", "in") for word in words
    ):
        return words
    hours = [at for at, word in enumerate(words) if word.isdecimal() and len(word) <= 2 and 0 < int(word) <= 23]
    if len(hours) != 1 or len(words) > 6:
        return words
    at = hours[0]
    if any(
        word in _MONTH_STARTS for word in (*(w[:3] for w in words[at + 1 : at + 3]), *(w[:3] for w in words[:at][-1:]))
    ):
        return words  # 24 November
    return [*words[:at], "at", *words[at:]]


_MONTH_STARTS = frozenset(
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "hou", "min", "day", "wee"]
)


def zone_said(text: str) -> ZoneInfo | None:
    """A time zone that stands behind a time: "15:00 America/New_York", "15:00 GMT", as calendars of channels add it."""
    for word in text.replace("(", " ").replace(")", " ").split()[-3:]:
        if "/" in word and not word[:1].isdecimal():
            zone = zone_named(word.strip(",.;"))
            if zone is not None:
                return zone
        sign = word.upper().removeprefix("GMT").removeprefix("UTC")
        if sign != word.upper():
            return _offset_zone(sign)
    return None


def _offset_zone(sign: str) -> ZoneInfo | None:
    """GMT+1 -> Etc/GMT-1, whose names count the other way round; only whole hours have such names."""
    if not sign:
        return zone_named("UTC")
    hours = sign[1:].partition(":")[0].lstrip("0") or "0"
    if sign[0] not in "+-" or not hours.isdecimal() or len(hours) > 2 or sign.partition(":")[2] not in ("", "00"):
        return None
    return zone_named(f"Etc/GMT{'-' if sign[0] == '+' else '+'}{hours}") if hours != "0" else zone_named("UTC")
