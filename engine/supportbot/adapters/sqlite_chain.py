"""A session's records: the session names the newest one, each names the one before it.

So no index sorted by session has to be kept up: an entry at a random place costs a page of the log for each turn.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from supportbot.errors import StoreError
from supportbot.model.session import Exchange, Session
from supportbot.runtime.ports import Record

FIELDS = Record.__struct_fields__
MOST = 512  # records that are gone through for a reply; those of longer sessions are all in `replies`, by their keys

# Numbers only ever get smaller, and a record that was removed and whose number is another's now ends the chain.
_OWN = """
WITH RECURSIVE own (number, before) AS (
    SELECT number, before FROM records
    WHERE number = (SELECT last FROM sessions WHERE id = :id AND length <= :most) AND session_id = :id
    UNION ALL
    SELECT records.number, records.before FROM own CROSS JOIN records ON records.number = own.before
    WHERE records.session_id = :id AND records.number < own.number)
"""
_EVERY = 1 << 62
_HISTORY = f"""
{_OWN} SELECT text, reply, handler, at, topic FROM own CROSS JOIN records USING (number)
WHERE topic IS NOT NULL LIMIT :past
"""
_KEYS = f"""
{_OWN} SELECT message_id FROM own CROSS JOIN records USING (number) WHERE body IS NOT NULL
UNION ALL SELECT * FROM (SELECT key FROM replies WHERE session_id = :id LIMIT :most + 1)
"""
_REPLY = f"""
{_OWN} SELECT at, 0 AS later, body FROM own CROSS JOIN records USING (number)
WHERE message_id = :key AND at >= :since AND body IS NOT NULL
UNION ALL SELECT at, 1, body FROM replies WHERE session_id = :id AND key = :key AND at >= :since
ORDER BY at DESC, later DESC LIMIT 1
"""
_RECORDS = f"""
{_OWN} SELECT {", ".join(FIELDS)} FROM own CROSS JOIN records USING (number) ORDER BY at, number
"""
_SPENT = f"{_OWN} SELECT sum(tokens_in + tokens_out), sum(cost) FROM own CROSS JOIN records USING (number)"
_DELETE = f"DELETE FROM records WHERE number IN ({_OWN} SELECT number FROM own)"
_EMPTY = f"UPDATE records SET body = NULL WHERE number IN ({_OWN} SELECT number FROM own)"
_MOVE = """
INSERT INTO replies (session_id, key, at, body)
SELECT session_id, message_id, at, body FROM records WHERE body IS NOT NULL AND number IN ({numbers}) ORDER BY at
ON CONFLICT (session_id, key) DO UPDATE SET at = excluded.at, body = excluded.body WHERE excluded.at > at
"""
_MOVE_OWN = _MOVE.format(numbers=f"{_OWN} SELECT number FROM own")
_MOVE_OLD = _MOVE.format(numbers="SELECT number FROM records WHERE at < :before ORDER BY at, number LIMIT :limit")

_session = msgspec.json.Decoder(Session)


class Trail(NamedTuple):
    """Where a session's rows are. ``last``: the number of its newest record, 0 for none.

    ``length``: how many records it had so far, also of those that are gone. ``past``: exchanges of its history that its
    records hold; 0: all of it stands in its own row.
    """

    last: int = 0
    length: int = 0
    past: int = 0


NOWHERE = Trail()


def trail_of(connection: sqlite3.Connection, session_id: str) -> tuple[int, Trail] | None:
    """The session's version and where its rows are."""
    query = "SELECT version, last, length, past FROM sessions WHERE id = ?"
    row = connection.execute(query, (session_id,)).fetchone()
    return None if row is None else (row[0], Trail(*row[1:]))


def read_session(connection: sqlite3.Connection, session_id: str) -> tuple[Session | None, Trail]:
    """Raises StoreError for one that cannot be read."""
    query = "SELECT body, last, length, past FROM sessions WHERE id = ?"
    row = connection.execute(query, (session_id,)).fetchone()
    if row is None:
        return None, NOWHERE
    session, trail = decode(session_id, row[0]), Trail(*row[1:])
    if trail.past:
        rows = connection.execute(_HISTORY, _own(session_id, past=trail.past)).fetchall()
        session = msgspec.structs.replace(session, history=tuple(_exchange(row) for row in reversed(rows)))
    return session, trail


def reply_keys(connection: sqlite3.Connection, session_id: str) -> set[str] | None:
    """The messages whose replies are known; None when they are too many."""
    found = connection.execute(_KEYS, _own(session_id, MOST)).fetchall()
    return {key for (key,) in found} if len(found) <= MOST else None


def read_reply(connection: sqlite3.Connection, session_id: str, key: str, since: float) -> bytes | None:
    row = connection.execute(_REPLY, _own(session_id, MOST, key=key, since=since)).fetchone()
    return None if row is None else bytes(row[2])


def read_records(connection: sqlite3.Connection, session_id: str) -> list[Any]:
    """The oldest first."""
    return connection.execute(_RECORDS, _own(session_id)).fetchall()


def read_spent(connection: sqlite3.Connection, session_id: str) -> tuple[int | None, float | None]:
    found: tuple[int | None, float | None] = connection.execute(_SPENT, _own(session_id)).fetchone()
    return found


def delete_session(connection: sqlite3.Connection, session_id: str) -> int:
    """How many rows it had."""
    gone = connection.execute(_DELETE, _own(session_id)).rowcount
    gone += connection.execute("DELETE FROM sessions WHERE id = ?", (session_id,)).rowcount
    for table in ("replies", "calls"):
        gone += connection.execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,)).rowcount
    return gone


def bodies_to_replies(connection: sqlite3.Connection, session_id: str) -> None:
    """For a session whose records became too many to go through."""
    connection.execute(_MOVE_OWN, _own(session_id))
    connection.execute(_EMPTY, _own(session_id))


def purge_records(connection: sqlite3.Connection, before: float, replies_before: float, limit: int) -> int:
    """So many rows of the old ones; replies outlive them when they are to be known for longer."""
    values = {"before": before, "limit": limit, "replies_before": replies_before}
    if replies_before < before:
        connection.execute(_MOVE_OLD, values)
    old = "SELECT number FROM records WHERE at < :before ORDER BY at, number LIMIT :limit"
    return connection.execute(f"DELETE FROM records WHERE number IN ({old})", values).rowcount


def purge_replies(connection: sqlite3.Connection, before: float, limit: int) -> int:
    """So many old bodies of the table and of the records, which are in the order of time up to the mark."""
    found = "IN (SELECT rowid FROM replies WHERE at < ? LIMIT ?)"
    gone = connection.execute(f"DELETE FROM replies WHERE rowid {found}", (before, limit)).rowcount
    query = "SELECT number, at FROM records WHERE at >= (SELECT emptied FROM marks) AND at < ? AND body IS NOT NULL"
    rows = connection.execute(f"{query} ORDER BY at LIMIT ?", (before, limit)).fetchall()
    connection.executemany("UPDATE records SET body = NULL WHERE number = ?", [(number,) for number, _ in rows])
    mark = rows[-1][1] if len(rows) == limit else before
    connection.execute("UPDATE marks SET emptied = ? WHERE emptied < ?", (mark, mark))
    return gone + len(rows)


def purge_sessions(connection: sqlite3.Connection, before: float, limit: int) -> int:
    """Not those with a record that is younger than they are: nobody would find it to erase it."""
    found = (
        "SELECT id FROM sessions WHERE updated_at < ? AND NOT EXISTS "
        "(SELECT 1 FROM records WHERE number = sessions.last AND session_id = sessions.id) LIMIT ?"
    )
    return connection.execute(f"DELETE FROM sessions WHERE id IN ({found})", (before, limit)).rowcount


def decode(session_id: str, body: bytes) -> Session:
    """A session without the history that its records hold."""
    try:
        return _session.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as failure:
        raise StoreError(
            f"session {session_id!r} in the store cannot be read ({failure}): delete that session, it then starts again"
        ) from failure


def _exchange(row: tuple[Any, ...]) -> Exchange:
    said, answered, handler, at, topic = row
    return Exchange(said, answered, handler, datetime.fromtimestamp(at, UTC), bool(topic))


def _own(session_id: str, most: int = _EVERY, **values: object) -> dict[str, object]:
    return {"id": session_id, "most": most, **values}
