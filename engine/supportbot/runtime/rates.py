"""How often somebody may ask: a bucket of tokens for each name, filled again with time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from supportbot.model.operations import Rate

NAMES = 50_000  # known at the same time; the one that was not seen for the longest time is forgotten


class Rates:
    """One limit for many names. Monotonic, so a jump of the wall clock locks nobody out."""

    def __init__(self, names: int = NAMES, seconds: Callable[[], float] = time.monotonic) -> None:
        self._names = names
        self._seconds = seconds
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # (tokens, when)

    def __len__(self) -> int:
        return len(self._left)

    def wait(self, name: str, rate: Rate) -> float:
        """Take one token: 0.0, or the seconds after which there will be one."""
        now = self._seconds()
        a_second = rate.per_minute / 60
        tokens, seen = self._left.pop(name, (float(rate.burst), now))
        tokens = min(float(rate.burst), tokens + (now - seen) * a_second)
        if tokens >= 1:
            self._keep(name, tokens - 1, now)
            return 0.0
        self._keep(name, tokens, now)
        return (1 - tokens) / a_second if a_second else 60.0

    def _keep(self, name: str, tokens: float, now: float) -> None:
        self._left[name] = (tokens, now)
        if len(self._left) > self._names:
            self._left.popitem(last=False)
