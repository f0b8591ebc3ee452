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
        self._buckets: OrderedDict[str, list[float]] = OrderedDict()  # tokens left, and when

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, name: str, rate: Rate) -> float:
        """Take one token: 0.0, or the seconds after which there will be one."""
        now, most, a_second = self._seconds(), rate.burst, rate.per_minute / 60
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = [most, now]
            if len(self._buckets) > self._names:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(name)
        tokens = bucket[0] + (now - bucket[1]) * a_second
        if tokens > most:
            tokens = most
        bucket[1] = now
        if tokens >= 1:
            bucket[0] = tokens - 1
            return 0.0
        bucket[0] = tokens
        return (1 - tokens) / a_second if a_second else 60.0
