"""A model that is down must not make every visitor wait for it: after some failures in a row it is left alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from supportbot.runtime.ports import ChatMessage, Model, ModelAnswer

FAILURES = 5  # in a row, then the model is not asked
PROBE_SECONDS = 30.0  # after which one question tries it again
WAIT_SECONDS = 2.0  # for a place among the calls in work

Seconds = Callable[[], float]


class Breaker:
    """Closed while calls go well. Open: one probe every ``probe_seconds``; the first good answer closes it."""

    def __init__(
        self, failures: int = FAILURES, probe_seconds: float = PROBE_SECONDS, seconds: Seconds = time.monotonic
    ) -> None:
        self._most = failures
        self._probe_seconds = probe_seconds
        self._seconds = seconds
        self._next_probe = 0.0
        self.failures = 0

    @property
    def is_open(self) -> bool:
        return self.failures >= self._most

    def admits(self) -> bool:
        """Whether a call may be made now. While it is open that reserves the probe."""
        if not self.is_open:
            return True
        now = self._seconds()
        if now < self._next_probe:
            return False
        self._next_probe = now + self._probe_seconds
        return True

    def note(self, ok: bool) -> None:
        was_open = self.is_open
        self.failures = 0 if ok else self.failures + 1
        if self.is_open and not was_open:
            self._next_probe = self._seconds() + self._probe_seconds


class GuardedModel:
    """A model behind a breaker, with at most ``calls`` calls in work. Refusals: ``paused`` and ``busy``.

    ``ready``: whether the model can be asked at all. Before, whoever finds no place gets ``off``: a process that just
    started is not overloaded.
    """

    def __init__(
        self, model: Model, calls: int, breaker: Breaker | None = None, ready: Callable[[], bool] = lambda: True
    ) -> None:
        self.model = model
        self._ready = ready
        self.breaker = breaker or Breaker()
        self._calls, self._places = calls, asyncio.Semaphore(calls)

    def allow(self, calls: int) -> None:
        """So many calls at once from now on; those in work are not counted among them."""
        if calls != self._calls:
            self._calls, self._places = calls, asyncio.Semaphore(calls)

    @property
    def configured(self) -> bool:
        return self.model.configured

    async def answer(self, messages: Sequence[ChatMessage]) -> ModelAnswer:
        if not self.breaker.admits():
            return ModelAnswer(error="paused")
        places = self._places  # a reload may exchange them
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await places.acquire()
        except TimeoutError:
            return ModelAnswer(error="busy" if self._ready() else "off")
        ok = False
        try:
            answer = await self.model.answer(messages)
            ok = answer.error in ("", "off")
            return answer
        finally:
            places.release()
            self.breaker.note(ok)  # also when the caller's deadline cut the call off

    async def close(self) -> None:
        await self.model.close()
