"""Sessions that were used lately, kept in memory."""

from __future__ import annotations

from collections import OrderedDict

from supportbot.adapters.sqlite_chain import MOST, Trail
from supportbot.model.session import Session


class Kept:
    """A session as it is in the store, and where. ``keys``: of its replies; None when they are too many to know."""

    __slots__ = ("keys", "session", "trail")

    def __init__(self, session: Session | None, trail: Trail, keys: set[str] | None) -> None:
        self.session = session
        self.trail = trail
        self.keys = keys


class SessionMemory:
    """At most ``size`` sessions; the one that was not used for the longest time goes first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, session_id: str) -> Kept | None:
        kept = self._kept.get(session_id)
        if kept is not None:
            self._kept.move_to_end(session_id)
        return kept

    def put(self, session_id: str, kept: Kept) -> None:
        self._kept[session_id] = kept
        self._kept.move_to_end(session_id)
        while len(self._kept) > self.size:
            self._kept.popitem(last=False)

    def renew(self, session: Session, trail: Trail, key: str | None) -> None:
        """After a commit: the session as it is now, and the key of its newest reply."""
        kept = self._kept.get(session.id)
        if kept is None:
            return
        kept.session = session
        kept.trail = trail
        if key is not None and kept.keys is not None:
            kept.keys.add(key)
            if len(kept.keys) > MOST:
                kept.keys = None

    def forget(self, session_id: str) -> None:
        self._kept.pop(session_id, None)

    def clear(self) -> None:
        self._kept.clear()
