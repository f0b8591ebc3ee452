"""Between a turn and the outbox: effects become queued calls, calls that ended become outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from supportbot.decision.conclude import PENDING
from supportbot.model.bot import Bot
from supportbot.model.chains import chain_of
from supportbot.model.decision import CallAction, Decision, Outcome
from supportbot.model.session import Turn
from supportbot.runtime.calls import call_scope, new_reference, sendable
from supportbot.runtime.outbox import OutboxWorker
from supportbot.runtime.queued import Outbox, QueuedCall

WAIT = 2.5  # seconds that a reply waits for an action, when the bot does not say


@dataclass(frozen=True, slots=True)
class Queued:
    """``outcomes``: of all actions of the turn, in their order: pending or off."""

    calls: tuple[QueuedCall, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


NOTHING_QUEUED = Queued()


class CallDesk:
    """Where turns hand in their calls. ``wait_seconds``: how long a reply waits for them."""

    def __init__(self, worker: OutboxWorker, outbox: Outbox, wait_seconds: float = WAIT) -> None:
        self._worker = worker
        self._outbox = outbox
        self.wait_seconds = wait_seconds  # a reload may change it

    def queue(self, bot: Bot, turn: Turn, decision: Decision) -> Queued:
        """The calls of a decision. Nothing is written; that is the turn's commit."""
        calls: list[QueuedCall] = []
        outcomes: list[Outcome] = []
        moment = turn.now.timestamp()
        for effect in decision.effects:
            if not isinstance(effect, CallAction):
                continue
            if self._worker.missing(bot, bot.actions[effect.action]):
                outcomes.append(Outcome(effect, ok=False, error="off"))
                continue
            reference = new_reference()
            scope = call_scope(bot, decision.session, effect.slots, turn.now, reference)
            chain = chain_of(bot.actions[effect.action], bot.actions) or (effect.action,)
            session_id, slots = turn.session.id, sendable(effect.slots)
            call = QueuedCall(reference, session_id, effect.action, slots, scope, chain, moment, moment)
            calls.append(call)
            outcomes.append(Outcome(effect, ok=False, error=PENDING, text=reference))
        self._worker.expect(call.id for call in calls)
        return Queued(tuple(calls), tuple(outcomes))

    def forget(self, queued: Queued) -> None:
        self._worker.forget(call.id for call in queued.calls)

    async def wait(self, queued: Queued) -> tuple[QueuedCall, ...]:
        """The calls that ended while a reply may wait."""
        return await self._worker.wait((call.id for call in queued.calls), self.wait_seconds)

    async def is_told(self, call: QueuedCall) -> bool:
        """Whether a turn told of it meanwhile, perhaps one of another process; or nobody needs to any more."""
        known = await self._outbox.find(call.id)
        return known is None or known.told or known.state == "waiting"

    async def mark_told(self, call: QueuedCall) -> None:
        await self._outbox.mark_told(call.id)


def with_ends(outcomes: Sequence[Outcome], calls: Sequence[QueuedCall]) -> tuple[Outcome, ...]:
    """The outcomes with the pending ones replaced whose calls ended."""
    ended = {call.id: call for call in calls}
    return tuple(
        _end(outcome, ended[outcome.text]) if outcome.error == PENDING and outcome.text in ended else outcome
        for outcome in outcomes
    )


def end_of(call: QueuedCall) -> tuple[CallAction, Outcome]:
    """How a call ended, as the outcome of its effect."""
    effect = CallAction(call.action, call.slots)
    return effect, _end(Outcome(effect, ok=False), call)


def _end(outcome: Outcome, call: QueuedCall) -> Outcome:
    done = call.state == "done"
    elapsed = max(call.finished_at - call.created_at, 0.0)
    return replace(
        outcome,
        ok=done,
        text="",
        values=call.values if done else {},
        error="" if done else call.error or "failed",
        elapsed=elapsed,
    )
