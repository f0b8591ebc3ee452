"""One turn from end to end: session and message in, committed session, record and reply out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import perf_counter

from msgspec import Struct
from msgspec.structs import replace

from supportbot.decision.conclude import aside, conclude, reset, settle, welcome
from supportbot.decision.decide import decide
from supportbot.decision.suggestions import meant, understood
from supportbot.decision.timeouts import elapse
from supportbot.errors import StoreError
from supportbot.model.bot import Bot
from supportbot.model.decision import CallModel, Conclusion, Decision, Outcome, Reply
from supportbot.model.session import Message, Session, Turn
from supportbot.model.steps import Step
from supportbot.runtime.budget import SpentModel, is_spent
from supportbot.runtime.conflicts import TRIES, Done, pause, persist
from supportbot.runtime.delivery import Delivery, deliver, owing, owing_more, paid
from supportbot.runtime.effects import run_effects
from supportbot.runtime.locks import SessionLocks
from supportbot.runtime.opening import Opened, reopen
from supportbot.runtime.pending import NOTHING_QUEUED, CallDesk, end_of, with_ends
from supportbot.runtime.ports import Actions, Clock, Conflict, Model, Record, Store, StoredReply
from supportbot.runtime.queued import CallChanges, QueuedCall
from supportbot.runtime.records import (
    build_record,
    closed_record,
    idle_result,
    left_record,
    silence_record,
    standing_of,
    without_secrets,
)

GUESSED = "~"  # begins an id that was made from what a message says, because its channel gave none
WINDOW = timedelta(hours=76)  # in which a message id is known again: longer than any sender's retries
GUESS_WINDOW = timedelta(minutes=10)  # the same for guessed ids: later, the same words are said anew


class TurnResult(Struct, frozen=True):
    """``decision`` is None for a greeting, ``record`` None where nothing was said by the visitor.

    ``stages``: name and seconds of each part of the turn. ``revision``: of the bot that answered.
    """

    session: Session
    reply: Reply
    decision: Decision | None
    outcomes: tuple[Outcome, ...]
    record: Record | None
    stages: Sequence[tuple[str, float]] = ()
    revision: str = ""


Render = Callable[[TurnResult], bytes]


class Answer(Struct, frozen=True):
    """The body for the channel. ``result`` is None for a message that was answered before: the body is that answer."""

    body: bytes
    result: TurnResult | None


class _Asked(Struct, frozen=True):
    """What a turn is about. ``greets``: it begins a conversation without a question."""

    message: Message
    request_id: str
    greets: bool
    delivery: Delivery | None = None
    render: Render | None = None


class Conversations:
    """Takes messages, one at a time for each session. Raises StoreError only; then nothing of the turn was kept."""

    def __init__(
        self,
        bot: Bot,
        store: Store,
        model: Model,
        actions: Actions,
        clock: Clock,
        outbox: CallDesk | None = None,
    ) -> None:
        """``outbox``: queues actions with the turn; without one ``actions`` runs them at once."""
        self.bot = bot  # may be exchanged between two turns; a turn reads it once
        self.store = store
        self.model = model
        self.actions = actions
        self.clock = clock
        self.outbox = outbox
        self._locks = SessionLocks()

    async def take(self, message: Message, request_id: str = "", delivery: Delivery | None = None) -> TurnResult:
        """Answer a message. On return the turn is stored, and a reply that nobody waited for is pushed or owed."""
        async with self._locks.hold(message.session_id):
            return await self._turn(_Asked(message, request_id, False, delivery))

    async def begin(self, message: Message, request_id: str = "", delivery: Delivery | None = None) -> TurnResult:
        """Open a conversation without a question: the greeting."""
        async with self._locks.hold(message.session_id):
            return await self._turn(_Asked(message, request_id, True, delivery))

    async def answer(
        self,
        message: Message,
        request_id: str,
        render: Render,
        *,
        greets: bool = False,
        delivery: Delivery | None = None,
    ) -> Answer:
        """Like ``take`` or ``begin``, with the channel's body stored in the same transaction as the turn.

        A message id that the session knows gets the stored body again and nothing happens; while the first
        delivery is still in work, the repeated one waits for it.
        """
        async with self._locks.hold(message.session_id):
            known = await self._known(message)
            if known is not None:
                return Answer(known, None)
            bodies: list[bytes] = []

            def rendered(result: TurnResult) -> bytes:
                bodies[:] = [render(result)]
                return bodies[0]

            try:
                result = await self._turn(_Asked(message, request_id, greets, delivery, rendered))
            except Conflict:  # another process may have answered this very message
                known = await self._known(message)
                if known is None:
                    raise
                return Answer(known, None)
            return Answer(bodies[0], result)

    async def aside(
        self, message: Message, steps: Sequence[Step], request_id: str = "", delivery: Delivery | None = None
    ) -> TurnResult:
        """Do steps that no message asked for, e.g. when nobody took a conversation over. Nothing is handed over."""
        bot = self.bot

        async def once() -> TurnResult:
            now = self.clock.now()
            stored = await self.store.load(message.session_id)
            opened = reopen(bot, stored, message.session_id, message.channel, now)
            done = aside(bot, opened.session, steps, now)
            reply = paid(_with_unheard(opened, done.reply), stored.undelivered if stored is not None else ())
            session = replace(done.session, version=opened.version + 1, undelivered=(), person=False)
            result = standing_of(bot, replace(opened.session, person=False), done, opened.session.asked).result
            record = silence_record(bot, opened.session, session, now, reply.text, result)
            left = left_record(bot, stored, opened.abandoned, now)
            await self.store.commit(owing(session, reply, delivery), record, None, left)
            return TurnResult(session, reply, None, (), record, (), bot.revision)

        async with self._locks.hold(message.session_id):
            result = await persist(once)
            return replace(result, session=await deliver(self.store, result.session, result.reply, delivery))

    async def silence(self, session_id: str, *, close: bool = False) -> TurnResult | None:
        """Let time-outs happen that are due now, and say what they say; None when nothing happens.

        ``close``: end the conversation after that when it was idle for longer than ``session_minutes``.
        """
        bot = self.bot
        async with self._locks.hold(session_id):
            session = await self.store.load(session_id)
            if session is None or session.closed:
                return None
            now = self.clock.now()
            passed = elapse(bot, session, now)
            close = close and (now - session.updated_at).total_seconds() >= bot.settings.limits.session_minutes * 60
            if passed is None and not close:
                return None
            conclusion = passed or Conclusion(session, Reply(()))
            after = replace(conclusion.session, person=standing_of(bot, session, conclusion, session.asked).person)
            after = replace(after, closed=close or after.closed, version=session.version + 1)
            result = idle_result(bot, session, after) if after.closed else ""
            record = silence_record(bot, session, after, now, conclusion.reply.text, result)
            await self.store.commit(after, record)
            return TurnResult(after, conclusion.reply, None, (), record, (), bot.revision)

    async def reset(self, session_id: str) -> bool:
        """Start that conversation again; False when there is none."""
        bot = self.bot

        async def once() -> bool:
            session = await self.store.load(session_id)
            if session is None:
                return False
            now = self.clock.now()
            fresh = replace(reset(bot, session, now), version=session.version + 1)
            await self.store.commit(fresh, None, None, left_record(bot, session, session, now))
            return True

        async with self._locks.hold(session_id):
            return await persist(once)

    async def erase(self, session_id: str) -> bool:
        """Remove everything of that session; False when there was nothing."""
        async with self._locks.hold(session_id):
            return await self.store.delete(session_id)

    # --- inside ------------------------------------------------------------------------------

    async def _known(self, message: Message) -> bytes | None:
        await self.store.load(message.session_id)  # with it the store learns which replies there are
        return await self.store.reply(message.session_id, message.id, self.clock.now() - _window(message))

    async def _turn(self, asked: _Asked) -> TurnResult:
        bot, done, tries = self.bot, Done(), 1
        while True:
            try:
                result = await self._once(bot, asked, done)
            except Conflict:  # another process went on with the session meanwhile
                if tries == TRIES or (asked.render is not None and await self._known(asked.message) is not None):
                    raise
                await pause(tries)
                tries += 1
            else:
                session = await deliver(self.store, result.session, result.reply, asked.delivery)
                return result if session is result.session else replace(result, session=session)

    async def _once(self, bot: Bot, asked: _Asked, done: Done) -> TurnResult:
        started, now = perf_counter(), self.clock.now()
        stored = await self.store.load(asked.message.session_id)
        loaded = perf_counter()
        opened = reopen(bot, stored, asked.message.session_id, asked.message.channel, now)
        if stored is not None and not asked.greets and _asks_for_more(stored, asked.message):
            return await self._hand_out(bot, opened, stored, asked)
        turn = Turn(opened.session, understood(opened.session, _fitted(bot, asked.message)), now)
        decision = None if asked.greets else decide(bot, turn)
        decided = perf_counter()
        outcomes: tuple[Outcome, ...] = ()
        queued = NOTHING_QUEUED
        if decision is not None:
            decision, known = done.fitted(decision)
        if decision is not None and decision.effects:
            model = await self._affordable(bot, turn, decision)
            if self.outbox is not None:
                queued = self.outbox.queue(bot, turn, decision)
            outcomes = await run_effects(bot, turn, decision, model, self.actions, (*queued.outcomes, *known))
            done.keep(decision, outcomes, queued.outcomes)
        acted = perf_counter()
        conclusion = welcome(bot, turn) if decision is None else conclude(bot, turn, decision, outcomes)
        count = opened.session.asked + (decision is not None)
        standing = standing_of(bot, opened.session, conclusion, count)
        seconds = perf_counter() - started
        record = build_record(bot, turn, decision, outcomes, conclusion, asked.request_id, seconds, standing.result)
        reply = paid(_with_unheard(opened, conclusion.reply), stored.undelivered if stored is not None else ())
        session = replace(
            conclusion.session,
            history=without_secrets(conclusion.session.history),
            version=opened.version + 1,
            asked=count,
            person=standing.person,
            undelivered=(),
        )
        concluded = perf_counter()
        stages = [
            ("load", loaded - started),
            ("decide", decided - loaded),
            ("effects", acted - decided),
            ("conclude", concluded - acted),
        ]
        result = TurnResult(session, reply, decision, outcomes, record, stages, bot.revision)
        body = None if asked.render is None else _stored(asked.message, asked.render(result), now)
        try:
            ended = left_record(bot, stored, opened.abandoned, now)
            kept = owing(session, reply, asked.delivery)
            if queued.calls:
                await self.store.commit(kept, record, body, ended, CallChanges(queued.calls))
            else:
                await self.store.commit(kept, record, body, ended)
        except BaseException:
            if self.outbox is not None:
                self.outbox.forget(queued)
            raise
        stages.append(("commit", perf_counter() - concluded))
        if self.outbox is None or decision is None or not queued.calls:
            return result
        ended_calls = await self.outbox.wait(queued)
        return await self._with_ends(bot, asked, turn, decision, result, stored, opened, ended_calls)

    async def _with_ends(
        self,
        bot: Bot,
        asked: _Asked,
        turn: Turn,
        decision: Decision,
        first: TurnResult,
        stored: Session | None,
        opened: Opened,
        calls: Sequence[QueuedCall],
    ) -> TurnResult:
        """The turn as if the calls that ended in time had been done at once. What fails here is told later."""
        if not calls:
            return first
        outcomes = with_ends(first.outcomes, calls)
        conclusion = conclude(bot, turn, decision, outcomes)
        standing = standing_of(bot, opened.session, conclusion, first.session.asked)
        reply = paid(_with_unheard(opened, conclusion.reply), stored.undelivered if stored is not None else ())
        session = replace(
            conclusion.session,
            history=without_secrets(conclusion.session.history),
            version=first.session.version + 1,
            asked=first.session.asked,
            person=standing.person,
            undelivered=(),
        )
        result = replace(first, session=session, reply=reply, outcomes=outcomes)
        now = self.clock.now()
        body = None if asked.render is None else StoredReply(asked.message.id, asked.render(result), now, now + WINDOW)
        told = CallChanges(told=tuple(call.id for call in calls))
        try:
            closed = closed_record(bot, first.session, session, standing.result, now)
            await self.store.commit(owing(session, reply, asked.delivery), closed, body, None, told)
        except StoreError:
            if asked.render is not None:
                asked.render(first)
            return first
        return result

    async def tell(self, call: QueuedCall) -> None:
        """Take up how a call ended after its turn: it is said first in the visitor's next one. Raises StoreError."""
        async with self._locks.hold(call.session_id):
            for last in (False, False, True):
                if self.outbox is None or await self.outbox.is_told(call):
                    return
                bot, session = self.bot, await self.store.load(call.session_id)
                if session is None or call.action not in bot.actions:
                    await self.outbox.mark_told(call)
                    return
                now = self.clock.now()
                done = settle(bot, session, *end_of(call), now)
                standing = standing_of(bot, session, done, session.asked)
                after = replace(owing_more(done.session, done.reply), person=standing.person)
                closed = closed_record(bot, session, after, standing.result, now)
                try:
                    await self.store.commit(after, closed, None, None, CallChanges(told=(call.id,)))
                    return
                except Conflict:
                    if last:
                        raise

    async def _affordable(self, bot: Bot, turn: Turn, decision: Decision) -> Model:
        asks = any(isinstance(effect, CallModel) for effect in decision.effects)
        if asks and self.model.configured and await is_spent(bot, self.store, turn.session.id, turn.now):
            return SpentModel()
        return self.model

    async def _hand_out(self, bot: Bot, opened: Opened, stored: Session, asked: _Asked) -> TurnResult:
        """The visitor asks for the answer that is owed, and for nothing else: no rule is looked for."""
        reply, now = paid(_with_unheard(opened, Reply(())), stored.undelivered), self.clock.now()
        shown = reply.texts[-1].suggestions if reply.texts else ()
        session = replace(opened.session, undelivered=(), offered=shown, updated_at=now, version=opened.version + 1)
        result = TurnResult(session, reply, None, (), None, (), bot.revision)
        body = None if asked.render is None else _stored(asked.message, asked.render(result), now)
        left = left_record(bot, stored, opened.abandoned, now)
        await self.store.commit(owing(session, reply, asked.delivery), None, body, left)
        return result


def _asks_for_more(session: Session, message: Message) -> bool:
    """Whether the visitor took the first suggestion of the text that was said instead of an answer."""
    offered = session.offered if session.undelivered else ()
    return bool(offered) and meant(message.text, offered) == offered[0]


def _window(message: Message) -> timedelta:
    return GUESS_WINDOW if message.id.startswith(GUESSED) else WINDOW


def _stored(message: Message, body: bytes, now: datetime) -> StoredReply:
    return StoredReply(message.id, body, now, now - _window(message))


def _with_unheard(opened: Opened, reply: Reply) -> Reply:
    return replace(reply, texts=(*opened.unheard, *reply.texts)) if opened.unheard else reply


def _fitted(bot: Bot, message: Message) -> Message:
    """The message cut to what is matched, with every text storable: lone surrogates cannot be written as UTF-8."""
    text = _storable(message.text[: bot.settings.limits.message_chars])
    visitor = {_storable(name): _storable(value) for name, value in message.visitor.items()}
    return (
        message if text == message.text and visitor == message.visitor else replace(message, text=text, visitor=visitor)
    )


def _storable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
