"""The examples inside rules, tried: each ``match`` must be won by its rule, each ``no_match`` must not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from supportbot.decision.conclude import start_session
from supportbot.decision.decide import NO_HANDLER, decide
from supportbot.diagnostics import Diagnostic, Place, error
from supportbot.model.bot import Bot, Category, Example, Guide, Handler
from supportbot.model.decision import Decision
from supportbot.model.session import GuideState, Message, Session, Turn
from supportbot.runtime.scripts import first_moment

CODE = "failing-example"

Rule = Handler | Guide | Category


@dataclass(frozen=True, slots=True)
class Tried:
    """One example and how it went. ``problem`` is empty when it holds."""

    owner: str
    text: str
    wanted: bool  # a ``match`` example
    place: Place
    problem: str = ""
    hint: str = ""

    @property
    def ok(self) -> bool:
        return not self.problem


def failing_examples(bot: Bot) -> tuple[Diagnostic, ...]:
    """The examples that do not hold, as findings of the code ``failing-example``."""
    return tuple(error(CODE, tried.place, tried.problem, tried.hint) for tried in try_examples(bot) if not tried.ok)


def try_examples(bot: Bot) -> Iterator[Tried]:
    """Every example of the bot, in the order of its rules."""
    rules: tuple[Rule, ...] = (*bot.handlers, *bot.categories.values(), *bot.guides.values())
    for rule in rules:
        for example in rule.examples.match:
            yield _wanted(bot, rule, example)
        for example in rule.examples.no_match:
            yield _unwanted(bot, rule, example)


def _wanted(bot: Bot, rule: Rule, example: Example) -> Tried:
    """It is enough that the rule wins in one of the situations that it is made for."""
    first: Decision | None = None
    for turn in _turns(bot, rule, example):
        decision = decide(bot, turn)
        if _won(rule, decision):
            return Tried(rule.id, example.text, True, example.place)
        first = first or decision
    if first is None:
        return Tried(rule.id, example.text, True, example.place, f"no state lets {_name(rule)} answer at all")
    problem = f"'{example.text}' should belong to {_name(rule)}, but {_winner(bot, rule, first)}"
    return Tried(rule.id, example.text, True, example.place, problem, _why(rule, first))


def _unwanted(bot: Bot, rule: Rule, example: Example) -> Tried:
    turn = next(_turns(bot, rule, example), None)
    if turn is None or not _won(rule, decide(bot, turn)):
        return Tried(rule.id, example.text, False, example.place)
    problem = f"'{example.text}' should not belong to {_name(rule)}, but it does"
    words = ", ".join(_matched(rule, decide(bot, turn)))
    hint = f"it was found by: {words}; narrow that pattern or add a `none`" if words else "narrow its conditions"
    return Tried(rule.id, example.text, False, example.place, problem, hint)


def _won(rule: Rule, decision: Decision) -> bool:
    return decision.category == rule.id if isinstance(rule, Category) else decision.handler == rule.id


# --- situations ---------------------------------------------------------------------------------


def _turns(bot: Bot, rule: Rule, example: Example) -> Iterator[Turn]:
    """Situations to try an example in, the plainest first: fresh, then with a guide running, then late and at night."""
    now = first_moment(bot)
    for state in _states(bot, rule, example):
        for session, moment in _sessions(bot, rule, state, now):
            yield Turn(session, Message("example", session.id, example.text, "chat", moment), moment)


def _states(bot: Bot, rule: Rule, example: Example) -> tuple[str, ...]:
    if example.state is not None:
        return (example.state,)
    whens = () if isinstance(rule, Category) else rule.when
    allowed = [
        state.id
        for state in bot.graph.states.values()
        if not state.final and any(not when.states or state.id in when.states for when in whens)
    ]
    if not whens or bot.graph.initial in allowed:
        rest = [state for state in allowed if state != bot.graph.initial]
        return (bot.graph.initial, *rest)
    return tuple(allowed)


def _sessions(bot: Bot, rule: Rule, state: str, now: datetime) -> Iterator[tuple[Session, datetime]]:
    fresh = start_session(bot, "example", now, "chat")
    if fresh.state != state:
        fresh = replace(fresh, state=state)
    whens = () if isinstance(rule, Category) else rule.when
    categories = sorted({category for when in whens for category in when.categories})
    if categories:
        fresh = replace(fresh, category=categories[0])
    yield fresh, now
    if any(when.condition is not None for when in whens):
        guide = next((guide for guide in bot.guides.values() if guide.steps), None)
        running = replace(fresh, guide=GuideState(guide.id, 0)) if guide else fresh
        yield running, now
        yield replace(running, attempts=bot.settings.limits.attempts, turns=bot.settings.limits.attempts), now
        night = now.replace(hour=3) + timedelta(days=6 - now.weekday())
        yield replace(fresh, created_at=night, updated_at=night), night


# --- words ----------------------------------------------------------------------------------------


def _name(rule: Rule) -> str:
    return f"the {type(rule).__name__.lower()} {rule.id}"


def _winner(bot: Bot, rule: Rule, decision: Decision) -> str:
    if isinstance(rule, Category):
        scores = ", ".join(f"{score.id} {score.score:g}" for score in decision.trace.categories)
        return f"its category is {decision.category}" + (f" ({scores})" if scores else "")
    if decision.kind == "llm":
        return "no rule fits it, so the model is asked"
    if decision.handler == NO_HANDLER:
        return "no rule answers it"
    kind = "guide" if decision.handler in bot.guides else decision.kind
    return f"the {kind} {decision.handler} answers it"


def _why(rule: Rule, decision: Decision) -> str:
    if isinstance(rule, Category):
        return "add a pattern to its match, or to one of its guides"
    rejected = [c.rejected for c in decision.trace.candidates if c.id == rule.id and c.rejected]
    if rejected:
        return rejected[0]
    if isinstance(rule, Guide) and decision.kind == "handler" and decision.handler != "none":
        return f"handlers are asked before guides: add a `none` to {decision.handler}, or change the example"
    if isinstance(rule, Guide) and not rule.steps:
        return "none of its patterns is in the message, or they are too small a part of it; add a longer one"
    return "none of its patterns is in the message; add one"


def _matched(rule: Rule, decision: Decision) -> tuple[str, ...]:
    if isinstance(rule, Category):
        return next((score.evidence for score in decision.trace.categories if score.id == rule.id), ())
    return next((candidate.patterns for candidate in decision.trace.candidates if candidate.id == rule.id), ())
