"""Typed values in a message: numbers, e-mail addresses, phone numbers, dates and times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from supportbot.decision.moments import moment_at
from supportbot.model.session import SlotValue
from supportbot.model.text import tokens

_EDGES = ".,;:!?\"'()[]{}<>*"
_PHONE = frozenset("0123456789+()-./")
PHONE_DIGITS = range(7, 16)  # E.164 allows fifteen


@dataclass(frozen=True, slots=True)
class Reading:
    """How values are read: ``now`` in the bot's time zone."""

    now: datetime

    def spelling(self, text: str, words: tuple[str, ...], start: int, end: int) -> str:
        """Tokens [start, end) as the visitor typed them, or their normal form where that is unclear."""
        chunks, first_token = _aligned(text, words)
        if first_token is None:
            return " ".join(words[start:end])
        chosen = [chunk for chunk, at in zip(chunks, first_token, strict=True) if start <= at < end]
        return " ".join(chosen).strip(_EDGES) or " ".join(words[start:end])


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
        count += len(tokens(chunk))
    return chunks, starts if count == len(words) else None


def _values_of(chunks: list[str], reading: Reading) -> list[tuple[str, int, int, SlotValue]]:
    """(type, first chunk, chunk after, value), in order of the text."""
    plain = [chunk.strip(_EDGES).lower() for chunk in chunks]
    found: list[tuple[str, int, int, SlotValue]] = []
    skip_phone = skip_moment = 0
    for at, chunk in enumerate(chunks):
        if "@" in chunk and (address := email(chunk)):
            found.append(("email", at, at + 1, address))
            continue
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


def email(text: str) -> str | None:
    """An e-mail address, edges stripped; the check is of its form only."""
    address = text.strip(_EDGES).removeprefix("mailto:")
    local, at, domain = address.rpartition("@")
    if not at or not local or "@" in local or len(address) > 254 or not address.isprintable():
        return None
    labels = domain.split(".")
    if len(labels) < 2 or not all(label and label.replace("-", "").isalnum() for label in labels):
        return None
    return address if len(labels[-1]) >= 2 and not labels[-1].isdecimal() else None


def _phone_at(chunks: list[str], start: int) -> tuple[str, int] | None:
    """The phone number that begins at a chunk: digits in groups, perhaps after a '+'."""
    digits, end = "", start
    plus = chunks[start].lstrip("(").startswith("+")
    while end < len(chunks):
        chunk = chunks[end].strip(",;:!?\"'")
        if not chunk or not _PHONE.issuperset(chunk) or chunk.count("/") > 1 or (end > start and "+" in chunk):
            break
        more = "".join(character for character in chunk if character.isdecimal())
        if not more or len(digits) + len(more) > max(PHONE_DIGITS):
            break
        digits += more
        end += 1
    if len(digits) not in PHONE_DIGITS or _looks_like_date(chunks[start]):
        return None
    return ("+" if plus else "") + digits, end


def _looks_like_date(chunk: str) -> bool:
    parts = chunk.replace("/", "-").replace(".", "-").split("-")
    return len(parts) == 3 and sorted(map(len, parts)) in ([1, 1, 4], [1, 2, 4], [2, 2, 4])


def _number(text: str) -> SlotValue | None:
    digits = text.removeprefix("-").removeprefix("$").replace(",", "")
    whole, point, part = digits.partition(".")
    if not whole.isdecimal() or not whole.isascii() or len(digits) > 15 or (point and not part.isdecimal()):
        return None
    value = float(digits) if point else int(digits)
    return -value if text.startswith("-") else value
