"""Play one conversation test: pure calls only, with a scripted model, actions that succeed and a clock of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from supportbot.decision.conclude import conclude
from supportbot.decision.decide import decide
from supportbot.decision.suggestions import understood
from supportbot.decision.timeouts import elapse
from supportbot.diagnostics import Place, did_you_mean
from supportbot.model.bot import Bot
from supportbot.model.decision import CallAction, CallModel, Decision, Effect, Outcome, Reply
from supportbot.model.session import Message, Session, Turn
from supportbot.runtime.opening import open_session
from supportbot.runtime.pretend import pretended_values
from supportbot.runtime.scripts import Script, ScriptStep, first_moment

SCRIPTED = "scripted"  # the name of the model in conversation tests
_SESSION, _CHANNEL = "test", "chat"


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that did not come true. ``step`` counts from 1; ``trace`` says why the bot did what it did."""

    place: Place
    step: int
    said: str
    key: str
    expected: str
    got: str
    trace: tuple[str, ...]

    def __str__(self) -> str:
        where = f"{self.place.file}:{self.place.line}:{self.place.column}"
        return f"{where}: step {self.step}: {self.key}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True)
class Played:
    """One step as it went. ``decision`` is None where nothing was said; ``before`` is the state it began in."""

    said: str | None
    waited: float
    before: str
    session: Session
    reply: Reply
    triggers: tuple[str, ...]
    decision: Decision | None
    outcomes: tuple[Outcome, ...]

    @property
    def actions(self) -> tuple[str, ...]:
        return tuple(outcome.effect.action for outcome in self.outcomes if isinstance(outcome.effect, CallAction))

    @property
    def asked_model(self) -> bool:
        return any(isinstance(outcome.effect, CallModel) for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class Checked:
    """One conversation test and how it went."""

    name: str
    place: Place
    played: tuple[Played, ...]
    failures: tuple[Failure, ...]

    @property
    def ok(self) -> bool:
        return not self.failures


def play(bot: Bot, script: Script) -> Checked:
    """Run the whole script, also past a failure."""
    now = script.at or first_moment(bot)
    session: Session | None = None
    played: list[Played] = []
    failures: list[Failure] = []
    for number, step in enumerate(script.steps, start=1):
        now += timedelta(seconds=step.wait)
        for part in _parts(bot, session, step, now):
            session = part.session
            played.append(part)
        if played:
            failures += _failures(bot, step, number, played[-1])
    return Checked(script.name, script.place, tuple(played), tuple(failures))


def _parts(bot: Bot, session: Session | None, step: ScriptStep, now: datetime) -> Iterator[Played]:
    if step.wait:
        session = open_session(bot, None, _SESSION, _CHANNEL, now) if session is None else session
        part = _wait(bot, session, step.wait, now)
        session = part.session
        yield part
    if step.say is not None:
        yield _say(bot, open_session(bot, session, _SESSION, _CHANNEL, now), step, now)


def _wait(bot: Bot, session: Session, waited: float, now: datetime) -> Played:
    passed = elapse(bot, session, now)
    if passed is None:
        return Played(None, waited, session.state, session, Reply(()), (), None, ())
    return Played(None, waited, session.state, passed.session, passed.reply, passed.triggers, None, ())


def _say(bot: Bot, session: Session, step: ScriptStep, now: datetime) -> Played:
    said = step.say or ""
    message = understood(session, Message(f"{_SESSION}-{session.turns + 1}", _SESSION, said, _CHANNEL, now))
    turn = Turn(session, message, now)
    decision = decide(bot, turn)
    outcomes = tuple(_outcome(bot, effect, step.llm) for effect in decision.effects)
    conclusion = conclude(bot, turn, decision, outcomes)
    return Played(
        said, 0.0, session.state, conclusion.session, conclusion.reply, conclusion.triggers, decision, outcomes
    )


def _outcome(bot: Bot, effect: Effect, answer: str | None) -> Outcome:
    if isinstance(effect, CallAction):
        return Outcome(effect, True, values=pretended_values(bot.actions[effect.action]))
    if answer is None:
        return Outcome(effect, False, error="off")
    return Outcome(effect, bool(answer.strip()), text=answer, error="" if answer.strip() else "empty", model=SCRIPTED)


# --- what was expected ------------------------------------------------------------------------


def _failures(bot: Bot, step: ScriptStep, number: int, played: Played) -> Iterator[Failure]:
    for expectation in step.expect:
        got = _got(expectation.key, played)
        if not _fits(expectation.key, expectation.values, got):
            yield Failure(
                place=expectation.place,
                step=number,
                said=step.say or "",
                key=expectation.key,
                expected=_expected(bot, expectation.key, expectation.values),
                got=_shown(got),
                trace=tuple(reasons(played.decision)),
            )


def _got(key: str, played: Played) -> Any:
    decision, session, reply = played.decision, played.session, played.reply
    if key.startswith("slots."):
        return session.slots.get(key.removeprefix("slots."))
    values: dict[str, Any] = {
        "category": decision.category if decision else session.category,
        "handler": decision.handler if decision else None,
        "state": session.state,
        "reply": tuple(part.response for part in reply.texts),
        "contains": reply.text,
        "suggestions": tuple(text for part in reply.texts for text in part.suggestions),
        "actions": played.actions,
        "llm": played.asked_model,
    }
    return values[key]


def _fits(key: str, expected: tuple[Any, ...], got: Any) -> bool:
    if key in ("suggestions", "actions"):
        return list(map(str, expected)) == list(got)
    if key == "reply":
        return bool(set(map(str, expected)) & set(got))
    if key == "contains":
        plain = " ".join(str(got).casefold().split())
        return any(" ".join(str(item).casefold().split()) in plain for item in expected)
    if key == "handler" and isinstance(got, str):
        return got in expected or got.removeprefix("form.") in expected
    if key.startswith("slots.") and expected == (None,):
        return got is None or got == ""
    return any(item == got or (not isinstance(item, bool) and str(item) == str(got)) for item in expected)


def _expected(bot: Bot, key: str, values: tuple[Any, ...]) -> str:
    """What was expected; a name that the bot does not know is said to be unknown."""
    known: dict[str, Any] = {
        "category": bot.categories,
        "handler": {*bot.handler_by_id, *bot.guides, *bot.forms, *(f"form.{form}" for form in bot.forms), "none"},
        "state": bot.graph.states,
        "reply": bot.responses,
        "actions": bot.actions,
    }
    text = _shown(values) if key in ("suggestions", "actions") else " or ".join(_shown(value) for value in values)
    unknown = next((str(value) for value in values if key in known and str(value) not in known[key]), None)
    return text if unknown is None else f"{text} (there is no '{unknown}'; {did_you_mean(unknown, known[key])})"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(_shown(item) for item in value if item != "") or "nothing"
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return f"'{text}'" if len(text) <= 200 else f"'{text[:200]}...'"


def reasons(decision: Decision | None) -> Iterator[str]:
    """The candidates of a decision, one line each."""
    if decision is None:
        return
    for score in decision.trace.categories:
        yield f"category {score.id}: {score.score:g} ({', '.join(score.evidence)})"
    for candidate in decision.trace.candidates:
        found = f" found {', '.join(candidate.matched)}" if candidate.matched else ""
        verdict = "answered" if candidate.fired else candidate.rejected
        yield f"{candidate.kind} {candidate.id} ({candidate.priority}){found}: {verdict}"
    if decision.trace.note:
        yield decision.trace.note
