"""Reading the answers to a form's questions out of a message."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from supportbot.decision.appointments import Calendar, Wanted, wanted
from supportbot.decision.contacts import address, phone
from supportbot.decision.entities import Reading, first_value, taken_chunks
from supportbot.decision.names import name_in
from supportbot.decision.ratings import rating
from supportbot.decision.zones import zone_of
from supportbot.model.bot import Bot, Form, SlotSpec
from supportbot.model.session import Message, Session, SlotValue
from supportbot.model.text import tokens

SHORT_TEXT = 100  # a text slot up to this many characters is a name or a title, not a story
_INTRODUCTIONS = (
    ("my", "name", "is"),
    ("the", "name", "is"),
    ("name", "is"),
    ("my", "names"),
    ("my", "name", "s"),
    ("this", "is"),
    ("i", "am"),
    ("it", "is"),
    ("call", "me"),
    ("you", "can", "call", "me"),
    ("just", "call", "me"),
)
_CUES = (("actually", "no"), ("actually",), ("sorry", "i", "meant"), ("no", "i", "meant"), ("i", "meant"), ("sorry",))
_TAKEN_BACK = tuple((*cue, *rest) for rest in (("it", "is"), ("i", "am"), ()) for cue in _CUES)
_CONTACTS = ("email", "phone")
_DIGIT = re.compile(r"\d")
_WISHES = frozenset(("ticket", "case", "incident", "call", "callback", "ring", "phone"))
_PARTS = re.compile(r"[,;:]\s+|[.!]\s+")
_TYPED = ("email", "phone", "time", "date")
_NO_VALUE = frozenset(("wrong", "incorrect", "not", "different", "misspelled", "misspelt", "spelled"))
SHORT_ANSWER = 6  # words: in so few of them a bare "4" is a time
_CALLED: Mapping[str, tuple[str, ...]] = {
    "phone": ("phone", "number", "telephone", "mobile"),
    "email": ("email", "mail", "address"),
    "time": ("time", "date", "day", "when", "hour"),
    "date": ("date", "day", "when"),
}


def reading_of(bot: Bot, now: datetime) -> Reading:
    return Reading(now, bot.settings.hours.zone)


@dataclass(slots=True)
class Asker:
    """How the answers of one visitor are read: their time zone and country, the hours of the bot.

    ``refused``: the last moment that was named and is not possible, in the bot's time zone.
    """

    bot: Bot
    session: Session
    now: datetime
    refused: str = ""
    reading: Reading = field(init=False)

    def __post_init__(self) -> None:
        self.reading = reading_of(self.bot, self.now)

    def value(self, spec: SlotSpec, text: str, before: SlotValue | None = None, asked: bool = True) -> SlotValue | None:
        """The value of the slot's type in a text, or None. ``before``: the value it has, which may be mended."""
        if spec.type == "phone":
            return phone(text, self.reading, self._regions()) if _DIGIT.search(text) else None
        if spec.type == "email":
            return address(text)
        if spec.type == "rating":
            return rating(text, asked)
        if spec.type in ("time", "date"):
            return self._moment(spec, text, before, asked)
        return first_value(spec.type, text, self.reading)

    def _moment(self, spec: SlotSpec, text: str, before: SlotValue | None, asked: bool) -> SlotValue | None:
        found = self.wanted(spec, text, before, asked)
        if found is None:
            return None
        if not found.possible:
            self.refused = found.text
            return None
        return found.text if spec.type == "time" else found.text.partition("T")[0]

    def wanted(self, spec: SlotSpec, text: str, before: SlotValue | None = None, asked: bool = True) -> Wanted | None:
        chunks = text.split()
        taken = taken_chunks(chunks, _CONTACTS, self.reading) if _may_name_a_contact(text) else ()
        rest = " ".join(chunk for at, chunk in enumerate(chunks) if at not in taken)
        hours = self.bot.settings.hours
        zone = zone_of(self.session, hours.zone)
        languages = (*self.bot.settings.languages, self.session.visitor.get("language", ""))
        known = tuple(dict.fromkeys(language[:2].lower() for language in languages if language))
        calendar = Calendar(self.reading.now, zone, hours if spec.in_hours else None, known)
        return wanted(rest, calendar, str(before or "") if spec.type == "time" else "", asked)

    def _regions(self) -> tuple[str, ...]:
        country = self.session.visitor.get("country", "").upper()
        return tuple(dict.fromkeys(region for region in (country, self.bot.settings.region) if len(region) == 2))


def prefill(
    asker: Asker, message: Message, form: Form, held: Mapping[int, object], stated: bool = False
) -> dict[str, SlotValue]:
    """What is known before the first question: earlier slots, the visitor's profile, the opening message.

    An optional choice is never asked for, so what the opening message says of it always counts. ``stated``: the
    message names a problem of its own besides the wish for the form.
    """
    values: dict[str, SlotValue] = {}
    for spec in form.slots:
        listens = spec.optional and spec.type == "choice" and "message" not in spec.prefill
        for source in (*spec.prefill, "message") if listens else spec.prefill:
            value = _from_source(spec, source, message, held, asker, stated)
            if value is not None and value != "":
                values[spec.name] = value
                break
    return values


def _from_source(
    spec: SlotSpec, source: str, message: Message, held: Mapping[int, object], asker: Asker, stated: bool
) -> SlotValue | None:
    session = asker.session
    if source.startswith("visitor."):
        key = source.removeprefix("visitor.")
        text = message.visitor.get(key) or session.visitor.get(key) or ""
        return typed_value(spec, text, asker) if text else None
    if source == "slots":
        return session.slots.get(spec.name)
    if spec.type == "text":
        if is_name(spec):
            return _introduced(message.text)
        return _problem_in(message.text, spec, asker.reading) if stated else _problem(session, spec)
    if spec.type == "choice":
        return next((value for value, block in spec.choices if block in held), None)
    return typed_value(spec, message.text, asker, asked=False)


def _introduced(text: str) -> str | None:
    """The name in "my name is Jane Roe" or "..., I'm Jane": capitalized, and nothing else behind it."""
    words = text.replace("\u2019", "'").split()
    plain = [word.lower().strip(".,;:!?") for word in words]
    for at in range(len(words)):
        starts = (("my", "name", "is"), ("i", "am"), ("i'm",), ("im",), ("it's",))
        phrase = next((start for start in starts if tuple(plain[at : at + len(start)]) == start), ())
        rest = words[at + len(phrase) :] if phrase else []
        name: list[str] = []
        for word in rest[:3]:
            bare = word.rstrip(".,;:!?")
            if not (bare[:1].isupper() and (bare[1:].islower() or "-" in bare or "'" in bare) and len(bare) > 1):
                break
            name.append(bare)
            if bare != word:
                break
        ends = len(name) == len(rest) or (name and rest[len(name) - 1][-1:] in ".,;:!?")
        if name and (ends or phrase[:1] == ("my",)):
            return " ".join(name)
    return None


def _problem_in(text: str, spec: SlotSpec, reading: Reading) -> str:
    """The problem of "open a ticket, my printer is broken, jane@example.com": without the wish and the address."""
    text = text.strip()
    if spec.max_chars > SHORT_TEXT:
        return text[: spec.max_chars]
    text = _without_values(text, reading, _CONTACTS) or text
    parts = [part.strip() for part in _PARTS.split(text) if part.strip()]
    for parts_left, wish in ((parts[1:], parts[:1]), (parts[:-1], parts[-1:])):
        asks = len(parts) > 1 and _WISHES.intersection(tokens(wish[0])) and len(wish[0].split()) <= SHORT_ANSWER
        if asks and sum(len(part.split()) for part in parts_left) > 2:
            return ", ".join(parts_left)[: spec.max_chars]
    return text[: spec.max_chars]


def _problem(session: Session, spec: SlotSpec) -> str | None:
    """What the conversation is about, in the visitor's words: the first thing a guide or the model answered."""
    for exchange in session.history:
        if exchange.topic and exchange.said.strip():
            return exchange.said.strip()[: spec.max_chars]
    return None


def typed_value(spec: SlotSpec, text: str, asker: Asker, asked: bool = True) -> SlotValue | None:
    """The value of a slot's type in a text, or None. Choices are recognised by the matcher instead."""
    if spec.type == "choice":
        return next((value for value, _ in spec.choices if value == text), None)
    if spec.type == "text":
        return text.strip()[: spec.max_chars] or None
    return asker.value(spec, text, asked=asked)


def read_answer(
    spec: SlotSpec,
    text: str,
    held: Mapping[int, object],
    asker: Asker,
    before: SlotValue | None = None,
    asked: bool = True,
) -> SlotValue | None:
    """The answer to one question, or None when the message holds none."""
    if spec.type == "choice":
        said = text.strip().casefold()
        named = next((value for value, _ in spec.choices if value.casefold() == said), None)
        return named or next((value for value, block in spec.choices if block in held), None)
    if spec.type != "text":
        return asker.value(spec, text, before, asked)
    answer = _named_text(spec, text) or text.strip()
    if spec.max_chars <= SHORT_TEXT:
        answer = _without_values(answer, asker.reading, _TYPED if is_name(spec) else _CONTACTS)
        answer = _without_introduction(answer).rstrip(" .,;!")
    elif not tokens(_without_values(answer, asker.reading, _CONTACTS)):
        return None  # "jane@example.com" tells no story
    if is_name(spec):
        answer = name_in(answer) or ""
    if not tokens(answer):
        return None
    return answer[: spec.max_chars]


def is_name(spec: SlotSpec) -> bool:
    return spec.type == "text" and spec.name.split("_")[-1] == "name"


def read_extras(
    form: Form, known: Mapping[str, SlotValue], text: str, held: Mapping[int, object], asker: Asker
) -> dict[str, SlotValue]:
    """Values of other slots that the same message happens to give."""
    extras: dict[str, SlotValue] = {}
    for spec in form.slots:
        if spec.name in known:
            continue
        if spec.type in _TYPED or spec.type == "choice":
            value = read_answer(spec, text, held, asker, asked=False)
            if value is not None:
                extras[spec.name] = value
    return extras


def read_corrections(
    form: Form, known: Mapping[str, SlotValue], text: str, held: Mapping[int, object], asker: Asker
) -> dict[str, SlotValue]:
    """Values that a message changes: any typed value, and "<slot> is ..." for texts."""
    changed: dict[str, SlotValue] = {}
    for spec in form.slots:
        value: SlotValue | None
        if spec.type == "text":
            value = _named_text(spec, text)
            value = name_in(value) if value is not None and is_name(spec) else value
        elif spec.type in _TYPED or spec.type == "choice":
            value = read_answer(
                spec, text, held, asker, known.get(spec.name), asked=spec.type != "time" or _short(text)
            )
        else:
            value = _named_number(spec, text, asker.reading)
        if value is not None and value != known.get(spec.name):
            changed[spec.name] = value
    return changed


def corrected_answer(before: SlotSpec, text: str, held: Mapping[int, object]) -> SlotValue | None:
    """The answer to the question before, when a message takes it back: "actually it's Rob", "sorry, a repair"."""
    rest = _without_introduction(text, _TAKEN_BACK)
    if rest == text or not rest.strip():
        return None
    if before.type == "choice":
        return next((value for value, block in before.choices if block in held), None)
    short = before.type == "text" and before.max_chars <= SHORT_TEXT and len(rest.split()) <= SHORT_ANSWER
    return rest.strip(" .,;!")[: before.max_chars] if short else None


def _short(text: str) -> bool:
    return len(text.split()) <= SHORT_ANSWER


def named_slot(form: Form, words: Sequence[str]) -> SlotSpec | None:
    """The slot that a message speaks of without giving a value: "the number is wrong"."""
    said = set(words)
    found = [spec for spec in form.slots if said & {*spec.name.split("_"), *_CALLED.get(spec.type, ())}]
    return found[0] if found else None


def _named_text(spec: SlotSpec, text: str) -> str | None:
    """ "the name is Jane" for a slot called ``name``."""
    words = text.split()
    plain = [word.strip(".,;:!?\"'").lower() for word in words]
    name = spec.name.split("_")[-1]
    for at, word in enumerate(plain):
        if word == name and plain[at + 1 : at + 2] in (["is"], ["should"], ["to"]):
            rest = words[at + 2 :]
            while rest and rest[0].lower() in ("be", "to", "is"):
                rest = rest[1:]
            wrong = not rest or rest[0].lower().strip(".,!") in _NO_VALUE
            return None if wrong else " ".join(rest).strip()[: spec.max_chars] or None
    return None


def _named_number(spec: SlotSpec, text: str, reading: Reading) -> SlotValue | None:
    return first_value(spec.type, text, reading) if spec.name.replace("_", " ") in text.lower() else None


def _without_values(text: str, reading: Reading, kinds: tuple[str, ...] = _TYPED) -> str:
    """The text without the words that are an address, a number to call or a time."""
    chunks = text.split()
    taken = taken_chunks(chunks, kinds, reading) if kinds is not _CONTACTS or _may_name_a_contact(text) else ()
    kept = [chunk for at, chunk in enumerate(chunks) if at not in taken]
    return " ".join(kept).strip(" ,;") if kept else ""


def _may_name_a_contact(text: str) -> bool:
    """Most messages hold neither, and looking for both takes fifty times as long."""
    return "@" in text or _DIGIT.search(text) is not None


def _without_introduction(text: str, introductions: Sequence[tuple[str, ...]] = _INTRODUCTIONS) -> str:
    words = text.split()
    plain = [word.strip(".,;:!?").lower().replace("'", "") for word in words]
    opened = [token for word in plain for token in tokens(word)]
    for introduction in introductions:
        if tuple(opened[: len(introduction)]) == introduction and len(opened) > len(introduction):
            # "I'm Jane" has fewer words than tokens: count words until the introduction is used up.
            used, at = 0, 0
            while used < len(introduction):
                used += len(tokens(plain[at]))
                at += 1
            return " ".join(words[at:])
    return text
