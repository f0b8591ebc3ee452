"""Reading the answers to a form's questions out of a message."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from supportbot.decision.entities import Reading, first_value, taken_chunks
from supportbot.model.bot import Bot, Form, SlotSpec
from supportbot.model.session import Message, Session, SlotValue
from supportbot.model.text import tokens

SHORT_TEXT = 100  # a text slot up to this many characters is a name or a title, not a story
_INTRODUCTIONS = (
    ("my", "name", "is"),
    ("the", "name", "is"),
    ("name", "is"),
    ("this", "is"),
    ("i", "am"),
    ("it", "is"),
    ("call", "me"),
)
_TYPED = ("email", "phone", "time", "date")


def reading_of(bot: Bot, now: datetime) -> Reading:
    return Reading(now.astimezone(bot.settings.hours.zone))


def prefill(bot: Bot, session: Session, message: Message, form: Form, now: datetime) -> dict[str, SlotValue]:
    """What is known before the first question: earlier slots, the visitor's profile, the opening message."""
    reading = reading_of(bot, now)
    values: dict[str, SlotValue] = {}
    for spec in form.slots:
        for source in spec.prefill:
            value = _from_source(spec, source, session, message, reading)
            if value is not None and value != "":
                values[spec.name] = value
                break
    return values


def _from_source(spec: SlotSpec, source: str, session: Session, message: Message, reading: Reading) -> SlotValue | None:
    if source.startswith("visitor."):
        key = source.removeprefix("visitor.")
        text = message.visitor.get(key) or session.visitor.get(key) or ""
        return typed_value(spec, text, reading) if text else None
    if source == "slots":
        return session.slots.get(spec.name)
    if spec.type == "text":
        return _problem(session, spec)
    return typed_value(spec, message.text, reading)


def _problem(session: Session, spec: SlotSpec) -> str | None:
    """What the conversation is about, in the visitor's words: the first thing a guide or the model answered."""
    for exchange in session.history:
        if exchange.topic and exchange.said.strip():
            return exchange.said.strip()[: spec.max_chars]
    return None


def typed_value(spec: SlotSpec, text: str, reading: Reading) -> SlotValue | None:
    """The value of a slot's type in a text, or None. Choices are recognised by the matcher instead."""
    if spec.type == "choice":
        return next((value for value, _ in spec.choices if value == text), None)
    if spec.type == "text":
        return text.strip()[: spec.max_chars] or None
    return first_value(spec.type, text, reading)


def read_answer(spec: SlotSpec, text: str, held: Mapping[int, object], reading: Reading) -> SlotValue | None:
    """The answer to one question, or None when the message holds none."""
    if spec.type == "choice":
        return next((value for value, block in spec.choices if block in held), None)
    if spec.type == "time" and len(text.split()) == 1:  # "3", when the question was when
        return first_value(spec.type, text, reading) or first_value(spec.type, f"at {text}", reading)
    if spec.type != "text":
        return first_value(spec.type, text, reading)
    answer = text.strip()
    if spec.max_chars <= SHORT_TEXT:
        answer = _without_values(answer, reading)
        answer = _without_introduction(answer).rstrip(" .,;!")
    if not tokens(answer):
        return None
    return answer[: spec.max_chars]


def read_extras(
    form: Form, known: Mapping[str, SlotValue], text: str, held: Mapping[int, object], reading: Reading
) -> dict[str, SlotValue]:
    """Values of other slots that the same message happens to give."""
    extras: dict[str, SlotValue] = {}
    for spec in form.slots:
        if spec.name in known:
            continue
        if spec.type in _TYPED or spec.type == "choice":
            value = read_answer(spec, text, held, reading)
            if value is not None:
                extras[spec.name] = value
    return extras


def read_corrections(
    form: Form, known: Mapping[str, SlotValue], text: str, held: Mapping[int, object], reading: Reading
) -> dict[str, SlotValue]:
    """Values that a message changes: any typed value, and "<slot> is ..." for texts."""
    changed: dict[str, SlotValue] = {}
    for spec in form.slots:
        value: SlotValue | None
        if spec.type == "text":
            value = _named_text(spec, text)
        elif spec.type in _TYPED or spec.type == "choice":
            value = read_answer(spec, text, held, reading)
        else:
            value = _named_number(spec, text, reading)
        if value is not None and value != known.get(spec.name):
            changed[spec.name] = value
    return changed


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
            return " ".join(rest).strip()[: spec.max_chars] or None
    return None


def _named_number(spec: SlotSpec, text: str, reading: Reading) -> SlotValue | None:
    return first_value(spec.type, text, reading) if spec.name.replace("_", " ") in text.lower() else None


def _without_values(text: str, reading: Reading) -> str:
    """The text without the words that are an address, a number to call or a time."""
    chunks = text.split()
    taken = taken_chunks(chunks, _TYPED, reading)
    kept = [chunk for at, chunk in enumerate(chunks) if at not in taken]
    return " ".join(kept).strip(" ,;") if kept else ""


def _without_introduction(text: str) -> str:
    words = text.split()
    plain = [word.strip(".,;:!?").lower().replace("'", "") for word in words]
    opened = [token for word in plain for token in tokens(word)]
    for introduction in _INTRODUCTIONS:
        if tuple(opened[: len(introduction)]) == introduction and len(opened) > len(introduction):
            # "I'm Jane" has fewer words than tokens: count words until the introduction is used up.
            used, at = 0, 0
            while used < len(introduction):
                used += len(tokens(plain[at]))
                at += 1
            return " ".join(words[at:])
    return text
