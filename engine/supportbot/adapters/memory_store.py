"""Sessions and records in memory: for the terminal, for tests, for a demo. Nothing survives the process."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime

from supportbot.model.session import Session
from supportbot.runtime.figures import Figures
from supportbot.runtime.ports import Conflict, Record, SessionLine, Spent, StoredReply, Then
from supportbot.runtime.queued import NO_CHANGES, CallChanges
from supportbot.runtime.statistics import figures_of
from supportbot.runtime.tallies import Key, add_tallies


class MemoryStore:
    """A store of frozen sessions. The newest ``keep_records`` records and replies are kept."""

    def __init__(self, keep_records: int = 10_000) -> None:
        self.sessions_by_id: dict[str, Session] = {}
        self.log: deque[Record] = deque(maxlen=keep_records)
        self.replies: dict[tuple[str, str], StoredReply] = {}
        self.counters: dict[Key, float] = {}
        self.snapshots: list[bytes] = []
        self._keep = keep_records

    async def load(self, session_id: str) -> Session | None:
        return self.sessions_by_id.get(session_id)

    async def reply(self, session_id: str, key: str, since: datetime) -> bytes | None:
        found = self.replies.get((session_id, key))
        return found.body if found is not None and found.at >= since else None

    def at_hand(self, session_id: str, key: str) -> Session | None:
        """None: nothing is waited for anyway."""
        return None

    def hand_in(
        self, session: Session, record: Record | None, reply: StoredReply, ended: Record | None, then: Then
    ) -> None:
        raise NotImplementedError  # nothing was at hand

    async def commit(
        self,
        session: Session,
        record: Record | None,
        reply: StoredReply | None = None,
        ended: Record | None = None,
        changes: CallChanges = NO_CHANGES,  # there is no outbox in memory: actions are run at once
    ) -> None:
        known = self.sessions_by_id.get(session.id)
        if known is not None and known.version != session.version - 1:
            raise Conflict(session.id)
        if reply is not None and await self.reply(session.id, reply.key, reply.since) is not None:
            raise Conflict(session.id)
        self.sessions_by_id[session.id] = session
        for item in (ended, record):
            if item is not None:
                self.log.append(item)
                add_tallies(self.counters, item)
        if reply is not None:
            self.replies[session.id, reply.key] = reply
            while len(self.replies) > self._keep:
                del self.replies[next(iter(self.replies))]

    async def delete(self, session_id: str) -> bool:
        kept = [record for record in self.log if record.session_id != session_id]
        found = self.sessions_by_id.pop(session_id, None) is not None or len(kept) < len(self.log)
        self.log = deque(kept, maxlen=self.log.maxlen)
        self.replies = {key: reply for key, reply in self.replies.items() if key[0] != session_id}
        return found

    async def active(self, since: datetime) -> int:
        return len(self._open(since))

    async def sessions(self, since: datetime, limit: int) -> tuple[SessionLine, ...]:
        return tuple(SessionLine.of(session) for session in self._open(since)[:limit])

    async def idle(self, before: datetime, limit: int) -> tuple[str, ...]:
        found = [item for item in self.sessions_by_id.values() if not item.closed and item.updated_at < before]
        return tuple(item.id for item in sorted(found, key=lambda item: item.updated_at)[:limit])

    async def purge(self, before: datetime, replies_before: datetime) -> int:
        kept = [record for record in self.log if record.at >= before]
        old = [item.id for item in self.sessions_by_id.values() if item.updated_at < before]
        gone = len(self.log) - len(kept) + len(old)
        self.log = deque(kept, maxlen=self.log.maxlen)
        for session_id in old:
            del self.sessions_by_id[session_id]
        known = len(self.replies)
        self.replies = {key: reply for key, reply in self.replies.items() if reply.at >= replies_before}
        return gone + known - len(self.replies)

    async def records(self, session_id: str) -> tuple[Record, ...]:
        return tuple(record for record in self.log if record.session_id == session_id)

    async def figures(self, since: datetime | None = None) -> Figures:
        return figures_of(record for record in self.log if since is None or record.at >= since)

    async def tallies(self) -> Mapping[tuple[str, str], float]:
        return dict(self.counters)

    async def spent(self, day: str, session_id: str) -> tuple[Spent, Spent]:
        today = [record for record in self.log if record.day == day]
        return _spent(today), _spent([record for record in self.log if record.session_id == session_id])

    async def save_snapshot(self, revision: str, at: datetime, files: bytes) -> None:
        self.snapshots = [files]

    async def last_snapshot(self) -> bytes | None:
        return self.snapshots[-1] if self.snapshots else None

    async def close(self) -> None:
        return None

    def _open(self, since: datetime) -> list[Session]:
        found = [item for item in self.sessions_by_id.values() if not item.closed and item.updated_at >= since]
        return sorted(found, key=lambda item: item.updated_at, reverse=True)


def _spent(records: list[Record]) -> Spent:
    return Spent(sum(item.tokens_in + item.tokens_out for item in records), sum(item.cost for item in records))
