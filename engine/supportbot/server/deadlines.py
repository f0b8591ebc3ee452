"""Waiting until a deadline, with one timer for all that wait: a timer for each costs more than the wait."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

TICK = 0.02  # seconds; so much later than its deadline a wait may end

T = TypeVar("T")


class Deadlines:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[Any], float] = {}  # until when, in loop time
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, future: asyncio.Future[T], deadline: float) -> T:
        """The result of a future of the caller's own. Raises TimeoutError at ``deadline`` (loop time)."""
        self._waiting[future] = deadline
        if self._timer is None:
            loop = future.get_loop()
            self._timer = loop.call_later(TICK, self._tick, loop)
        try:
            return await future
        finally:
            del self._waiting[future]

    async def wait_for_task(self, task: asyncio.Task[Any], deadline: float) -> None:
        """Return when the task is done. Raises TimeoutError at ``deadline``. The task is never cancelled."""
        if task.done():
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake(_done: asyncio.Task[Any]) -> None:
            if not woken.done():
                woken.set_result(None)

        task.add_done_callback(wake)
        try:
            await self.wait(woken, deadline)
        finally:
            task.remove_done_callback(wake)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for future, deadline in self._waiting.items():
            if deadline <= now and not future.done():
                future.set_exception(TimeoutError())
        self._timer = loop.call_later(TICK, self._tick, loop) if self._waiting else None
