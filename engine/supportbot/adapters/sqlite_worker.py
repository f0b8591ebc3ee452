"""The one thread that owns the store's connection. Jobs that arrive while it works share its next transaction."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from supportbot.adapters.sqlite_schema import prepare
from supportbot.adapters.sqlite_turns import Rows, add_to_tallies, write, write_all
from supportbot.errors import StoreError
from supportbot.runtime.ports import Conflict, Then
from supportbot.runtime.tallies import Key, add_tallies

log = logging.getLogger("supportbot.store")

_BATCH = 256
_APART = 0.005  # seconds between the beginnings of two transactions, when turns come close together
_AGAIN_SECONDS = 0.02  # between two tries to open a file that somebody else is making
_WAITING = 10_000  # rounds of jobs; whoever comes when so many wait is refused at once

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Any]


class _Job:
    __slots__ = ("alone", "answer", "failure", "future", "loop", "rows", "then", "work", "writes")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Work | None,
        rows: Rows | None,
        then: Then | None = None,
        writes: bool = True,
        alone: bool = False,
    ) -> None:
        self.work = work
        self.rows = rows
        self.writes = writes
        self.alone = alone
        self.loop = loop
        self.then = then
        self.future: asyncio.Future[Any] | None = loop.create_future() if then is None else None
        self.answer: Any = None
        self.failure: Exception | None = None

    @property
    def dropped(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.future is not None and self.future.cancelled()


class SQLiteWorker:
    """``busy_seconds``: how long another process may hold the file."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self.path = path
        self._busy_seconds = busy_seconds
        self._jobs: SimpleQueue[list[_Job] | None] = SimpleQueue()
        self._gathered: list[_Job] = []  # of this round of the event loop: one wake-up of the thread for all of them
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    async def ask(self, work: Callable[[sqlite3.Connection], Result], *, writes: bool, alone: bool = False) -> Result:
        """Run ``work`` in the thread; what writes is on the disk on return. Raises StoreError.

        ``alone``: in no transaction, not even in that of other jobs.
        """
        answer: Result = await self._done(_Job(asyncio.get_running_loop(), work, None, None, writes, alone))
        return answer

    async def write(self, rows: Rows, work: Callable[[sqlite3.Connection], None]) -> None:
        """Write a turn; on return it is on the disk. ``work`` does it, unless ``rows.together``. Raises StoreError."""
        await self._done(_Job(asyncio.get_running_loop(), work, rows))

    def hand_in(self, rows: Rows, then: Then) -> None:
        """Write a turn. ``then`` is called in this event loop when it is on the disk, or with what went wrong."""
        self._gather(_Job(asyncio.get_running_loop(), None, rows, then))

    async def _done(self, job: _Job) -> Any:
        self._gather(job)
        assert job.future is not None
        return await job.future

    def _gather(self, job: _Job) -> None:
        if self._closed:
            raise StoreError(f"the store {self.path.name} is closed")
        if self._jobs.qsize() > _WAITING:
            raise StoreError(f"the store {self.path.name} cannot keep up: {_WAITING} writes wait; use a faster disk")
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="supportbot-store", daemon=True)
            self._thread.start()
        if self._gathered and self._gathered[0].loop is not job.loop:
            self._hand_over()  # left behind by a loop that was stopped
        self._gathered.append(job)
        if len(self._gathered) == 1:
            job.loop.call_soon(self._hand_over)

    async def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a long query beside the writer: in a thread and on a connection of its own, which cannot write."""

        def inside() -> Result:
            connection = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True, timeout=2.0)
            try:
                return work(connection)
            finally:
                connection.close()

        await self.ask(lambda _connection: None, writes=False)  # the file and its layout exist after this
        try:
            return await asyncio.to_thread(inside)
        except sqlite3.Error as failure:
            raise self._explained(failure) from failure

    async def close(self) -> None:
        """Finish what was accepted, then close the file."""
        self._closed = True
        thread, self._thread = self._thread, None
        if thread is not None:
            self._hand_over()
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)

    def _hand_over(self) -> None:
        if self._gathered:
            self._jobs.put(self._gathered)
            self._gathered = []

    # --- in the thread -----------------------------------------------------------------------

    def _serve(self) -> None:
        """A commit costs as much of the CPU as the rows of ten turns: when turns come close together, more are
        waited for. Whoever asks when nobody else does waits for nothing."""
        going, crowded, began = True, False, 0.0
        while going:
            taken = [self._jobs.get()]
            if crowded and (early := began + _APART - time.monotonic()) > 0:
                time.sleep(early)
            began = time.monotonic()
            taken += self._waiting()
            going = None not in taken
            jobs = [job for some in taken if some is not None for job in some if not job.dropped]
            if together := [job for job in jobs if not job.alone]:
                self._run(together)
            for job in jobs:
                if job.alone:
                    self._run([job])
            self._tell(jobs)
            crowded = len(jobs) > 1
        if self._connection is not None:
            self._connection.close()

    def _waiting(self) -> list[list[_Job] | None]:
        """What came in meanwhile; at most _BATCH hand-overs, so that nobody waits for ever."""
        found: list[list[_Job] | None] = []
        while len(found) < _BATCH:
            try:
                found.append(self._jobs.get_nowait())
            except Empty:
                break
        return found

    def _run(self, jobs: list[_Job]) -> None:
        """All jobs in one transaction; when that fails, each on its own, so that one cannot spoil the others."""
        try:
            self._transact(jobs)
        except Exception as failure:
            if len(jobs) > 1 and "locked" not in str(failure):
                for job in jobs:
                    self._run([job])
                return
            for job in jobs:
                job.failure = self._explained(failure)

    def _transact(self, jobs: list[_Job]) -> None:
        connection = self._opened()
        writes = any(job.writes for job in jobs)
        added: dict[Key, float] = {}
        try:
            if writes:
                connection.execute("BEGIN IMMEDIATE")  # a later upgrade from reading would fail at once, not wait
            written = writes and self._written_together(connection, jobs)
            for job in jobs:
                job.failure = None
                rows = job.rows
                try:
                    if rows is None or not (written and rows.together):
                        job.answer = self._worked(connection, job)
                    if rows is not None:
                        for record in rows.recorded:
                            add_tallies(added, record)
                except Conflict as refused:  # found before anything was written: it does not undo its neighbours
                    job.failure = refused
            if added:
                add_to_tallies(connection, added)
            if writes:
                connection.execute("COMMIT")
        except BaseException:
            self._connection = None  # opened anew by the next job: the file may be gone, moved or mended by then
            connection.close()  # undoes what was not committed
            raise

    @staticmethod
    def _worked(connection: sqlite3.Connection, job: _Job) -> Any:
        if job.work is not None:
            return job.work(connection)
        assert job.rows is not None
        return write(connection, job.rows)

    @staticmethod
    def _written_together(connection: sqlite3.Connection, jobs: list[_Job]) -> bool:
        """Whether all plain rows of turns are written: few statements take half the time of some for each turn."""
        turns = [job.rows for job in jobs if job.rows is not None and job.rows.together]
        if not turns or write_all(connection, turns):
            return True
        connection.execute("ROLLBACK")  # nothing but them is in the transaction yet
        connection.execute("BEGIN IMMEDIATE")
        return False

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            make_folder(self.path)
            self._connection = self._prepared()
        return self._connection

    def _prepared(self) -> sqlite3.Connection:
        """A connection to a file of the current layout.

        While another process makes that very file, SQLite refuses at once to change its journal, whatever the timeout.
        """
        ends = time.monotonic() + self._busy_seconds
        while True:
            connection = sqlite3.connect(self.path, timeout=self._busy_seconds, isolation_level=None)
            try:
                prepare(connection)
                return connection
            except BaseException as failure:
                connection.close()
                if "locked" not in str(failure) or time.monotonic() > ends:
                    raise
                time.sleep(_AGAIN_SECONDS)

    @staticmethod
    def _tell(jobs: list[_Job]) -> None:
        """One wake-up of a loop for all of its jobs."""
        by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
        for job in jobs:
            by_loop.setdefault(job.loop, []).append(job)
        for loop, own in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, own)

    def _explained(self, failure: Exception) -> StoreError:
        if isinstance(failure, StoreError):
            return failure
        reason = str(failure)
        known = (text for sign, text in _REMEDIES if sign in reason.lower())
        remedy = next(known, "check the disk and who owns the file")
        return StoreError(f"the session store {self.path.name} could not be used: {reason}; {remedy}")


def make_folder(file: Path) -> None:
    """The folder of a store, open to its user alone: what visitors wrote is nobody else's."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _resolve(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future is None:
            assert job.then is not None
            try:
                job.then(job.failure)
            except Exception:  # its neighbours still have to hear of theirs
                log.exception("what follows a commit failed")
        elif job.future.done():  # cancelled meanwhile
            continue
        elif job.failure is None:
            job.future.set_result(job.answer)
        else:
            job.future.set_exception(job.failure)


_REMEDIES = (
    ("locked", "another process holds it: stop that process or give each its own file"),
    ("full", "free space on that disk"),
    ("readonly", "let the server's user write the file and its folder"),
    ("unable to open", "let the server's user write the folder of server.store"),
    ("not a database", "move the file away, a new one is made then"),
    ("malformed", "restore a copy, or move the file away: a new one is made then"),
)
