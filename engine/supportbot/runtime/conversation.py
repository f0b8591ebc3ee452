"""One turn from end to end: session and message in, committed session, record and reply out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from supportbot.decision.conclude import aside, reset, settle
from supportbot.decision.timeouts import elapse
from supportbot.errors import StoreError
from supportbot.model.bot import Bot
from supportbot.model.decision import CallModel, Conclusion, Decision, Outcome, Reply
from supportbot.model.session import Message, Session, Turn
from supportbot.model.steps import Step
from supportbot.runtime.attempt import Asked, Attempt, Stages, window, with_unheard
from supportbot.runtime.budget import SpentModel, is_spent
from supportbot.runtime.conflicts import TRIES, Done, pause, persist
from supportbot.runtime.delivery import Delivery, deliver, owing, owing_more, paid
from supportbot.runtime.effects import outcomes_at_once, run_effects
from supportbot.runtime.locks import SessionLocks
from supportbot.runtime.opening import reopen
from supportbot.runtime.pending import NOTHING_QUEUED, CallDesk, Queued, end_of, with_ends
from supportbot.runtime.ports import Actions, Clock, Conflict, Model, Store
from supportbot.runtime.queued import NO_CHANGES, CallChanges, QueuedCall
from supportbot.runtime.records import closed_record, idle_result, left_record, silence_record, standing_of
from supportbot.runtime.results import Answer, Render, TurnResult

Over = Callable[[Answer, Exception | None], None]  # the answer, which holds only when nothing went wrong


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
            return await self._turn(Asked(message, request_id, False, delivery))

    async def begin(self, message: Message, request_id: str = "", delivery: Delivery | None = None) -> TurnResult:
        """Open a conversation without a question: the greeting."""
        async with self._locks.hold(message.session_id):
            return await self._turn(Asked(message, request_id, True, delivery))

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
                result = await self._turn(Asked(message, request_id, greets, delivery, rendered))
            except Conflict:  # another process may have answered this very message
                known = await self._known(message)
                if known is None:
                    raise
                return Answer(known, None)
            return Answer(bodies[0], result)

    def at_once(self, asked: Asked, over: Over) -> bool:
        """Answer the usual message without a wait before its commit. False: ``answer`` has to, and nothing happened.

        Usual: nobody else is at the session, which is in memory, the message is new, and the decision asks nothing
        of the outside world. ``over`` is called in the event loop, not before this returns. Raises StoreError.
        """
        message = asked.message
        stored = self.store.at_hand(message.session_id, message.id)
        if stored is None or not self._locks.take(message.session_id):
            return False
        committing = False
        try:
            committing = self._commit_at_once(asked, stored, over)
        finally:
            if not committing:
                self._locks.release(message.session_id)
        return committing

    def _commit_at_once(self, asked: Asked, stored: Session, over: Over) -> bool:
        stages = Stages()
        attempt = Attempt(self.bot, asked, stored, asked.message.at, stages)
        stages.end("load")
        if attempt.wants_what_is_owed:
            return False
        decision = attempt.decide()
        stages.end("decide")
        outcomes = outcomes_at_once(decision, self.model) if decision is not None else ()
        if outcomes is None:
            return False
        stages.end("effects")
        result = attempt.conclude(decision, outcomes)
        reply = attempt.body(result)
        assert reply is not None
        stages.end("conclude")

        def committed(failure: Exception | None) -> None:
            self._locks.release(stored.id)
            stages.end("commit")
            over(Answer(reply.body, result), failure)

        self.store.hand_in(result.session, result.record, reply, attempt.left(), committed)
        return True

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
            reply = paid(with_unheard(opened.unheard, done.reply), stored.undelivered if stored is not None else ())
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
        return await self.store.reply(message.session_id, message.id, self.clock.now() - window(message))

    async def _turn(self, asked: Asked) -> TurnResult:
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

    async def _once(self, bot: Bot, asked: Asked, done: Done) -> TurnResult:
        stages, now = Stages(), self.clock.now()
        stored = await self.store.load(asked.message.session_id)
        stages.end("load")
        attempt = Attempt(bot, asked, stored, now, stages)
        if attempt.wants_what_is_owed:
            result = attempt.hand_out()
            await self._commit(attempt, result, NOTHING_QUEUED)
            return result
        decision = attempt.decide()
        stages.end("decide")
        outcomes: tuple[Outcome, ...] = ()
        queued = NOTHING_QUEUED
        if decision is not None:
            decision, known = done.fitted(decision)
            if decision.effects:
                outcomes, queued = await self._act(attempt, decision, known)
                done.keep(decision, outcomes, queued.outcomes)
        stages.end("effects")
        result = attempt.conclude(decision, outcomes)
        stages.end("conclude")
        await self._commit(attempt, result, queued)
        stages.end("commit")
        return result if decision is None else await self._with_ends(attempt, decision, result, queued)

    async def _act(
        self, attempt: Attempt, decision: Decision, known: Sequence[Outcome]
    ) -> tuple[tuple[Outcome, ...], Queued]:
        """The outcomes of a decision's effects; calls are queued where there is an outbox."""
        bot, turn = attempt.bot, attempt.turn
        model = await self._affordable(bot, turn, decision)
        queued = NOTHING_QUEUED if self.outbox is None else self.outbox.queue(bot, turn, decision)
        outcomes = await run_effects(bot, turn, decision, model, self.actions, (*queued.outcomes, *known))
        return outcomes, queued

    async def _commit(self, attempt: Attempt, result: TurnResult, queued: Queued) -> None:
        changes = CallChanges(queued.calls) if queued.calls else NO_CHANGES
        try:
            body = attempt.body(result)
            await self.store.commit(attempt.kept(result), result.record, body, attempt.left(), changes)
        except BaseException:
            if self.outbox is not None:
                self.outbox.forget(queued)
            raise

    async def _with_ends(self, attempt: Attempt, decision: Decision, first: TurnResult, queued: Queued) -> TurnResult:
        """The turn as if the calls that end in time had been done at once. What fails here is told later."""
        if self.outbox is None or not queued.calls:
            return first
        calls = await self.outbox.wait(queued)
        if not calls:
            return first
        now = self.clock.now()
        result, closed = attempt.conclude_again(decision, first, with_ends(first.outcomes, calls), now)
        body = attempt.body_again(result, now)
        told = CallChanges(told=tuple(call.id for call in calls))
        try:
            await self.store.commit(attempt.kept(result), closed, body, None, told)
        except StoreError:
            if attempt.asked.render is not None:
                attempt.asked.render(first)
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
