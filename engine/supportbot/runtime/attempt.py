"""One attempt at a turn, without waiting for anything: what was loaded and decided, and what follows from it.

Most turns need one. When another process went on with the session meanwhile, the next attempt starts from that.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from time import perf_counter

from msgspec import Struct
from msgspec.structs import replace

from supportbot.decision.conclude import conclude, welcome
from supportbot.decision.decide import decide
from supportbot.decision.suggestions import meant, understood
from supportbot.model.bot import Bot
from supportbot.model.decision import Decision, Outcome, Reply, Suggested
from supportbot.model.session import Message, Session, Turn
from supportbot.runtime.delivery import Delivery, owing, paid
from supportbot.runtime.opening import reopen
from supportbot.runtime.ports import Record, StoredReply
from supportbot.runtime.records import build_record, closed_record, left_record, standing_of, without_secrets
from supportbot.runtime.results import Render, TurnResult

GUESSED = "~"  # begins an id that was made from what a message says, because its channel gave none
WINDOW = timedelta(hours=76)  # in which a message id is known again: longer than any sender's retries
GUESS_WINDOW = timedelta(minutes=10)  # the same for guessed ids: later, the same words are said anew


class Asked(Struct, frozen=True):
    """What a turn is about. ``greets``: it begins a conversation without a question."""

    message: Message
    request_id: str
    greets: bool
    delivery: Delivery | None = None
    render: Render | None = None


class Stages:
    """How long each part of a turn takes."""

    __slots__ = ("began", "last", "seconds")

    def __init__(self) -> None:
        self.began = self.last = perf_counter()
        self.seconds: list[tuple[str, float]] = []

    def end(self, name: str) -> None:
        now = perf_counter()
        self.seconds.append((name, now - self.last))
        self.last = now


class Attempt:
    """``stored``: the session as the store has it. ``now``: the moment of the whole turn."""

    def __init__(self, bot: Bot, asked: Asked, stored: Session | None, now: datetime, stages: Stages) -> None:
        self.bot = bot
        self.asked = asked
        self.stored = stored
        self.now = now
        self.stages = stages
        self.opened = reopen(bot, stored, asked.message.session_id, asked.message.channel, now)
        before = self.opened.session
        self.turn = Turn(before, understood(before, fitted(bot, asked.message)), now)

    @property
    def wants_what_is_owed(self) -> bool:
        """Whether the visitor took the first suggestion of the text that was said instead of an answer."""
        stored = self.stored
        if stored is None or not stored.undelivered or not stored.offered or self.asked.greets:
            return False
        return meant(self.asked.message.text, stored.offered) == stored.offered[0]

    def decide(self) -> Decision | None:
        return None if self.asked.greets else decide(self.bot, self.turn)

    def conclude(self, decision: Decision | None, outcomes: tuple[Outcome, ...]) -> TurnResult:
        """The turn as it is to be committed."""
        bot, before = self.bot, self.opened.session
        conclusion = welcome(bot, self.turn) if decision is None else conclude(bot, self.turn, decision, outcomes)
        count = before.asked + (decision is not None)
        standing = standing_of(bot, before, conclusion, count)
        session = self._kept(conclusion.session, self.opened.version + 1, count, standing.person)
        seconds = perf_counter() - self.stages.began
        record = build_record(
            bot, self.turn, decision, outcomes, conclusion, self.asked.request_id, seconds, standing.result
        )
        reply = self._whole(conclusion.reply)
        return TurnResult(session, reply, decision, outcomes, record, self.stages.seconds, bot.revision)

    def conclude_again(
        self, decision: Decision, first: TurnResult, outcomes: tuple[Outcome, ...], now: datetime
    ) -> tuple[TurnResult, Record | None]:
        """The turn after its commit, with calls that ended until ``now``; the record of a conversation they closed."""
        conclusion = conclude(self.bot, self.turn, decision, outcomes)
        count = first.session.asked
        standing = standing_of(self.bot, self.opened.session, conclusion, count)
        session = self._kept(conclusion.session, first.session.version + 1, count, standing.person)
        result = replace(first, session=session, reply=self._whole(conclusion.reply), outcomes=outcomes)
        return result, closed_record(self.bot, first.session, session, standing.result, now)

    def hand_out(self) -> TurnResult:
        """The answer that is owed, and nothing else: no rule is looked for."""
        reply = self._whole(Reply(()))
        shown = reply.texts[-1].suggestions if reply.texts else ()
        session = replace(
            self.opened.session, undelivered=(), offered=shown, updated_at=self.now, version=self.opened.version + 1
        )
        return TurnResult(session, reply, None, (), None, (), self.bot.revision)

    def body(self, result: TurnResult) -> StoredReply | None:
        """The channel's body, to be kept for a message that is delivered again."""
        if self.asked.render is None:
            return None
        message = self.asked.message
        return StoredReply(message.id, self.asked.render(result), self.now, self.now - window(message))

    def body_again(self, result: TurnResult, now: datetime) -> StoredReply | None:
        """The body that takes the place of the one that was kept at the turn's commit."""
        if self.asked.render is None:
            return None
        return StoredReply(self.asked.message.id, self.asked.render(result), now, now + WINDOW)

    def kept(self, result: TurnResult) -> Session:
        """The session as it is stored: a reply that nobody waits for any more is owed."""
        return owing(result.session, result.reply, self.asked.delivery)

    def left(self) -> Record | None:
        """The record of the conversation before, when silence ended it since its last turn."""
        return left_record(self.bot, self.stored, self.opened.abandoned, self.now)

    @staticmethod
    def _kept(session: Session, version: int, asked: int, person: bool) -> Session:
        history = without_secrets(session.history)
        return replace(session, history=history, version=version, asked=asked, person=person, undelivered=())

    def _whole(self, reply: Reply) -> Reply:
        """What was owed and what time-outs said meanwhile comes first."""
        return paid(with_unheard(self.opened.unheard, reply), self.stored.undelivered if self.stored else ())


def window(message: Message) -> timedelta:
    """In which the message's id is known again."""
    return GUESS_WINDOW if message.id.startswith(GUESSED) else WINDOW


def with_unheard(unheard: Sequence[Suggested], reply: Reply) -> Reply:
    return replace(reply, texts=(*unheard, *reply.texts)) if unheard else reply


def fitted(bot: Bot, message: Message) -> Message:
    """The message cut to what is matched, with every text storable: lone surrogates cannot be written as UTF-8."""
    text = message.text[: bot.settings.limits.message_chars]
    if text.isascii() and not message.visitor:
        return message if len(text) == len(message.text) else replace(message, text=text)
    visitor = {_storable(name): _storable(value) for name, value in message.visitor.items()}
    return replace(message, text=_storable(text), visitor=visitor)


def _storable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
