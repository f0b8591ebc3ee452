"""Sessions and decision records in one SQLite file.

One worker thread owns the connection, so the event loop never waits for the disk. Commits that arrive while
the thread writes share the next transaction and its single fsync. WAL with synchronous=FULL: when ``commit``
returns, the turn survives a killed process and a power cut.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import msgspec

from supportbot.errors import StoreError
from supportbot.model.session import Session
from supportbot.runtime.ports import Conflict, Record

SCHEMA_VERSION = 1
_BATCH = 256
_SCHEMA = """
CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, state TEXT NOT NULL, closed INTEGER NOT NULL,
    updated_at REAL NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_by_time ON sessions (updated_at);
CREATE TABLE IF NOT EXISTS records (
    id TEXT PRIMARY KEY, session_id TEXT NOT NULL, message_id TEXT NOT NULL, request_id TEXT NOT NULL,
    at REAL NOT NULL, revision TEXT NOT NULL, channel TEXT NOT NULL, text TEXT NOT NULL, reply TEXT NOT NULL,
    state TEXT NOT NULL, next_state TEXT NOT NULL, category TEXT NOT NULL, handler TEXT NOT NULL, kind TEXT NOT NULL,
    actions TEXT NOT NULL, model TEXT NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,
    error TEXT NOT NULL, elapsed REAL NOT NULL);
CREATE INDEX IF NOT EXISTS records_by_session ON records (session_id, at);
CREATE INDEX IF NOT EXISTS records_by_time ON records (at, handler, category);
"""
_COLUMNS = ", ".join(item.name for item in fields(Record))
_MARKS = ", ".join("?" for _ in fields(Record))
_ADD_RECORD = f"INSERT INTO records ({_COLUMNS}) VALUES ({_MARKS})"
_PUT_SESSION = (
    "INSERT OR REPLACE INTO sessions (id, version, state, closed, updated_at, body) VALUES (?, ?, ?, ?, ?, ?)"
)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    writes: bool
    done: Future[Any]


class SQLiteStore:
    """Raises StoreError with what to do about it. ``busy_seconds``: how long another process may hold the file."""

    def __init__(self, path: Path | str, busy_seconds: float = 5.0) -> None:
        self._path = Path(path)
        self._busy_seconds = busy_seconds
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    async def load(self, session_id: str) -> Session | None:
        def work(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute("SELECT body FROM sessions WHERE id = ?", (session_id,)).fetchone()
            return None if row is None else bytes(row[0])

        body = await self._ask(work, writes=False)
        return None if body is None else _decode(session_id, body)

    async def commit(self, session: Session, record: Record | None) -> None:
        row = _session_row(session)
        values = None if record is None else _record_row(record)

        def work(connection: sqlite3.Connection) -> None:
            known = connection.execute("SELECT version FROM sessions WHERE id = ?", (session.id,)).fetchone()
            if known is not None and known[0] != session.version - 1:
                raise Conflict(session.id)
            connection.execute(_PUT_SESSION, row)
            if values is not None:
                connection.execute(_ADD_RECORD, values)

        await self._ask(work, writes=True)

    async def delete(self, session_id: str) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            sessions = connection.execute("DELETE FROM sessions WHERE id = ?", (session_id,)).rowcount
            records = connection.execute("DELETE FROM records WHERE session_id = ?", (session_id,)).rowcount
            return sessions + records > 0

        return await self._ask(work, writes=True)

    async def active(self, since: datetime) -> int:
        def work(connection: sqlite3.Connection) -> int:
            query = "SELECT count(*) FROM sessions WHERE updated_at >= ? AND NOT closed"
            return int(connection.execute(query, (since.timestamp(),)).fetchone()[0])

        return await self._ask(work, writes=False)

    async def records(self, session_id: str) -> tuple[Record, ...]:
        """The decision records of one session, oldest first."""

        def work(connection: sqlite3.Connection) -> list[Any]:
            query = f"SELECT {_COLUMNS} FROM records WHERE session_id = ? ORDER BY at, rowid"
            return connection.execute(query, (session_id,)).fetchall()

        return tuple(_record(row) for row in await self._ask(work, writes=False))

    async def close(self) -> None:
        """Write what was accepted, then close the file. The store cannot be used afterwards."""
        self._closed = True
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)

    async def _ask(self, work: Callable[[sqlite3.Connection], Result], *, writes: bool) -> Result:
        if self._closed:
            raise StoreError(f"the store {self._path} is closed")
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="supportbot-store", daemon=True)
            self._thread.start()
        done: Future[Result] = Future()
        self._jobs.put(_Job(work, writes, done))
        return await asyncio.wrap_future(done)

    # --- in the worker thread ----------------------------------------------------------------

    def _serve(self) -> None:
        going = True
        while going:
            first = self._jobs.get()
            taken = [] if first is None else [first, *self._waiting()]
            going = first is not None and None not in taken
            self._run([job for job in taken if job is not None and job.done.set_running_or_notify_cancel()])
        if self._connection is not None:
            self._connection.close()

    def _waiting(self) -> list[_Job | None]:
        jobs: list[_Job | None] = []
        while len(jobs) < _BATCH:
            try:
                jobs.append(self._jobs.get_nowait())
            except Empty:
                break
        return jobs

    def _run(self, jobs: list[_Job]) -> None:
        """All jobs in one transaction; when that fails, each on its own, so that one cannot spoil the others."""
        if not jobs:
            return
        try:
            answers = self._transact(jobs)
        except Exception as failure:
            if len(jobs) > 1 and "locked" not in str(failure):
                for job in jobs:
                    self._run([job])
                return
            for job in jobs:
                job.done.set_exception(self._explained(failure))
            return
        for job, (value, refused) in zip(jobs, answers, strict=True):
            if refused is None:
                job.done.set_result(value)
            else:
                job.done.set_exception(refused)

    def _transact(self, jobs: list[_Job]) -> list[tuple[Any, Conflict | None]]:
        connection = self._opened()
        writes = any(job.writes for job in jobs)
        try:
            if writes:
                connection.execute("BEGIN IMMEDIATE")  # a later upgrade from reading would fail at once, not wait
            answers = [_attempt(job, connection) for job in jobs]
            if writes:
                connection.execute("COMMIT")
        except BaseException:
            self._connection = None  # opened anew by the next job: the file may be gone, moved or mended by then
            connection.close()  # undoes what was not committed
            raise
        return answers

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=self._busy_seconds, isolation_level=None)
            try:
                _prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _explained(self, failure: Exception) -> StoreError:
        if isinstance(failure, StoreError):
            return failure
        reason = str(failure)
        known = (text for sign, text in _REMEDIES if sign in reason.lower())
        remedy = next(known, "check the disk and who owns the file")
        return StoreError(f"the session store {self._path.name} could not be used: {reason}; {remedy}")


_REMEDIES = (
    ("locked", "another process holds it: stop that process or give each its own file"),
    ("full", "free space on that disk"),
    ("readonly", "let the server's user write the file and its folder"),
    ("unable to open", "let the server's user write the folder of server.store"),
    ("not a database", "move the file away, a new one is made at the next start"),
    ("malformed", "restore a copy, or move the file away: a new one is made at the next start"),
)


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA.split(";"):
        if statement.strip():
            connection.execute(statement)
    known = connection.execute("SELECT max(version) FROM schema_version").fetchone()[0]
    if known is None:
        connection.execute("INSERT INTO schema_version VALUES (?)", (SCHEMA_VERSION,))
    connection.execute("COMMIT")
    if known is not None and known > SCHEMA_VERSION:
        raise StoreError(
            f"the session store has layout {known}, this supportbot knows {SCHEMA_VERSION}: use the newer version again"
        )


def _attempt(job: _Job, connection: sqlite3.Connection) -> tuple[Any, Conflict | None]:
    """A conflict is found before anything was written, so it does not undo its neighbours in the transaction."""
    try:
        return job.work(connection), None
    except Conflict as refused:
        return None, refused


def _encode(session: Session) -> bytes:
    try:
        return msgspec.json.encode(session)
    except (TypeError, ValueError, OverflowError, RecursionError) as failure:
        raise StoreError(f"session {session.id!r} holds something that cannot be stored: {failure}") from failure


def _session_row(session: Session) -> tuple[Any, ...]:
    moment = session.updated_at.timestamp()
    return (session.id, session.version, session.state, session.closed, moment, _encode(session))


def _decode(session_id: str, body: bytes) -> Session:
    try:
        return msgspec.json.decode(body, type=Session)
    except (msgspec.MsgspecError, ValueError, RecursionError) as failure:
        raise StoreError(
            f"session {session_id!r} in the store cannot be read ({failure}): delete that session, it then starts again"
        ) from failure


def _record_row(record: Record) -> tuple[Any, ...]:
    stored = {"at": record.at.timestamp(), "actions": ",".join(record.actions)}
    return tuple(stored.get(item.name, value) for item, value in zip(fields(record), astuple(record), strict=True))


def _record(row: tuple[Any, ...]) -> Record:
    from_row = dict(zip((item.name for item in fields(Record)), row, strict=True))
    moment = datetime.fromtimestamp(from_row["at"], tz=UTC)
    return Record(**{**from_row, "at": moment, "actions": tuple(filter(None, from_row["actions"].split(",")))})
