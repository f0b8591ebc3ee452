"""A session that another process changed while a turn ran: the turn goes on with the newer one.

What was done in the outside world stays done: its outcomes are kept and only the conclusion is drawn again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace

from supportbot.model.decision import CallAction, Decision, Effect, Outcome
from supportbot.runtime.ports import Conflict

TRIES = 60  # each failed one means that another message of the same visitor was answered meanwhile
_LONGEST_PAUSE = 0.1  # seconds

Result = TypeVar("Result")


@dataclass(slots=True)
class Done:
    """What the earlier tries of a turn did."""

    decision: Decision | None = None
    outcomes: tuple[Outcome, ...] = ()

    def keep(self, decision: Decision, outcomes: Sequence[Outcome], undone: Sequence[Outcome]) -> None:
        """``undone``: outcomes of calls that were only to be queued, which did not happen without the commit."""
        waiting = {id(outcome.effect) for outcome in undone}
        self.decision = decision
        self.outcomes = tuple(outcome for outcome in outcomes if id(outcome.effect) not in waiting)

    def fitted(self, decision: Decision) -> tuple[Decision, tuple[Outcome, ...]]:
        """The decision to go on with after ``decision`` was made on the newer session, and what is known of it."""
        if self.decision is None:
            return decision, ()
        left, known = list(self.outcomes), []
        for effect in decision.effects:
            outcome = next((one for one in left if _same(one.effect, effect)), None)
            if outcome is not None:
                left.remove(outcome)
                known.append(replace(outcome, effect=effect))
        if any(isinstance(outcome.effect, CallAction) for outcome in left):
            return _moved(self.decision, decision), self.outcomes  # it happened, so the visitor has to hear of it
        return decision, tuple(known)


def _same(done: Effect, wanted: Effect) -> bool:
    """One message asks for an action once, and for one answer of the model, whatever the session holds."""
    if isinstance(done, CallAction):
        return isinstance(wanted, CallAction) and wanted.action == done.action
    return type(done) is type(wanted)


def _moved(earlier: Decision, newer: Decision) -> Decision:
    """The earlier decision on top of what the other process wrote."""
    base, own = newer.session, earlier.session
    session = replace(
        own,
        history=base.history,
        turns=base.turns,
        variants=base.variants,
        visitor=base.visitor,
        slots={**base.slots, **own.slots},
        version=base.version,
    )
    return replace(earlier, session=session)


async def pause(tries: int) -> None:
    """Let the others finish; by chance, so that two processes do not meet again and again."""
    await asyncio.sleep(random.uniform(0.0, min(_LONGEST_PAUSE, 0.002 * tries)))


async def persist(work: Callable[[], Awaitable[Result]]) -> Result:
    """Do something that loads and commits a session until nobody comes between."""
    for tries in range(1, TRIES):
        try:
            return await work()
        except Conflict:
            await pause(tries)
    return await work()
