"""The end of a turn: what became of the effects, what is said, how the conversation stands. Pure and total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial

from supportbot.decision.decide import known_session
from supportbot.decision.draft import Draft
from supportbot.decision.wording import word
from supportbot.model.bot import Bot
from supportbot.model.decision import (
    CallAction,
    CallModel,
    Close,
    Conclusion,
    Decision,
    Handing,
    HandOver,
    Outcome,
    Output,
    Reply,
    Say,
    Suggested,
)
from supportbot.model.session import Exchange, Message, Session, SlotValue, Turn

REQUEST = "REQUEST:"  # the last line of a model's answer may ask for a declared effect
GREETING = "greeting"
SILENCE = "timeout"


@dataclass(frozen=True, slots=True)
class _ModelText:
    text: str


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
    draft = Draft(bot, decision.session, turn.message, turn.now)
    parts: list[Output | _ModelText] = list(decision.outputs)
    values: dict[str, SlotValue] = {}
    notes: list[str] = []
    by_effect = {id(outcome.effect): outcome for outcome in outcomes}
    for effect in decision.effects:
        outcome = by_effect.get(id(effect)) or next((item for item in outcomes if item.effect == effect), None)
        outcome = outcome or Outcome(effect, ok=False, error="off")
        if isinstance(effect, CallAction):
            values |= outcome.values
            _after_action(draft, effect, outcome)
        else:
            parts.extend(_after_model(draft, effect, outcome, notes))
        parts.extend(draft.outputs)
        draft.outputs.clear()
    reply, session = _reply(bot, draft.session, parts, values, turn.now, bot.settings.fallback)
    topic = decision.kind == "llm" or (decision.kind == "guide" and bool(bot.guides[decision.handler].steps))
    session = _finished(bot, session, turn, reply, decision.handler, topic)
    return Conclusion(session, reply, tuple(draft.triggers), "; ".join(notes))


def welcome(bot: Bot, turn: Turn) -> Conclusion:
    """The greeting of a conversation that begins without a question."""
    parts: list[Output | _ModelText] = [Say(bot.settings.greeting)] if bot.settings.greeting else []
    reply, session = _reply(bot, known_session(bot, turn), parts, {}, turn.now)
    return Conclusion(_finished(bot, session, turn, reply, GREETING, False), reply)


def silence(
    bot: Bot, session: Session, outputs: Sequence[Output], triggers: Sequence[str], now: datetime
) -> Conclusion:
    """The reply to a silence: what time-outs say, without a message of the visitor."""
    reply, session = _reply(bot, session, list(outputs), {}, now)
    if reply.texts:
        exchange = Exchange("", reply.text, SILENCE, now)
        session = replace(session, history=_longer(session, exchange, bot.settings.limits.history))
    return Conclusion(replace(session, version=session.version + 1), reply, tuple(triggers))


def _after_action(draft: Draft, effect: CallAction, outcome: Outcome) -> None:
    action = draft.bot.actions[effect.action]
    if outcome.ok:
        draft.remember(outcome.values)
        draft.run(action.on_success)
    elif outcome.error == "off" and action.when_off:
        draft.run(action.when_off)
    else:
        draft.run(action.on_failure)


def _after_model(draft: Draft, effect: CallModel, outcome: Outcome, notes: list[str]) -> list[Output | _ModelText]:
    settings = draft.bot.settings.llm
    text, request = _split_request(outcome.text) if outcome.ok else ("", "")
    if not text and not request:
        notes.append(f"the model gave no answer: {outcome.error or 'empty'}")
        draft.run(settings.unavailable)
        return []
    parts: list[Output | _ModelText] = [_ModelText(text)] if text else []
    steps = settings.requests.get(request) if request else None
    if steps is not None:
        draft.run(steps)
    else:
        if request:
            notes.append(f"the model asked for {request!r}, which is not declared")
        draft.run(settings.answered)
    return parts


def _split_request(text: str) -> tuple[str, str]:
    """The answer without its last line when that is a request; and the request's name."""
    body, _, last = text.strip().rpartition("\n")
    if last.strip().upper().startswith(REQUEST):
        return body.strip(), last.strip()[len(REQUEST) :].strip()
    return text.strip(), ""


def _reply(
    bot: Bot,
    session: Session,
    parts: Sequence[Output | _ModelText],
    values: Mapping[str, SlotValue],
    now: datetime,
    otherwise: str | None = None,
) -> tuple[Reply, Session]:
    """The parts in words. ``otherwise``: said to a visitor who would hear nothing at all."""
    draft = Draft(bot, session, _no_message(session, now), now)
    scope = cache(partial(draft.scope, values))  # most texts are plain and need none
    said: list[Suggested] = []
    variants = dict(session.variants)
    handoff: Handing | None = None
    for part in parts:
        if isinstance(part, Say):
            worded, variants[part.response] = word(bot, session, part.response, scope)
            said.append(worded)
        elif isinstance(part, _ModelText):
            said.append(Suggested(part.text))
        elif isinstance(part, HandOver):
            handoff = Handing(part.department)
    said = [part for part in said if part.text]
    closed = session.closed or any(isinstance(part, Close) for part in parts)
    if otherwise and not said and handoff is None and not closed:
        worded, variants[otherwise] = word(bot, session, otherwise, scope)
        said.append(worded)
    return Reply(tuple(said), handoff, closed), replace(session, variants=variants, closed=closed)


def _no_message(session: Session, now: datetime) -> Message:
    return Message("", session.id, "", session.channel, now)


def _finished(bot: Bot, session: Session, turn: Turn, reply: Reply, handler: str, topic: bool) -> Session:
    limits = bot.settings.limits
    said = turn.message.text[: limits.message_chars]
    exchange = Exchange(said, reply.text, handler, turn.now, topic)
    return replace(
        session,
        history=_longer(session, exchange, limits.history),
        turns=session.turns + 1,
        updated_at=turn.now,
        timeouts_fired=0,
        version=session.version + 1,
    )


def _longer(session: Session, exchange: Exchange, most: int) -> tuple[Exchange, ...]:
    return (*session.history, exchange)[-most:] if most > 0 else ()
