"""What is noted of turns and failures, for monitoring, alerts and /health. None of it takes part in a turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from supportbot.errors import StoreError
from supportbot.model.bot import Bot
from supportbot.model.decision import CallModel, Outcome
from supportbot.runtime.alerts import Alerting, Kind
from supportbot.runtime.breaker import Breaker
from supportbot.runtime.metrics import Metrics
from supportbot.runtime.reload import Reloader
from supportbot.runtime.results import Answer, TurnResult
from supportbot.runtime.tallies import LABELS_END
from supportbot.runtime.tracing import Tracing

FAILURES_IN_A_ROW = 3
NOT_CALLED = ("paused", "busy")  # the model was left alone, or had no place free
LOOK_SECONDS = 0.5  # between two looks at the store
STALL_SECONDS = 1.0  # without an answer of the store: one failure, and one more for each further such time


@dataclass(slots=True)
class Pulse:
    """How the outside world did lately, seen from the turns: failures in a row of store, model and connections."""

    store: int = 0
    model: int = 0
    connections: dict[str, int] = field(default_factory=dict)

    def note(self, bot: Bot, outcomes: tuple[Outcome, ...]) -> None:
        for outcome in outcomes:
            if outcome.error in ("off", "spent", "pending"):
                continue
            if isinstance(outcome.effect, CallModel):
                self.model = 0 if outcome.ok else self.model + 1
            elif action := bot.actions.get(outcome.effect.action):
                failures = self.connections.get(action.connection, 0)
                self.connections[action.connection] = 0 if outcome.ok else failures + 1

    @staticmethod
    def word(failures: int | None) -> str:
        if failures is None:
            return "unused"
        return "failing" if failures >= FAILURES_IN_A_ROW else "ok"


@dataclass(slots=True)
class Beside:
    """What runs beside the views. Without alerting nobody is told, without a reloader nothing is reloaded."""

    metrics: Metrics = field(default_factory=Metrics)
    alerting: Alerting | None = None
    reloader: Reloader | None = None
    breaker: Breaker | None = None
    tracing: Tracing | None = None
    pulse: Pulse = field(default_factory=Pulse)
    tell_others: Callable[[], None] = lambda: None  # processes that serve the same port: they reload as well

    def failed(self, kind: Kind, detail: str = "") -> None:
        if self.alerting is not None:
            self.alerting.failed(kind, detail)

    def worked(self, kind: Kind) -> None:
        if self.alerting is not None:
            self.alerting.worked(kind)

    def turn_failed(self, channel: str, failure: BaseException) -> None:
        self.metrics.count(self.metrics.failed, channel)
        if self.tracing is not None:
            self.tracing.turn_failed(channel, failure)
        self.failure(failure)

    def failure(self, failure: BaseException) -> None:
        """What the store refused counts against the store."""
        if isinstance(failure, StoreError):
            self.store_failed(str(failure))

    def store_failed(self, why: str) -> None:
        self.pulse.store += 1
        self.metrics.store_failures += 1
        self.failed("store_degraded", why)

    def store_works(self) -> None:
        self.pulse.store = 0
        self.worked("store_degraded")

    @property
    def doubts_store(self) -> bool:
        """Whether it failed last, or people were told that it fails."""
        return self.pulse.store > 0 or (self.alerting is not None and "store_degraded" in self.alerting.failing)

    def answered(self, channel: str, answer: Answer) -> None:
        if answer.result is None:
            self.metrics.count(self.metrics.repeated, channel)

    def turn(self, bot: Bot, result: TurnResult) -> None:
        self.store_works()
        for stage, seconds in result.stages:
            self.metrics.stages.add(stage, seconds)
        if result.outcomes:
            self.pulse.note(bot, result.outcomes)
            self._outcomes(bot, result.outcomes)
        if self.tracing is not None:
            self.tracing.took_turn(bot, result)

    def _outcomes(self, bot: Bot, outcomes: tuple[Outcome, ...]) -> None:
        for outcome in outcomes:
            if outcome.error in ("off", "spent", "pending"):
                continue
            if isinstance(outcome.effect, CallModel):
                self._outcome("llm_unavailable", "model", outcome)
            else:
                action = bot.actions.get(outcome.effect.action)
                self._outcome("action_failed", action.connection if action is not None else "gone", outcome)

    def _outcome(self, kind: Kind, service: str, outcome: Outcome) -> None:
        if outcome.error not in NOT_CALLED:  # it would make a service look quick that is not asked
            self.metrics.upstream.add(f"{service}{LABELS_END}{outcome.error or 'ok'}", outcome.elapsed)
        if outcome.ok:
            self.worked(kind)
        else:
            self.failed(kind, f"{service}: {outcome.error}")


async def watch_store(beside: Beside, check: Callable[[bool], Awaitable[None]]) -> None:
    """Notice a store that does not answer, and one that works again, also while nobody writes to the bot. For ever.

    ``check`` asks the store, and with True writes to it: that is done only while there are doubts.
    """
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        asked = asyncio.ensure_future(check(beside.doubts_store))
        try:
            while not (await asyncio.wait((asked,), timeout=STALL_SECONDS))[0]:
                beside.store_failed(f"no answer within {STALL_SECONDS:g} s: is it locked?")
            asked.result()
        except StoreError as failure:
            beside.failure(failure)
        else:
            if beside.doubts_store:
                beside.store_works()
        finally:
            asked.cancel()
