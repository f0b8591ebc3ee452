"""What a wish for a time rules out, leaves open or gets wrong: "not on monday", "tuesday or wednesday", "25:00"."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from datetime import date, timedelta

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL = frozenset(
    (
        *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        *("mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun"),
    )
)
_DAYS = _FULL | {"today", "tomorrow", "tonight"}
_PARTS = frozenset(("morning", "afternoon", "evening"))
_NEGATIONS = frozenset(("not", "except", "excluding", "cannot", "can't", "cant", "don't", "dont", "doesn't", "won't"))
_EARLIEST = frozenset(("before", "until", "till", "earlier"))  # "not before 3" names a time
_SUITS = frozenset(("work", "works", "suit", "suits", "possible", "good", "ok", "okay", "do", "fit", "available"))
_TURNS = frozenset(("but", "rather", "instead", "though"))
_MOST = 60  # words that are looked at for what is ruled out; who says more tells a story
_NEAR = 3  # words between a "not" and the day it rules out
_JOINING = frozenset(("or", "and", "to", "through", "till", "until", "-"))
_MONTHS = dict(
    zip(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
        (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31),
        strict=True,
    )
)
_OPEN = frozenset(("anytime", "whenever", "asap"))
_EDGES = ".,;:!?\"'()[]{}<>*"
_CLOCK = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?(?:am|pm)?")


def plain_words(text: str, today: date) -> list[str] | None:
    """The words of a wish, with past days and "next week" as dates, and without what it rules out.

    None where several days are left, or none, or a clock shows what no clock shows: that is asked again.
    """
    text = text.replace("\u2019", "'")
    chunks = [chunk.lower() for chunk in text.split()]
    rest = _without_refused(chunks[:_MOST])
    if rest is None:
        return None
    words = _not_before([word.strip(_EDGES) for word in (*rest, *chunks[_MOST:])])
    if _alternatives(words) or _no_such_clock(words) or _no_such_day(words) or "ago" in words[2:3] + words[1:2]:
        return None
    words = _past_days(words, today)
    words = _this_part(words, today)
    if any(word in _DAYS | _PARTS for word in words):
        words = [word for word in words if word not in _OPEN and word != "any"]
    return _of_next_week(words, today)


def names_a_day(words: Sequence[str]) -> bool:
    """Whether a day is spoken of, if only to rule it out: somebody who says when is understood in part."""
    return any(word in _DAYS or word in ("week", "weekend") for word in words)


def _without_refused(chunks: list[str]) -> list[str] | None:
    words = [chunk.strip(_EDGES) for chunk in chunks]
    for at, word in enumerate(words):
        follows = words[at + 1 : at + 2]
        no_time = word == "no" and follows == ["time"]
        except_that = word == "but" and words[at - 1 : at] in (["day"], ["any"], ["anytime"]) and follows != ["not"]
        if (
            not (word in _NEGATIONS or no_time or except_that)
            or words[at - 1 : at] == ["why"]
            or _EARLIEST & set(follows)
        ):
            continue
        start, end = _clause(chunks, words, at)
        behind, before = words[at + 1 : min(end, at + 2 + _NEAR)], words[start:at]
        if not any(map(_names_time, behind)):
            if not (any(map(_names_time, before)) and _SUITS & set(behind)):
                continue
        else:
            start = at
        refused, rest = words[start:end], [*chunks[:start], *chunks[end:]]
        left = [word.strip(_EDGES) for word in rest]
        after = next((place for place in range(len(left)) if left[place : place + 2] == ["day", "after"]), None)
        if after is not None and left[after + 2 : after + 3] != ["tomorrow"]:
            if "tomorrow" not in refused:
                return None
            rest.insert(after + 2, "tomorrow")
        return _without_refused(rest) if any(map(_names_time, left)) or after is not None else None
    return chunks


def _clause(chunks: Sequence[str], words: Sequence[str], at: int) -> tuple[int, int]:
    start, end = at, at + 1
    while start > 0 and chunks[start - 1][-1:] not in ",;.!" and words[start - 1] not in _TURNS:
        start -= 1
    while end < len(chunks) and chunks[end - 1][-1:] not in ",;.!" and words[end] not in _TURNS:
        end += 1
    return start, end


def _names_time(word: str) -> bool:
    return word in _DAYS | _PARTS or word[:1].isdecimal()


def _alternatives(words: Sequence[str]) -> bool:
    """ "tuesday or wednesday", "10 or 11"; the ends of "between 2 or 4" are none."""
    ranged = "between" in words or "from" in words
    for at, word in enumerate(words[:-1]):
        if word not in _JOINING:
            continue
        before, after = words[max(0, at - 3) : at], words[at + 1 : at + 4]
        if _DAYS.intersection(before) and _DAYS.intersection(after):
            return True
        if (
            not ranged
            and word == "or"
            and words[at - 1][:1].isdecimal()
            and any(other[:1].isdecimal() for other in after[:2])
        ):
            return True
    return False


def _no_such_clock(words: Sequence[str]) -> bool:
    for at, word in enumerate(words):
        read = _CLOCK.fullmatch(word)
        if read is None:
            continue
        timed = ":" in word or word.endswith("m")
        if timed and (int(read[1]) > 23 or int(read[2] or 0) > 59):
            return True
        if word.isdecimal() and words[at - 1 : at] == ["at"] and int(word) > 24:
            return True
    return False


def _is_date(word: str) -> bool:
    return word[:1].isdecimal() and (
        word[-2:] in ("st", "nd", "rd", "th") or "/" in word or max(word.count("-"), word.count(".")) == 2
    )


def _no_such_day(words: Sequence[str]) -> bool:
    """ "31 november", "february 30th"."""
    for first, second in itertools.pairwise(words):
        for day, month in ((first, second), (second, first)):
            digits = day.rstrip("stndrh")
            known = month.isalpha() and month[:3] in _MONTHS
            if known and digits.isascii() and digits.isdecimal() and len(digits) <= 2:
                return not 0 < int(digits) <= _MONTHS[month[:3]] and not (first == month and int(digits) > 31)
    return False


def _not_before(words: Sequence[str]) -> list[str]:
    """ "tomorrow but not before 10" is tomorrow after 10."""
    made: list[str] = []
    for word in words:
        if word in ("before", "until", "till") and made[-1:] == ["not"]:
            made = [*made[: -2 if made[-2:-1] == ["but"] else -1], "after"]
        else:
            made.append(word)
    return made


def _past_days(words: Sequence[str], today: date) -> list[str]:
    made: list[str] = []
    if any(map(_is_date, words)):  # "yesterday was fine, 24/11 too" names its day
        return list(words)
    for word in words:
        if word == "yesterday":
            made.append((today - timedelta(days=1)).isoformat())
        elif made[-1:] == ["last"] and word in _FULL:
            back = (today.weekday() - _WEEKDAYS.index(word[:3])) % 7 or 7
            made[-1] = (today - timedelta(days=back)).isoformat()
        elif word == "weekend":
            made.append((today + timedelta(days=(5 - today.weekday()) % 7)).isoformat())
        elif word == "week" and made[-1:] and made[-1] in _FULL:  # "friday week"
            ahead = (_WEEKDAYS.index(made[-1][:3]) - today.weekday()) % 7 or 7
            made[-1] = (today + timedelta(days=ahead + 7)).isoformat()
        elif made[-1:] == ["last"] and word in ("night", "week"):
            made[-1] = (today - timedelta(days=1 if word == "night" else 7)).isoformat()
        else:
            made.append(word)
    return made


def _this_part(words: Sequence[str], today: date) -> list[str]:
    """ "this morning" is today's, also when it is over."""
    made = list(words)
    for at, word in enumerate(words[:-1]):
        if word == "this" and words[at + 1] in _PARTS and not _DAYS & set(words):
            made[at] = today.isoformat()
    return made


def _of_next_week(words: Sequence[str], today: date) -> list[str] | None:
    """ "friday next week" as a date; a week alone leaves the day open."""
    for at, word in enumerate(words[:-1]):
        if word not in ("next", "this") or words[at + 1] != "week":
            continue
        rest = [*words[:at], *words[at + 2 :]]
        named = next((other for other in rest if other in _FULL), None)
        if named is None:
            dated = any(other in _DAYS or _is_date(other) for other in rest)
            return rest if dated else None
        monday = today + timedelta(days=(7 if word == "next" else 0) - today.weekday())
        chosen = (monday + timedelta(days=_WEEKDAYS.index(named[:3]))).isoformat()
        return [chosen if other == named else other for other in rest]
    return list(words)
