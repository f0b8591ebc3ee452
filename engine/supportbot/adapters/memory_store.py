"""Sessions and records in memory: for the terminal, for tests, for a demo. Nothing survives the process."""

from __future__ import annotations

from collections import deque
from datetime import datetime

from supportbot.model.session import Session
from supportbot.runtime.ports import Conflict, Record


class MemoryStore:
    """A store of frozen sessions. ``records`` keeps the newest ``keep_records`` decision records."""

    def __init__(self, keep_records: int = 10_000) -> None:
        self.sessions: dict[str, Session] = {}
        self.records: deque[Record] = deque(maxlen=keep_records)

    async def load(self, session_id: str) -> Session | None:
        return self.sessions.get(session_id)

    async def commit(self, session: Session, record: Record | None) -> None:
        known = self.sessions.get(session.id)
        if known is not None and known.version != session.version - 1:
            raise Conflict(session.id)
        self.sessions[session.id] = session
        if record is not None:
            self.records.append(record)

    async def delete(self, session_id: str) -> bool:
        kept = [record for record in self.records if record.session_id != session_id]
        found = self.sessions.pop(session_id, None) is not None or len(kept) < len(self.records)
        self.records = deque(kept, maxlen=self.records.maxlen)
        return found

    async def active(self, since: datetime) -> int:
        return sum(1 for session in self.sessions.values() if not session.closed and session.updated_at >= since)

    async def close(self) -> None:
        return None
