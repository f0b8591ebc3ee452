"""What of a bot its conversation tests show, and what they do not, with places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from supportbot.diagnostics import Place
from supportbot.model.bot import Bot
from supportbot.model.graph import Transition
from supportbot.runtime.play import Checked, Played

Part = Literal["handler", "guide", "step", "form", "response", "state", "transition"]
PARTS: tuple[Part, ...] = ("handler", "guide", "step", "form", "response", "state", "transition")


@dataclass(frozen=True, slots=True, order=True)
class Missing:
    place: Place
    part: Part
    id: str


@dataclass(frozen=True, slots=True)
class Covered:
    """``shown`` of ``total`` parts of one kind."""

    part: Part
    shown: int
    total: int


@dataclass(frozen=True, slots=True)
class Coverage:
    parts: tuple[Covered, ...]
    missing: tuple[Missing, ...]  # by file and line

    @property
    def percent(self) -> float:
        """Of all parts together; 100 for a bot without any."""
        total = sum(part.total for part in self.parts)
        return 100.0 * sum(part.shown for part in self.parts) / total if total else 100.0


def coverage_of(bot: Bot, checked: Iterable[Checked]) -> Coverage:
    seen = {
        (part, name) for conversation in checked for played in conversation.played for part, name in _seen(bot, played)
    }
    parts, missing = [], []
    for part, known in _known(bot).items():
        lacking = [name for name in known if (part, name) not in seen]
        parts.append(Covered(part, len(known) - len(lacking), len(known)))
        missing += [Missing(known[name], part, name) for name in lacking]
    return Coverage(tuple(parts), tuple(sorted(missing)))


def _known(bot: Bot) -> Mapping[Part, Mapping[str, Place]]:
    guides = bot.guides.values()
    return {
        "handler": {handler.id: handler.place for handler in bot.handlers},
        "guide": {guide.id: guide.place for guide in guides},
        "step": {_step(guide.id, at): guide.place for guide in guides for at in range(len(guide.steps))},
        "form": {form.id: form.place for form in bot.forms.values()},
        "response": {response.id: response.place for response in bot.responses.values()},
        "state": {state.id: state.place for state in bot.graph.states.values()},
        "transition": {_way(way): way.place for way in bot.graph.transitions},
    }


def _step(guide: str, at: int) -> str:
    return f"{guide}, step {at + 1}"


def _way(way: Transition) -> str:
    """A transition as it is written: one entry of states.yaml may stand for several sources."""
    return f"{way.trigger} to {way.dest} (line {way.place.line})"


def _seen(bot: Bot, played: Played) -> Iterator[tuple[Part, str]]:
    session, decision = played.session, played.decision
    yield "state", played.before
    yield "state", session.state
    if decision is not None:
        yield ("guide" if decision.handler in bot.guides else "handler"), decision.handler
        if decision.session.form is not None:
            yield "form", decision.session.form.form
    if session.form is not None:
        yield "form", session.form.form
    if session.guide is not None:
        yield "guide", session.guide.guide
        yield "step", _step(session.guide.guide, session.guide.step)
    for part in played.reply.texts:
        yield "response", part.response
    yield from _ways(bot, played)


def _ways(bot: Bot, played: Played) -> Iterator[tuple[Part, str]]:
    """The transitions that the turn took: before the outcomes, then after them."""
    state, after = played.before, played.session.state
    if played.decision is not None:
        decided = played.decision.session.state
        yield from _walk(bot, state, played.decision.triggers, decided)
        state = decided
    yield from _walk(bot, state, played.triggers, after)


def _walk(bot: Bot, state: str, triggers: tuple[str, ...], end: str) -> Iterator[tuple[Part, str]]:
    """Of several ways out, the one that leads to where the triggers ended."""
    for position, trigger in enumerate(triggers):
        ways = bot.graph.table.get((state, trigger), ())
        if not ways:
            return
        last = position == len(triggers) - 1
        way = next((way for way in ways if last and way.dest == end), ways[0])
        state = way.dest
        yield "state", state
        yield "transition", _way(way)
