"""Waiting until a deadline, with one timer for all that wait: a timer for each costs more than the wait."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

TICK = 0.02  # seconds; so much later than its deadline a wait may end


class Waiting(Protocol):
    def late(self) -> None:
        """The deadline has passed."""
        ...


class Deadlines:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[Waiting, float] = {}  # until when, in loop time
        self._timer: asyncio.TimerHandle | None = None

    def add(self, waiting: Waiting, deadline: float) -> None:
        """``deadline``: in loop time."""
        self._waiting[waiting] = deadline
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(TICK, self._tick, loop)

    def remove(self, waiting: Waiting) -> None:
        self._waiting.pop(waiting, None)

    async def wait(self, task: asyncio.Task[Any], deadline: float) -> None:
        """Return when the task is done. Raises TimeoutError at ``deadline``. The task is never cancelled."""
        if task.done():
            return
        woken = _Woken()
        task.add_done_callback(woken.wake)
        self.add(woken, deadline)
        try:
            await woken.future
        finally:
            self.remove(woken)
            task.remove_done_callback(woken.wake)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for waiting in [waiting for waiting, deadline in self._waiting.items() if deadline <= now]:
            del self._waiting[waiting]
            loop.call_soon(waiting.late)
        self._timer = loop.call_later(TICK, self._tick, loop) if self._waiting else None


class _Woken:
    def __init__(self) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake(self, _done: object) -> None:
        if not self.future.done():
            self.future.set_result(None)

    def late(self) -> None:
        if not self.future.done():
            self.future.set_exception(TimeoutError())
