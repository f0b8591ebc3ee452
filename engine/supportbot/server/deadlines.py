"""Waiting for tasks until a deadline, with one timer for all of them: a timer for each costs more than the wait."""

from __future__ import annotations

import asyncio
from typing import Any

TICK = 0.02  # seconds; so much later than its deadline a wait may end


class Deadlines:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], float] = {}  # until when, in loop time
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, task: asyncio.Task[Any], deadline: float) -> None:
        """Return when the task is done or at ``deadline`` (loop time). The task is never cancelled."""
        if task.done():
            return
        loop = asyncio.get_running_loop()
        woken = loop.create_future()

        def wake(_done: asyncio.Task[Any]) -> None:
            if not woken.done():
                woken.set_result(None)

        self._waiting[woken] = deadline
        if self._timer is None:
            self._timer = loop.call_later(TICK, self._tick, loop)
        task.add_done_callback(wake)
        try:
            await woken
        finally:
            del self._waiting[woken]
            task.remove_done_callback(wake)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for woken, deadline in self._waiting.items():
            if deadline <= now and not woken.done():
                woken.set_result(None)
        self._timer = loop.call_later(TICK, self._tick, loop) if self._waiting else None
