"""The clocks of a process: the machine's, and one that does not jump with it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

log = logging.getLogger("supportbot.clock")

FOLLOWED = 5.0  # seconds: what time servers correct in passing


class SystemClock:
    """The machine's clock, as an aware moment in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def _passed() -> float:
    """Seconds that pass evenly, also while the machine sleeps where the system can tell."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class SteadyClock:
    """The machine's clock as it was at the start, and evenly from there.

    A machine whose date is set by a day must not end every conversation. Small corrections are followed, a jump
    is reported once and not followed: this process keeps its own time until it is started again.
    """

    def __init__(self, wall: Callable[[], float] = time.time, passed: Callable[[], float] = _passed) -> None:
        self._wall = wall
        self._passed = passed
        self._ahead = wall() - passed()
        self._told = False

    def now(self) -> datetime:
        passed, wall = self._passed(), self._wall()
        apart = wall - passed - self._ahead
        if abs(apart) <= FOLLOWED:
            self._ahead += apart
            return datetime.fromtimestamp(wall, UTC)
        if not self._told:
            self._told = True
            log.warning("the machine's clock jumped by %.0f seconds; it is followed after a restart", apart)
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=passed + self._ahead)
