"""Durations as people write them: ``8s``, ``30m``, ``2h``, ``1d``."""

from __future__ import annotations

import re

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST = 10 * 366 * SECONDS["d"]  # beyond it, adding to a date can overflow

_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?) ?([smhd])")


def seconds(value: object) -> float | None:
    """The duration in seconds. A number counts seconds; None for whatever is no duration of at most ten years."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if 0 <= value <= LONGEST else None
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    length = float(found[1]) * SECONDS[found[2]]
    return length if length <= LONGEST else None
