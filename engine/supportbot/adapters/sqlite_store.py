"""Sessions, decision records and replies in one SQLite file.

All statements run in one worker thread, so the event loop never waits for the disk. Commits that arrive while
the thread writes share the next transaction and its single fsync. WAL with synchronous=FULL: when ``commit``
returns, the turn survives a killed process and a power cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from supportbot.adapters import sqlite_chain as chain
from supportbot.adapters.sqlite_chain import Trail
from supportbot.adapters.sqlite_figures import read_figures
from supportbot.adapters.sqlite_memory import Kept, SessionMemory
from supportbot.adapters.sqlite_outbox import SQLiteOutbox, write_changes
from supportbot.adapters.sqlite_turns import rows_of, write
from supportbot.adapters.sqlite_worker import SQLiteWorker
from supportbot.model.session import Session
from supportbot.runtime.figures import Figures
from supportbot.runtime.ports import Conflict, Record, SessionLine, Spent, StoredReply, Then
from supportbot.runtime.queued import NO_CHANGES, CallChanges
from supportbot.runtime.tallies import DAY_COST, DAY_TOKENS, Tallies

_SEEN = 1_000  # sessions, of which it is remembered where they are when several processes write
_SNAPSHOTS = 3
_PURGED = 2_000  # rows of a table at a time
_CHECKPOINTS = 20
_TRIAL_BYTES = 32 * 1024  # more than a turn writes


class SQLiteStore:
    """Raises StoreError with what to do about it. ``busy_seconds``: how long another process may hold the file.

    ``keep``: so many sessions stay in memory; only for the one process that writes the file, else 0.
    """

    def __init__(self, path: Path | str, busy_seconds: float = 10.0, keep: int = 0) -> None:
        self.path = Path(path)
        self._worker = SQLiteWorker(self.path, busy_seconds)
        self._alone = keep > 0
        self._memory = SessionMemory(keep or _SEEN)

    # --- turns -------------------------------------------------------------------------------

    async def load(self, session_id: str) -> Session | None:
        if self._alone and (kept := self._memory.get(session_id)) is not None:
            return kept.session

        def work(connection: sqlite3.Connection) -> Kept:
            session, trail = chain.read_session(connection, session_id)
            return Kept(session, trail, chain.reply_keys(connection, session_id) if self._alone else None)

        kept = await self._worker.ask(work, writes=False)
        self._memory.put(session_id, kept)
        return kept.session

    async def reply(self, session_id: str, key: str, since: datetime) -> bytes | None:
        kept = self._memory.get(session_id)
        if kept is not None and kept.keys is not None and key not in kept.keys:
            return None
        moment = since.timestamp()
        return await self._worker.ask(
            lambda connection: chain.read_reply(connection, session_id, key, moment), writes=False
        )

    def at_hand(self, session_id: str, key: str) -> Session | None:
        kept = self._memory.get(session_id)
        if kept is None or kept.keys is None or key in kept.keys:
            return None
        return kept.session

    def hand_in(
        self, session: Session, record: Record | None, reply: StoredReply, ended: Record | None, then: Then
    ) -> None:
        """Raises StoreError for a session that cannot be encoded, or when the store takes nothing."""
        rows = rows_of(session, record, ended, reply, self._memory.get(session.id))
        rows.together = rows.plain

        def over(failure: Exception | None) -> None:
            if failure is None:
                self._memory.renew(session, Trail(rows.last, rows.length, rows.past), reply.key)
            else:
                self._memory.forget(session.id)
            then(failure)

        self._worker.hand_in(rows, over)

    async def commit(
        self,
        session: Session,
        record: Record | None,
        reply: StoredReply | None = None,
        ended: Record | None = None,
        changes: CallChanges = NO_CHANGES,
    ) -> None:
        rows = rows_of(session, record, ended, reply, self._memory.get(session.id))
        rows.together = self._alone and changes is NO_CHANGES and rows.plain

        def work(connection: sqlite3.Connection) -> None:
            if reply is not None and not self._alone and _answered(connection, session.id, reply):
                raise Conflict(session.id)
            write(connection, rows)
            write_changes(connection, changes)

        try:
            await self._worker.write(rows, work)
        except BaseException:  # also a cancelled wait: whether it was written is not known
            self._memory.forget(session.id)
            raise
        self._memory.renew(session, Trail(rows.last, rows.length, rows.past), reply.key if reply is not None else None)

    @property
    def outbox(self) -> SQLiteOutbox:
        """The queued calls and access tokens in the same file."""
        return SQLiteOutbox(self._worker)

    # --- sessions ----------------------------------------------------------------------------

    async def delete(self, session_id: str) -> bool:
        """Nothing of it stays in the file or its log, also not in free pages."""

        self._memory.forget(session_id)
        found = await self._worker.ask(lambda connection: chain.delete_session(connection, session_id), writes=True)
        self._memory.forget(session_id)
        await self._worker.ask(_empty_log, writes=False, alone=True)
        return found > 0

    async def active(self, since: datetime) -> int:
        def work(connection: sqlite3.Connection) -> int:
            query = "SELECT count(*) FROM sessions WHERE updated_at >= ? AND NOT closed"
            return int(connection.execute(query, (since.timestamp(),)).fetchone()[0])

        return await self._worker.read(work)

    async def sessions(self, since: datetime, limit: int) -> tuple[SessionLine, ...]:
        def work(connection: sqlite3.Connection) -> list[Any]:
            query = "SELECT body FROM sessions WHERE updated_at >= ? AND NOT closed ORDER BY updated_at DESC LIMIT ?"
            return connection.execute(query, (since.timestamp(), limit)).fetchall()

        rows = await self._worker.read(work)
        return tuple(SessionLine.of(chain.decode("", body)) for (body,) in rows)

    async def idle(self, before: datetime, limit: int) -> tuple[str, ...]:
        def work(connection: sqlite3.Connection) -> list[Any]:
            query = "SELECT id FROM sessions WHERE updated_at < ? AND NOT closed ORDER BY updated_at LIMIT ?"
            return connection.execute(query, (before.timestamp(), limit)).fetchall()

        return tuple(name for (name,) in await self._worker.read(work))

    async def purge(self, before: datetime, replies_before: datetime) -> int:
        """Some thousand rows at most, so that no turn waits long; call it again until it returns 0."""

        def work(connection: sqlite3.Connection) -> tuple[int, int]:
            old, known = before.timestamp(), replies_before.timestamp()
            gone = chain.purge_records(connection, old, known, _PURGED)
            sessions = chain.purge_sessions(connection, old, _PURGED)
            gone += chain.purge_replies(connection, known, _PURGED)
            found = "IN (SELECT id FROM calls WHERE state != 'waiting' AND finished_at < ? LIMIT ?)"
            gone += connection.execute(f"DELETE FROM calls WHERE id {found}", (old, _PURGED)).rowcount
            connection.execute("DELETE FROM shared_answers WHERE at < ?", (old,))
            return gone, sessions

        gone, sessions = await self._worker.ask(work, writes=True)
        if sessions:
            self._memory.clear()
        return gone + sessions

    # --- figures -----------------------------------------------------------------------------

    async def records(self, session_id: str) -> tuple[Record, ...]:
        """The decision records of one session, oldest first."""

        rows = await self._worker.ask(lambda connection: chain.read_records(connection, session_id), writes=False)
        return tuple(_record(row) for row in rows)

    async def figures(self, since: datetime | None = None) -> Figures:
        moment = since.timestamp() if since is not None else 0.0
        return await self._worker.read(lambda connection: read_figures(connection, moment))

    async def tallies(self) -> Tallies:
        def work(connection: sqlite3.Connection) -> list[Any]:
            return connection.execute("SELECT name, labels, value FROM tallies").fetchall()

        return {(name, labels): value for name, labels, value in await self._worker.read(work)}

    async def spent(self, day: str, session_id: str) -> tuple[Spent, Spent]:
        """What the model took on that day, and for that session."""

        def work(connection: sqlite3.Connection) -> tuple[Spent, Spent]:
            query = "SELECT name, value FROM tallies WHERE name IN (?, ?) AND labels = ?"
            found: Mapping[str, float] = dict(connection.execute(query, (DAY_TOKENS, DAY_COST, day)).fetchall())
            tokens, cost = chain.read_spent(connection, session_id)
            today = Spent(int(found.get(DAY_TOKENS, 0)), found.get(DAY_COST, 0.0))
            return today, Spent(int(tokens or 0), float(cost or 0.0))

        return await self._worker.ask(work, writes=False)

    # --- snapshots of the bot ----------------------------------------------------------------

    async def save_snapshot(self, revision: str, at: datetime, files: bytes) -> None:
        """Keep the files of a bot that works; only the newest few stay."""

        def work(connection: sqlite3.Connection) -> None:
            values = (revision, at.timestamp(), files)
            connection.execute("INSERT OR REPLACE INTO snapshots (revision, at, files) VALUES (?, ?, ?)", values)
            oldest = "SELECT revision FROM snapshots ORDER BY at DESC LIMIT -1 OFFSET ?"
            connection.execute(f"DELETE FROM snapshots WHERE revision IN ({oldest})", (_SNAPSHOTS,))

        await self._worker.ask(work, writes=True)

    async def last_snapshot(self) -> bytes | None:
        def work(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute("SELECT files FROM snapshots ORDER BY at DESC LIMIT 1").fetchone()
            return None if row is None else bytes(row[0])

        return await self._worker.ask(work, writes=False)

    async def check(self, writes: bool) -> None:
        """Ask the store for nothing, or write something that nobody ever sees. Raises StoreError."""

        def work(connection: sqlite3.Connection) -> None:
            if writes:
                query = "INSERT OR REPLACE INTO snapshots (revision, at, files) VALUES ('', 0, zeroblob(?))"
                connection.execute(query, (_TRIAL_BYTES,))
                connection.execute("DELETE FROM snapshots WHERE revision = ''")
            else:
                connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()

        await self._worker.ask(work, writes=writes)

    async def close(self) -> None:
        """Write what was accepted, then close the file. The store cannot be used afterwards."""
        await self._worker.close()


def _answered(connection: sqlite3.Connection, session_id: str, reply: StoredReply) -> bool:
    """Whether another process has answered that message meanwhile."""
    return chain.read_reply(connection, session_id, reply.key, reply.since.timestamp()) is not None


def _empty_log(connection: sqlite3.Connection) -> None:
    """Move the log's pages into the file and cut the log to nothing; a reader may hold that up for a moment."""
    for _ in range(_CHECKPOINTS):
        if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0:
            return


def _record(row: tuple[Any, ...]) -> Record:
    from_row = dict(zip(chain.FIELDS, row, strict=True))
    moment = datetime.fromtimestamp(from_row["at"], tz=UTC)
    actions = tuple(filter(None, from_row["actions"].split(",")))
    return Record(**{**from_row, "at": moment, "actions": actions, "opening": bool(from_row["opening"])})
