"""The time zone that a visitor means: their own where it is known, else the bot's."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

from supportbot.model.session import Session


def zone_of(session: Session, otherwise: ZoneInfo) -> ZoneInfo:
    return zone_named(session.visitor.get("time_zone", "")) or otherwise


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo | None:
    """None for what is no time zone; any text may come from outside."""
    try:
        return ZoneInfo(name) if name and name.isascii() and len(name) <= 64 else None
    except (LookupError, ValueError, OSError):
        return None
