"""The decision record of a turn: who decided what and why it may be looked up later, without personal data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from supportbot.decision.conclude import PENDING
from supportbot.model.bot import Bot
from supportbot.model.decision import CallAction, Conclusion, Decision, Outcome
from supportbot.model.session import Exchange, Session, Turn
from supportbot.runtime.ids import new_id
from supportbot.runtime.masking import mask, mask_secrets
from supportbot.runtime.ports import Record

GREETING = "greeting"  # handler and kind of a record that a greeting wrote
SILENCE = "timeout"  # of one that a silence wrote
_MAX_CHARS = 4_000
_CHARS_PER_TOKEN = 4
_QUARTER = 900  # seconds
_BOTS = 8
_KNOWLEDGE: dict[str, int] = {}  # tokens, by revision


class Standing(Struct, frozen=True, gc=False):
    """How a conversation stands after a turn, for reports. ``result``: empty while it goes on."""

    person: bool
    result: str


def standing_of(bot: Bot, before: Session, conclusion: Conclusion, asked: int) -> Standing:
    """A conversation in which nobody asked anything has no result."""
    after = conclusion.session
    person = before.person or conclusion.reply.handoff is not None or after.state in bot.settings.operations.person
    if not after.closed or not asked:
        return Standing(person, "")
    return Standing(person, "person" if person else _result(bot, before, after, "closed"))


def idle_result(bot: Bot, before: Session, after: Session) -> str:
    """The result of a conversation that nobody went on with. ``after``: what the silence made of it."""
    if not before.asked:
        return ""
    person = before.person or {before.state, after.state} & bot.settings.operations.person
    return "person" if person else _result(bot, before, after, "abandoned")


def _result(bot: Bot, before: Session, after: Session, otherwise: str) -> str:
    """A solved problem stays solved when the conversation is closed afterwards, by a word or by silence."""
    return "resolved" if {before.state, after.state} & bot.settings.operations.resolved else otherwise


def build_record(
    bot: Bot,
    turn: Turn,
    decision: Decision | None,
    outcomes: Sequence[Outcome],
    conclusion: Conclusion,
    request_id: str,
    elapsed: float,
    result: str = "",
) -> Record:
    """``decision`` None stands for a greeting. ``elapsed``: seconds from reading the session to its reply."""
    done = _done(outcomes) if outcomes else _NOTHING_DONE
    before, message, after = turn.session, turn.message, conclusion.session
    return Record(  # by position: so many names would cost more than all the rest
        new_id(),
        before.id,
        message.id,
        request_id,
        turn.now,  # at
        bot.revision,
        message.channel,
        mask(message.text)[:_MAX_CHARS],
        _masked_reply(conclusion.reply.text)[:_MAX_CHARS],
        before.state,
        after.state,  # next_state
        after.category,
        decision.handler if decision else GREETING,
        decision.kind if decision else GREETING,
        done.actions,
        done.model,
        done.tokens_in,
        done.tokens_out,
        done.error,
        elapsed,
        day_of(bot, turn.now),
        conversation_of(before),
        decision is not None and before.asked == 0,  # opening
        result,
        done.cost,
        max(0, knowledge_tokens(bot) - done.tokens_in) if decision else 0,  # saved
    )


class _Done(Struct, frozen=True, gc=False):
    """What the outcomes of a turn come to; the names are those of a record."""

    actions: tuple[str, ...] = ()
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    error: str = ""
    cost: float = 0.0


_NOTHING_DONE = _Done()


def _done(outcomes: Sequence[Outcome]) -> _Done:
    actions: list[str] = []
    model, tokens_in, tokens_out, error, cost = "", 0, 0, "", 0.0
    for outcome in outcomes:
        if isinstance(outcome.effect, CallAction):
            actions.append(outcome.effect.action)
        else:
            model = model or outcome.model
            tokens_in += outcome.tokens_in
            tokens_out += outcome.tokens_out
            cost += outcome.cost
        if not error and outcome.error != PENDING:
            error = outcome.error
    return _Done(tuple(actions), model, tokens_in, tokens_out, error, cost)


def without_secrets(history: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
    """The history as it is stored: no password, card number, key or remote-session id in its last exchange."""
    if not history:
        return history
    last = history[-1]
    said, answered = mask_secrets(last.said), _reply_without_secrets(last.answered)
    if said == last.said and answered == last.answered:
        return history
    return (*history[:-1], replace(last, said=said, answered=answered))


def silence_record(bot: Bot, before: Session, after: Session, now: datetime, reply: str, result: str) -> Record:
    """The record of time-outs, or of an idle conversation that was closed."""
    return Record(
        id=new_id(),
        session_id=after.id,
        message_id="",
        request_id="",
        at=now,
        revision=bot.revision,
        channel=after.channel,
        text="",
        reply=_masked_reply(reply)[:_MAX_CHARS],
        state=before.state,
        next_state=after.state,
        category=after.category,
        handler=SILENCE,
        kind=SILENCE,
        day=day_of(bot, now),
        conversation=conversation_of(before),
        result=result,
    )


def left_record(bot: Bot, stored: Session | None, ended: Session | None, now: datetime) -> Record | None:
    """The record of a conversation that was left before the next one of its session begins.

    ``ended``: what the silence since then made of the stored one.
    """
    if stored is None or ended is None or stored.closed:
        return None
    return silence_record(bot, stored, ended, now, "", idle_result(bot, stored, ended))


def closed_record(bot: Bot, before: Session, after: Session, result: str, now: datetime) -> Record | None:
    """The record of a conversation that the end of an action closed, when its turn was recorded already."""
    return silence_record(bot, before, after, now, "", result) if after.closed and not before.closed else None


def day_of(bot: Bot, now: datetime) -> str:
    """The date where the bot works."""
    return _day(bot.settings.hours.zone, int(now.timestamp()) // _QUARTER)


@lru_cache(maxsize=64)
def _day(zone: ZoneInfo, quarter: int) -> str:
    """Midnight and every change of the clocks fall on a quarter of an hour, so a date holds for all of one."""
    return datetime.fromtimestamp(quarter * _QUARTER, zone).date().isoformat()


def conversation_of(session: Session) -> str:
    begun = session.created_at
    return _in_utc(begun) if begun.tzinfo is UTC else begun.isoformat()


@lru_cache(maxsize=4_096)
def _in_utc(moment: datetime) -> str:
    """Equal moments are written differently in different zones: this is for one of them."""
    return moment.isoformat()


def knowledge_tokens(bot: Bot) -> int:
    """About how many tokens a turn would take if all knowledge were sent with it: the system text and all sections."""
    known = _KNOWLEDGE.get(bot.revision)
    if known is None:
        system = bot.settings.llm.system
        sections = [category.prompt or "" for category in bot.categories.values()]
        known = sum(map(len, (system.source if system else "", *sections))) // _CHARS_PER_TOKEN
        if len(_KNOWLEDGE) > _BOTS:
            _KNOWLEDGE.clear()
        _KNOWLEDGE[bot.revision] = known
    return known


# What a bot says is said often; what its visitors wrote is masked each time.
_masked_reply = lru_cache(maxsize=2_048)(mask)
_reply_without_secrets = lru_cache(maxsize=2_048)(mask_secrets)
