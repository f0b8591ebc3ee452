"""The wall clock."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """The machine's clock, as an aware moment in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)
