"""The end of a turn: what became of the effects, what is said, how the conversation stands. Pure and total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from supportbot.decision.decide import known_session
from supportbot.decision.draft import Draft, way_out
from supportbot.decision.forms import go_on, not_understood
from supportbot.decision.render import Scope
from supportbot.decision.scope import scope_of
from supportbot.decision.suggestions import offered
from supportbot.decision.wording import word
from supportbot.model.bot import Bot
from supportbot.model.decision import (
    CallAction,
    CallModel,
    Conclusion,
    Decision,
    Effect,
    Handing,
    HandOver,
    NobodyThere,
    Outcome,
    Output,
    Reply,
    Say,
    Suggested,
)
from supportbot.model.session import Exchange, Message, Session, SlotValue, Turn
from supportbot.model.steps import Step, first_trigger

REQUEST = "REQUEST:"  # a line of a model's answer that asks for a declared effect
GREETING = "greeting"
RESULT = "action"
PENDING = "pending"  # the error of an outcome that is not known yet
SILENCE = "timeout"
ASIDE = "channel"  # the channel reported something


class _ModelText(Struct, frozen=True):
    text: str


class _Ended(Struct, frozen=True, gc=False):
    """A turn whose effects are over, before its reply is worded."""

    session: Session
    parts: Sequence[Output | _ModelText]
    values: Mapping[str, SlotValue]
    triggers: tuple[str, ...]
    note: str


def start_session(bot: Bot, session_id: str, now: datetime, channel: str = "chat") -> Session:
    """A new conversation in the initial state."""
    return Session(
        id=session_id,
        state=bot.graph.initial,
        created_at=now,
        updated_at=now,
        channel=channel,
        category=bot.settings.default_category,
    )


def reset(bot: Bot, session: Session, now: datetime) -> Session:
    """The same conversation from its beginning; who the visitor is stays known."""
    fresh = start_session(bot, session.id, now, session.channel)
    return replace(fresh, visitor=session.visitor, language=session.language, version=session.version + 1)


def conclude(bot: Bot, turn: Turn, decision: Decision, outcomes: Sequence[Outcome]) -> Conclusion:
    """Apply the outcomes and word the reply. An effect without an outcome counts as switched off."""
    handler, kind, otherwise = decision.handler, decision.kind, bot.settings.fallback
    topic = kind == "llm" or (kind == "guide" and bool(bot.guides[handler].steps))
    if not decision.effects:
        worded = _worded(bot, decision.session, decision.outputs, {}, turn.now, otherwise)
        return Conclusion(_finished(bot, decision.session, worded, turn, handler, topic), worded.reply)
    ended = _after_effects(bot, turn, decision, outcomes)
    if any(outcome.error == PENDING for outcome in outcomes):  # then silence is no lack of an answer
        otherwise = None
    worded = _worded(bot, ended.session, ended.parts, ended.values, turn.now, otherwise)
    session = _finished(bot, ended.session, worded, turn, handler, topic)
    return Conclusion(session, worded.reply, ended.triggers, ended.note)


def welcome(bot: Bot, turn: Turn) -> Conclusion:
    """The greeting of a conversation that begins without a question."""
    parts: list[Output | _ModelText] = [Say(bot.settings.greeting)] if bot.settings.greeting else []
    session = known_session(bot, turn)
    worded = _worded(bot, session, parts, {}, turn.now)
    return Conclusion(_finished(bot, session, worded, turn, GREETING, False), worded.reply)


def silence(
    bot: Bot, session: Session, outputs: Sequence[Output], triggers: Sequence[str], now: datetime
) -> Conclusion:
    """The reply to a silence: what time-outs say, without a message of the visitor."""
    worded = _worded(bot, session, outputs, {}, now)
    history = session.history
    if worded.reply.texts:
        history = _longer(bot, session, Exchange("", worded.reply.text, SILENCE, now))
    return Conclusion(_changed(session, worded, history), worded.reply, tuple(triggers))


def aside(bot: Bot, session: Session, steps: Sequence[Step], now: datetime) -> Conclusion:
    """The reply to steps that no message asked for. Calls, questions to a model and hand-overs among them are left."""
    draft = Draft(bot, session, _no_message(session, now), now)
    draft.run(steps)
    outputs: list[Output | _ModelText] = [
        output for output in draft.outputs if not isinstance(output, HandOver | NobodyThere)
    ]
    worded = _worded(bot, draft.session, outputs, {}, now)
    history = _longer(bot, draft.session, Exchange("", worded.reply.text, ASIDE, now))
    changed = replace(_changed(draft.session, worded, history), updated_at=now)
    return Conclusion(changed, worded.reply, draft.triggers)


def settle(bot: Bot, session: Session, effect: CallAction, outcome: Outcome, now: datetime) -> Conclusion:
    """What the end of an action changes and says, when its turn is over already. A hand-over cannot be made then."""
    known = known_session(bot, Turn(session, _no_message(session, now), now))
    draft = Draft(bot, known, _no_message(session, now), now)
    _after_action(draft, effect, outcome)
    outputs: list[Output | _ModelText] = [
        output for output in draft.outputs if not isinstance(output, HandOver | NobodyThere)
    ]
    worded = _worded(bot, draft.session, outputs, outcome.values, now)
    history = _longer(bot, draft.session, Exchange("", worded.reply.text, RESULT, now))
    changed = replace(_changed(draft.session, worded, history), offered=session.offered)
    return Conclusion(changed, worded.reply, draft.triggers)


def _after_effects(bot: Bot, turn: Turn, decision: Decision, outcomes: Sequence[Outcome]) -> _Ended:
    draft = Draft(bot, decision.session, turn.message, turn.now)
    parts: list[Output | _ModelText] = list(decision.outputs)
    values: dict[str, SlotValue] = {}
    notes: list[str] = []
    for effect in decision.effects:
        outcome = _outcome_of(effect, outcomes)
        if isinstance(effect, CallAction):
            values |= outcome.values
            _after_action(draft, effect, outcome)
        else:
            parts += _after_model(draft, effect, outcome, notes)
        parts += draft.outputs
        draft.outputs = ()
    if draft.effects:  # a turn asks the outside world once
        notes.append(f"not done, because an outcome asked for it: {', '.join(map(_name_of, draft.effects))}")
    return _Ended(draft.session, parts, values, draft.triggers, "; ".join((*notes, *draft.notes)))


def _outcome_of(effect: Effect, outcomes: Sequence[Outcome]) -> Outcome:
    """The very effect is looked for first: a turn may ask for the same thing twice."""
    for outcome in outcomes:
        if outcome.effect is effect:
            return outcome
    for outcome in outcomes:
        if outcome.effect == effect:
            return outcome
    return Outcome(effect, ok=False, error="off")


def _name_of(effect: Effect) -> str:
    return f"the action {effect.action}" if isinstance(effect, CallAction) else "a question to the model"


def _after_action(draft: Draft, effect: CallAction, outcome: Outcome) -> None:
    action = draft.bot.actions[effect.action]
    if outcome.ok:
        draft.remember(outcome.values)
        draft.run(action.on_success)
    elif outcome.error == PENDING:
        draft.run(action.while_pending)
    elif outcome.error == "off" and action.when_off:
        draft.run(action.when_off)
    else:
        draft.run(action.on_error.get(outcome.error, action.on_failure))


def _after_model(draft: Draft, effect: CallModel, outcome: Outcome, notes: list[str]) -> list[Output | _ModelText]:
    settings = draft.bot.settings.llm
    form = draft.session.form
    text, request = _split_request(outcome.text) if outcome.ok else ("", "")
    if not text and not request:
        notes.append(f"the model gave no answer: {outcome.error or 'empty'}")
        if form is not None:
            not_understood(draft)
            return []
        draft.run(settings.spent if outcome.error == "spent" and settings.spent else settings.unavailable)
        return []
    steps = _requested(draft, request, notes) if request else None
    if form is not None and steps is None:  # a question in between: the form goes on, nothing else changes
        go_on(draft, form) if text else not_understood(draft)
        return [_ModelText(text)] if text else []
    draft.change(form=None)
    if not text and steps is None:
        draft.run(settings.unavailable)
        return []
    draft.run(settings.answered if steps is None else steps)
    return [_ModelText(text)] if text else []


def _requested(draft: Draft, request: str, notes: list[str]) -> tuple[Step, ...] | None:
    """The steps of a request that is declared and that the state allows, or None."""
    steps = draft.bot.settings.llm.requests.get(request)
    if steps is None:
        notes.append(f"the model asked for {request!r}, which is not declared")
        return None
    trigger = first_trigger(steps)
    if trigger and way_out(draft.bot, draft.session.state, trigger, draft.scope) is None:
        notes.append(f"the model asked for {request!r}, which the state {draft.session.state} does not allow")
        return None
    return steps


def _split_request(text: str) -> tuple[str, str]:
    """The answer without the lines that ask for an effect; and the name of the last one."""
    kept: list[str] = []
    request = ""
    for line in text.strip().splitlines():
        at = line.upper().find(REQUEST) if line.strip("*` ").upper().startswith(REQUEST) else line.find(REQUEST)
        if at < 0:
            kept.append(line)
            continue
        request = line[at + len(REQUEST) :].strip(" .,;*`'\"[]()<>")
        kept.append(line[:at].rstrip("*` "))
    return "\n".join(kept).strip(), request


class _Worded(Struct, frozen=True, gc=False):
    """A reply, and what it leaves behind in the session."""

    reply: Reply
    variants: Mapping[str, int]
    offered: tuple[str, ...]


def _worded(
    bot: Bot,
    session: Session,
    parts: Sequence[Output | _ModelText],
    values: Mapping[str, SlotValue],
    now: datetime,
    otherwise: str | None = None,
) -> _Worded:
    """The parts in words. ``otherwise``: said to who would hear nothing at all."""
    if len(parts) < 2 and session.form is None and not session.closed:
        part = parts[0] if parts else None
        only = otherwise if part is None else part.response if isinstance(part, Say) else None
        reply = bot.responses[only].plain if only else None
        if reply is not None and reply.text:  # as mostly
            (text,) = reply.texts
            variants = session.variants
            if variants.get(text.response) != 0:
                variants = {**variants, text.response: 0}
            return _Worded(reply, variants, text.suggestions)
    scope = _Scope(bot, session, now, values)
    said: list[Suggested] = []
    variants = session.variants
    handoff: Handing | None = None
    closed, unstaffed, blocked = session.closed, False, False
    for part in parts:
        if isinstance(part, Say):
            worded, variant = word(bot, session, part.response, scope)
            if variants.get(part.response) != variant:
                variants = {**variants, part.response: variant}
            if worded.text:
                said.append(worded)
        elif isinstance(part, _ModelText):
            said.append(Suggested(part.text))
        elif isinstance(part, HandOver):
            handoff = Handing(part.department)
        elif isinstance(part, NobodyThere):
            unstaffed = True
        else:
            closed = True
            blocked = blocked or part.block
    if otherwise and not said and handoff is None and not closed:
        worded, variant = word(bot, session, otherwise, scope)
        variants = {**variants, otherwise: variant}
        said.append(worded)
    reply = Reply(tuple(said), handoff, closed, unstaffed and handoff is None, blocked)
    return _Worded(reply, variants, offered(bot, session, said))


class _Scope(Struct, gc=False):
    """The names that texts see, made when the first text asks for them: most texts are plain and need none."""

    bot: Bot
    session: Session
    now: datetime
    values: Mapping[str, SlotValue]
    made: Scope | None = None

    def __call__(self) -> Scope:
        if self.made is None:
            self.made = scope_of(self.bot, self.session, self.now, self.values)
        return self.made


def _no_message(session: Session, now: datetime) -> Message:
    return Message("", session.id, "", session.channel, now)


def _changed(session: Session, worded: _Worded, history: tuple[Exchange, ...]) -> Session:
    return replace(
        session,
        version=session.version + 1,
        variants=worded.variants,
        closed=worded.reply.closed,
        offered=worded.offered,
        history=history,
    )


def _finished(bot: Bot, session: Session, worded: _Worded, turn: Turn, handler: str, topic: bool) -> Session:
    now, reply = turn.now, worded.reply
    said = turn.message.text[: bot.settings.limits.message_chars]
    exchange = Exchange(said, reply.text, handler, now, topic)
    return replace(
        session,
        version=session.version + 1,
        variants=worded.variants,
        closed=reply.closed,
        offered=worded.offered,
        history=_longer(bot, session, exchange),
        turns=session.turns + 1,
        updated_at=now,
        timeouts_fired=0,
    )


def _longer(bot: Bot, session: Session, exchange: Exchange) -> tuple[Exchange, ...]:
    most = bot.settings.limits.history
    return (*session.history, exchange)[-most:] if most > 0 else ()
