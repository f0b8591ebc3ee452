"""SIGHUP, which takes changed files over: one that comes before the bot serves is remembered until it does."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Hangup:
    """From ``listen`` on the signal no longer ends the process, whatever that one is doing."""

    def __init__(self) -> None:
        self._came = False
        self._act: Callable[[], object] | None = None

    def listen(self) -> None:
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._signalled)

    @contextmanager
    def begins(self, work: Callable[[], object]) -> Iterator[None]:
        """In an event loop: each signal begins ``work``, and at once if one came before."""
        loop = asyncio.get_running_loop()
        self._act = lambda: loop.call_soon_threadsafe(work)
        if self._came:
            self._came = False
            work()
        try:
            yield
        finally:
            self._act = None

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        if self._act is None:
            self._came = True
        else:
            self._act()
