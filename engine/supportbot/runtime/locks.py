"""One lock a session, kept only while somebody holds it or waits for it."""

from __future__ import annotations

import asyncio
from collections import deque


class SessionLocks:
    """Turns of one session come one after the other, in the order of their arrival; other sessions do not wait."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]] | None] = {}  # held sessions; None: nobody waits

    def __len__(self) -> int:
        """Sessions in work at this moment."""
        return len(self._waiting)

    def take(self, session_id: str) -> bool:
        """Hold the session when nobody else does; then ``release`` it."""
        if session_id in self._waiting:
            return False
        self._waiting[session_id] = None
        return True

    def hold(self, session_id: str) -> _Hold:
        """``async with``: alone with that session."""
        return _Hold(self, session_id)

    async def acquire(self, session_id: str) -> None:
        if self.take(session_id):
            return
        queue = self._waiting[session_id]
        if queue is None:
            queue = self._waiting[session_id] = deque()
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was this one's turn already
                self.release(session_id)
            raise

    def release(self, session_id: str) -> None:
        """The next one that still waits holds it from now on."""
        queue = self._waiting[session_id]
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[session_id]


class _Hold:
    __slots__ = ("_locks", "_session_id")

    def __init__(self, locks: SessionLocks, session_id: str) -> None:
        self._locks = locks
        self._session_id = session_id

    async def __aenter__(self) -> None:
        await self._locks.acquire(self._session_id)

    async def __aexit__(self, *failure: object) -> None:
        self._locks.release(self._session_id)
