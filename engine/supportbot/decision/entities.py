"""Typed values in a message: numbers, e-mail addresses, phone numbers, dates and times."""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from supportbot.decision.moments import moment_at
from supportbot.model.session import SlotValue
from supportbot.model.text import JOINABLE, tokens

# Of a longer message only so many words are read: 4,000 characters of prose are 700 words.
FIRST_WORDS, LAST_WORDS = 500, 300
READ_WORDS = FIRST_WORDS + LAST_WORDS
_EDGES = ".,;:!?\"'()[]{}<>*"
_DIGIT = re.compile("[0-9]")
_PHONE = frozenset("0123456789+()-./")
PHONE_DIGITS = range(7, 16)  # E.164 allows fifteen
_AROUND_ADDRESS = str.maketrans(dict.fromkeys(':;,=()<>[]{}"', " "))  # mailto:jane@..., <jane@...>
_CODES = ("error", "errors", "code", "codes", "version", "build", "id", "serial", "card", "ip")
_PAPERS = ("ticket", "case", "reference", "ref", "invoice", "order")
_NO_PHONE_AFTER = frozenset((*_CODES, *_PAPERS))


class Reading(Struct, gc=False):
    """How values are read: at which moment, told in the bot's time zone once it is asked for. Mostly it is not."""

    moment: datetime
    zone: ZoneInfo | None = None
    _now: datetime | None = None

    @property
    def now(self) -> datetime:
        if self._now is None:
            self._now = self.moment if self.zone is None else self.moment.astimezone(self.zone)
        return self._now


class Typed:
    """A text as the visitor typed it, beside its tokens. Lining them up takes a while: once a text is enough."""

    __slots__ = ("chunks", "first_token", "words")

    def __init__(self, text: str, words: tuple[str, ...]) -> None:
        self.words = words
        self.chunks, self.first_token = _aligned(text, words)

    def spelling(self, start: int, end: int) -> str:
        """Tokens [start, end) as they were typed, or their normal form where that is unclear."""
        known = " ".join(self.words[start:end])
        if self.first_token is None:
            return known
        first, last = (bisect_left(self.first_token, at) for at in (start, end))
        return " ".join(self.chunks[first:last]).strip(_EDGES) or known


Value = tuple[str, int, SlotValue]  # type, token after it, value


def read_values(text: str, words: tuple[str, ...], reading: Reading) -> dict[int, list[Value]]:
    """Every typed value of a message, by the token where it begins."""
    chunks, first_token = _aligned(text, words)
    if first_token is None:
        return {}
    bounds = [*first_token, len(words)]
    found: dict[int, list[Value]] = {}
    for type_, start, end, value in _values_of(chunks, reading):
        if bounds[start] < bounds[end]:
            found.setdefault(bounds[start], []).append((type_, bounds[end], value))
    return found


def first_value(type_: str, text: str, reading: Reading) -> SlotValue | None:
    """The first value of a type in a text, or None."""
    chunks = text.split()
    return next((value for found, _, _, value in _values_of(chunks, reading) if found == type_), None)


def taken_chunks(chunks: list[str], types: tuple[str, ...], reading: Reading) -> set[int]:
    """Positions of the chunks that belong to a value of these types."""
    return {at for type_, start, end, _ in _values_of(chunks, reading) if type_ in types for at in range(start, end)}


def _aligned(text: str, words: tuple[str, ...]) -> tuple[list[str], list[int] | None]:
    """The text's chunks between spaces, and the token at which each begins (None when they do not line up)."""
    chunks = text.split()
    starts: list[int] = []
    count = 0
    for chunk in chunks:
        starts.append(count)
        count += _length(tokens(chunk), chunk, words, count)
    return chunks, starts if count == len(words) else None


def _length(own: tuple[str, ...], chunk: str, words: tuple[str, ...], at: int) -> int:
    """How many of the message's tokens a chunk became: a '?' at its beginning counts, "e mail" is one."""
    asked = words[at : at + 1] == ("?",) and own[:1] != ("?",) and "?" in chunk
    count = len(own) + asked
    first = at + asked
    joined = own and words[first + len(own) - 1 : first + len(own)] != own[-1:]
    return count - 1 if joined and own[-1] in JOINABLE else count


def _values_of(chunks: list[str], reading: Reading) -> list[tuple[str, int, int, SlotValue]]:
    """(type, first chunk, chunk after, value), in order of the text."""
    plain = [chunk.strip(_EDGES).lower() for chunk in chunks]
    found: list[tuple[str, int, int, SlotValue]] = []
    skip_phone = skip_moment = 0
    skipped = unread(len(chunks))
    for at, chunk in enumerate(chunks):
        if at in skipped:
            continue
        if "@" in chunk and (address := email(chunk)):
            found.append(("email", at, at + 1, address))
            continue
        if _DIGIT.search(chunk):
            if at >= skip_phone and (phone := _phone_at(chunks, at)):
                number, skip_phone = phone
                found.append(("phone", at, skip_phone, number))
            number_value = _number(plain[at])
            if number_value is not None:
                found.append(("number", at, at + 1, number_value))
        if at >= skip_moment and plain[at] and (moment := moment_at(plain, at, reading.now)):
            skip_moment = at + moment.words
            found.append(("time", at, skip_moment, moment.at(reading.now).strftime("%Y-%m-%dT%H:%M")))
            if moment.day is not None:
                found.append(("date", at, skip_moment, moment.day.isoformat()))
    return found


def unread(count: int) -> range:
    """The middle of a message of that many words, made to be long: what it takes to decide stays bounded."""
    return range(FIRST_WORDS, count - LAST_WORDS)


def email(text: str) -> str | None:
    """An e-mail address, edges stripped; the check is of its form only."""
    parts = text.translate(_AROUND_ADDRESS).split()
    address = next((part for part in parts if "@" in part), "").strip(_EDGES)
    local, at, domain = address.rpartition("@")
    if not at or not local or "@" in local or len(address) > 254 or not address.isprintable():
        return None
    labels = domain.split(".")
    if len(labels) < 2 or not all(label and label.replace("-", "").isalnum() for label in labels):
        return None
    return address if len(labels[-1]) >= 2 and not labels[-1].isdecimal() else None


def _phone_at(chunks: list[str], start: int) -> tuple[str, int] | None:
    """The phone number that begins at a chunk: digits in groups, perhaps after a '+'."""
    groups: list[str] = []
    most = max(PHONE_DIGITS)
    count = 0
    for chunk in chunks[start : start + most + 1]:  # a group has a digit at least
        digits = _phone_digits(chunk, first=not groups)
        if not digits or (groups and len(digits) in PHONE_DIGITS and count in PHONE_DIGITS):
            break  # two whole numbers beside each other are two phones
        groups.append(digits)
        count += len(digits)
        if count > most:
            return None  # the number of a card
    number = "".join(groups)
    if len(number) not in PHONE_DIGITS or not _may_be_called(chunks, start, groups):
        return None
    plus = chunks[start].lstrip("(").startswith("+")
    before, trunk, _ = "".join(chunks[start : start + len(groups)]).partition("(0)")
    if plus and trunk:  # +44 (0)20 is dialled without it
        at = sum(map(str.isdecimal, before))
        number = number[:at] + number[at + 1 :]
    return ("+" if plus else "") + number, start + len(groups)


def _phone_digits(chunk: str, first: bool) -> str:
    """The digits of one group of a phone number; empty when it is none."""
    bare = chunk.strip(",;:!?\"'.")
    if not bare or not _PHONE.issuperset(bare) or (not first and "+" in bare) or bare[0] in "-/":
        return ""
    if bare.isdecimal():
        return bare
    if _looks_like_date(bare) or _looks_like_version(bare) or _looks_like_years(bare):
        return ""
    return "".join(character for character in bare if character.isdecimal())


def _may_be_called(chunks: list[str], start: int, groups: list[str]) -> bool:
    """Not the code of an error, not the rest of a longer number, not a few years."""
    if all(len(group) == 4 and group[:2] in ("19", "20") for group in groups):
        return False
    if start == 0:
        return True
    before = chunks[start - 1].strip(_EDGES).lower()
    if before in _NO_PHONE_AFTER or (before in ("number", "no", "nr", "is") and _names_a_code(chunks, start - 1)):
        return False
    rest = _phone_digits(chunks[start - 1], first=True)
    return not rest or len(rest) in PHONE_DIGITS


def _names_a_code(chunks: list[str], at: int) -> bool:
    return any(chunk.strip(_EDGES).lower() in _NO_PHONE_AFTER for chunk in chunks[max(0, at - 2) : at])


def _looks_like_version(chunk: str) -> bool:
    """10.0.19045, 192.168.1.10: four parts between dots, or a part of one digit."""
    parts = chunk.split(".")
    return len(parts) == 4 or (len(parts) > 1 and any(len(part) < 2 for part in parts))


def _looks_like_years(chunk: str) -> bool:
    parts = chunk.replace("/", "-").split("-")
    return len(parts) > 1 and all(len(part) == 4 and part[:2] in ("19", "20") for part in parts)


def _looks_like_date(chunk: str) -> bool:
    parts = chunk.replace("/", "-").replace(".", "-").split("-")
    return len(parts) == 3 and sorted(map(len, parts)) in ([1, 1, 4], [1, 2, 4], [2, 2, 4])


def _number(text: str) -> SlotValue | None:
    digits = text.removeprefix("-").lstrip("$£€").replace(",", "")
    whole, point, part = digits.partition(".")
    if not whole.isdecimal() or not digits.isascii() or len(digits) > 15 or (point and not part.isdecimal()):
        return None
    value = float(digits) if point else int(digits)
    return -value if text.startswith("-") else value
