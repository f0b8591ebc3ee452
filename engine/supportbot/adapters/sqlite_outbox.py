"""Queued calls, shared answers and access tokens in the store's file, on the store's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from supportbot.adapters.oauth import Token
from supportbot.adapters.sqlite_worker import SQLiteWorker
from supportbot.model.session import SlotValue
from supportbot.runtime.queued import CallChanges, QueuedCall

_ADD = "INSERT INTO calls (id, session_id, state, told, due_at, finished_at, owner, until, body) "
_ADD += "VALUES (?, ?, ?, ?, ?, ?, '', 0, ?)"

_calls = msgspec.json.Decoder(QueuedCall)
_tokens = msgspec.json.Decoder(Token)
_values = msgspec.json.Decoder(dict[str, SlotValue])
_encode = msgspec.json.encode


def write_changes(connection: sqlite3.Connection, changes: CallChanges) -> None:
    """Part of the transaction of a turn."""
    for call in changes.added:
        connection.execute(_ADD, (*_columns(call), _encode(call)))
    for call_id in changes.told:
        connection.execute("UPDATE calls SET told = 1 WHERE id = ?", (call_id,))


def _columns(call: QueuedCall) -> tuple[Any, ...]:
    return (call.id, call.session_id, call.state, call.told, call.due_at, call.finished_at)


def _decoded(rows: Sequence[tuple[bytes, int]]) -> tuple[QueuedCall, ...]:
    """The columns know best whether a call was told; the bodies know everything else."""
    return tuple(replace(_calls.decode(body), told=bool(told)) for body, told in rows)


def _revived(call: QueuedCall, now: float) -> QueuedCall:
    """Tried again from the step that failed; a write whose outcome is unknown is still looked for first."""
    return replace(call, state="waiting", due_at=now, attempts=0, finished_at=0.0, error="", reason="", told=False)


def _dropped(call: QueuedCall, now: float) -> QueuedCall:
    """Ended for good. A write that may have arrived is not said to have failed, but to be unknown."""
    error = call.error or ("timeout" if call.sent_at else "failed")
    return replace(call, state="dropped", finished_at=now, error="timeout" if call.sent_at else error)


class SQLiteOutbox:
    """Shares the store's worker, so that a turn and its calls are written together."""

    def __init__(self, worker: SQLiteWorker) -> None:
        self._worker = worker

    # --- calls -------------------------------------------------------------------------------

    async def take(self, owner: str, now: float, until: float, limit: int) -> tuple[QueuedCall, ...]:
        def look(connection: sqlite3.Connection) -> bool:
            query = "SELECT 1 FROM calls WHERE state = 'waiting' AND due_at <= ? AND until <= ? LIMIT 1"
            return connection.execute(query, (now, now)).fetchone() is not None

        if not await self._worker.ask(look, writes=False):  # most looks find nothing and need not lock the file
            return ()

        def work(connection: sqlite3.Connection) -> list[tuple[bytes, int]]:
            query = "SELECT id, body, told FROM calls WHERE state = 'waiting' AND due_at <= ? AND until <= ? "
            rows = connection.execute(query + "ORDER BY due_at LIMIT ?", (now, now, limit)).fetchall()
            for call_id, _, _ in rows:
                connection.execute("UPDATE calls SET owner = ?, until = ? WHERE id = ?", (owner, until, call_id))
            return [(bytes(body), told) for _, body, told in rows]

        return _decoded(await self._worker.ask(work, writes=True))

    async def keep(self, call: QueuedCall, owner: str, until: float) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            query = "UPDATE calls SET state = ?, due_at = ?, finished_at = ?, until = ?, body = ?"
            known = (call.state, call.due_at, call.finished_at, until, _encode(call), call.id, owner)
            return connection.execute(f"{query} WHERE id = ? AND owner = ?", known).rowcount > 0

        return await self._worker.ask(work, writes=True)

    async def extend(self, owner: str, ids: Sequence[str], until: float) -> None:
        marks = ", ".join("?" for _ in ids)
        query = f"UPDATE calls SET until = ? WHERE owner = ? AND state = 'waiting' AND until > 0 AND id IN ({marks})"
        await self._change(query, (until, owner, *ids))

    async def untold(self, before: float, limit: int) -> tuple[QueuedCall, ...]:
        query = "SELECT body, told FROM calls WHERE told = 0 AND state != 'waiting' AND finished_at <= ? LIMIT ?"
        return await self._calls(query, (before, limit))

    async def mark_told(self, call_id: str) -> None:
        await self._change("UPDATE calls SET told = 1 WHERE id = ?", (call_id,))

    async def owners(self) -> tuple[str, ...]:
        def work(connection: sqlite3.Connection) -> list[str]:
            query = "SELECT DISTINCT owner FROM calls WHERE state = 'waiting' AND owner != ''"
            return [owner for (owner,) in connection.execute(query).fetchall()]

        return tuple(await self._worker.ask(work, writes=False))

    async def free(self, owners: Sequence[str]) -> None:
        for owner in owners:
            await self._change("UPDATE calls SET owner = '', until = 0 WHERE owner = ?", (owner,))

    async def listed(self, states: Sequence[str], limit: int) -> tuple[QueuedCall, ...]:
        marks = ", ".join("?" for _ in states)
        query = f"SELECT body, told FROM calls WHERE state IN ({marks}) ORDER BY due_at LIMIT ?"
        return await self._calls(query, (*states, limit))

    async def find(self, call_id: str) -> QueuedCall | None:
        found = await self._calls("SELECT body, told FROM calls WHERE id = ?", (call_id,))
        return found[0] if found else None

    async def revive(self, call_id: str, now: float) -> bool:
        call = await self.find(call_id)
        if call is not None and call.state == "waiting":  # whoever works on it right now just goes on
            sooner = _encode(replace(call, due_at=now))
            query = "UPDATE calls SET due_at = ?, body = ? WHERE id = ? AND state = 'waiting' AND until <= ?"
            await self._change(query, (now, sooner, call_id, now))
            return True
        if call is None or call.state != "dead":
            return False
        fresh = _encode(_revived(call, now))
        query = "UPDATE calls SET state = 'waiting', told = 0, due_at = ?, until = 0, owner = '', body = ? "
        return await self._change(query + "WHERE id = ? AND state = 'dead'", (now, fresh, call_id)) > 0

    async def drop(self, call_id: str, now: float) -> bool:
        call = await self.find(call_id)
        if call is None or call.state not in ("waiting", "dead"):
            return False
        dropped = _encode(_dropped(call, now))
        query = "UPDATE calls SET state = 'dropped', finished_at = ?, until = 0, owner = '', body = ? "
        return await self._change(query + "WHERE id = ? AND state = ?", (now, dropped, call_id, call.state)) > 0

    # --- shared answers ----------------------------------------------------------------------

    async def shared(self, action: str, key: str, since: float) -> Mapping[str, SlotValue] | None:
        def work(connection: sqlite3.Connection) -> bytes | None:
            query = "SELECT saved FROM shared_answers WHERE action = ? AND key = ? AND at >= ? AND saved IS NOT NULL"
            row = connection.execute(query, (action, key, since)).fetchone()
            return None if row is None else bytes(row[0])

        saved = await self._worker.ask(work, writes=False)
        return None if saved is None else _values.decode(saved)

    async def reserve(self, action: str, key: str, owner: str, times: tuple[float, float, float]) -> bool:
        since, now, until = times
        query = (
            "INSERT INTO shared_answers (action, key, saved, at, owner, until) VALUES (?, ?, NULL, ?, ?, ?) "
            "ON CONFLICT (action, key) DO UPDATE SET saved = NULL, at = excluded.at, owner = excluded.owner, "
            "until = excluded.until WHERE (until <= excluded.at OR owner = excluded.owner) "
            # An answer that came after the caller looked for one must not be thrown away.
            "AND (saved IS NULL OR at < ?)"
        )
        return await self._change(query, (action, key, now, owner, until, since)) > 0

    async def share(self, action: str, key: str, values: Mapping[str, SlotValue], now: float) -> None:
        query = "UPDATE shared_answers SET saved = ?, at = ?, until = 0 WHERE action = ? AND key = ?"
        await self._change(query, (_encode(dict(values)), now, action, key))

    # --- tokens ------------------------------------------------------------------------------

    async def token(self, key: str) -> Token:
        def work(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute("SELECT body FROM tokens WHERE key = ?", (key,)).fetchone()
            return None if row is None or row[0] is None else bytes(row[0])

        body = await self._worker.ask(work, writes=False)
        return Token() if body is None else _tokens.decode(body)

    async def lease(self, key: str, owner: str, now: float, until: float) -> bool:
        query = (
            "INSERT INTO tokens (key, owner, until, body) VALUES (?, ?, ?, NULL) "
            "ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, until = excluded.until WHERE until <= ?"
        )
        return await self._change(query, (key, owner, until, now)) > 0

    async def put_token(self, key: str, token: Token, owner: str = "", until: float = 0.0) -> None:
        query = "INSERT OR REPLACE INTO tokens (key, owner, until, body) VALUES (?, ?, ?, ?)"
        await self._change(query, (key, owner, until, _encode(token)))

    # --- inside ------------------------------------------------------------------------------

    async def _calls(self, query: str, values: tuple[Any, ...]) -> tuple[QueuedCall, ...]:
        def work(connection: sqlite3.Connection) -> list[tuple[bytes, int]]:
            return [(bytes(body), told) for body, told in connection.execute(query, values).fetchall()]

        return _decoded(await self._worker.ask(work, writes=False))

    async def _change(self, query: str, values: tuple[Any, ...]) -> int:
        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(query, values).rowcount

        return await self._worker.ask(work, writes=True)
