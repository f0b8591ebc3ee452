"""Suggestions: which of them a visitor may choose from, how they fit a small channel, and which one was meant."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

from msgspec.structs import replace

from supportbot.model.bot import Bot, SlotSpec
from supportbot.model.decision import Suggested
from supportbot.model.session import Message, Session

SMALL = 20  # characters of a button on WhatsApp, Facebook and Instagram
LARGE = 80  # of an option on a page
_NUMBERED = 10  # the most characters that a number in front takes
_LEAST = 8  # letters by which a beginning is known
_ELLIPSIS = "…"
_EDGES = " .,;:!?)(#\"'"


def asked_slot(bot: Bot, session: Session) -> SlotSpec | None:
    """The slot that an open form asks for now; None when none does, or while a form waits for its confirmation."""
    state = session.form
    form = bot.forms.get(state.form) if state is not None else None
    if state is None or form is None or state.asking is None:
        return None
    return next((slot for slot in form.slots if slot.name == state.asking), None)


def offered(bot: Bot, session: Session, said: Sequence[Suggested]) -> tuple[str, ...]:
    """The suggestions that a visitor may choose from after a reply: those of its last text.

    None while a form asks for something to be typed: a button there would stand for an answer that is none.
    """
    shown = said[-1].suggestions if said else ()
    if session.form is None:
        return shown
    spec = asked_slot(bot, session)
    if spec is not None and spec.type != "choice":
        return ()
    return shown or (tuple(value for value, _ in spec.choices) if spec is not None else ())


def shorten(labels: Sequence[str], most: int, chars: int) -> tuple[str, ...]:
    """The first labels, cut to their length. Those that would look alike begin with their number."""
    cut = [_cut(label, chars) for label in labels[:most]]
    twice = {label for label in cut if cut.count(label) > 1}
    return tuple(
        _cut(f"{number} {whole}", chars) if label in twice else label
        for number, (label, whole) in enumerate(zip(cut, labels, strict=False), start=1)
    )


def meant(text: str, labels: Sequence[str]) -> str | None:
    """The label that an answer stands for: itself, its cut form, its beginning, or its number; None when none."""
    said = _plain(text) if labels else ""
    if not said:
        return None
    labels = tuple(labels)
    whole = max(map(len, labels)) + _NUMBERED
    for chars in (len(text) + LARGE, LARGE, SMALL):
        found = _standing_for(labels, min(chars, whole)).get(said)
        if found:
            return found[0] if len(found) == 1 or chars > LARGE else None
    # Keyboards of East Asia write digits in full width.
    number = unicodedata.normalize("NFKC", said).removeprefix("option ").removeprefix("number ").strip(_EDGES)
    if number.isascii() and number.isdecimal() and len(number) <= 2 and 1 <= int(number) <= len(labels):
        return labels[int(number) - 1]
    return _by_beginning(said, labels) if text.rstrip().endswith((_ELLIPSIS, "...")) else None


def understood(session: Session, message: Message) -> Message:
    """The message, a cut or numbered suggestion replaced by the whole one: "2" after two buttons were shown."""
    if not session.offered:
        return message
    label = meant(message.text, session.offered)
    return message if label is None else replace(message, text=label)


@lru_cache(maxsize=2048)
def _standing_for(labels: tuple[str, ...], chars: int) -> Mapping[str, tuple[str, ...]]:
    """The labels by what stands for them when they are cut to so many characters; a bot offers the same ones often."""
    found: dict[str, tuple[str, ...]] = {}
    for label, short in zip(labels, shorten(labels, len(labels), chars), strict=True):
        for text in {_plain(label), _plain(short), _plain(label[:chars])}:
            found[text] = (*found.get(text, ()), label)
    return found


def _by_beginning(said: str, labels: Sequence[str]) -> str | None:
    found = [label for label in labels if len(said) >= _LEAST and _plain(label).startswith(said)]
    return found[0] if len(found) == 1 else None


def _cut(label: str, chars: int) -> str:
    return label if len(label) <= chars else label[: chars - 1].rstrip() + _ELLIPSIS


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace(_ELLIPSIS, " ").split()).strip(_EDGES)
