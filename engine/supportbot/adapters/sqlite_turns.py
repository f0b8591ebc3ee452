"""The rows that a turn adds to the store, and how those of several turns are written at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from supportbot.errors import StoreError
from supportbot.model.session import Session
from supportbot.runtime.ports import Conflict, Record, StoredReply

FIELDS = Record.__struct_fields__
COLUMNS = ", ".join(FIELDS)
_ADD_RECORD = f"INSERT INTO records ({COLUMNS}) VALUES ({', '.join('?' for _ in FIELDS)})"
_PUT_SESSION = (
    "INSERT INTO sessions (id, version, state, closed, updated_at, body) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET version = excluded.version, state = excluded.state, closed = excluded.closed, "
    "updated_at = excluded.updated_at, body = excluded.body WHERE version = excluded.version - 1"
)
_PUT_REPLY = "INSERT OR REPLACE INTO replies (session_id, key, at, body) VALUES (?, ?, ?, ?)"

_encoder = msgspec.json.Encoder()
_values = attrgetter(*FIELDS)
_AT, _ACTIONS = FIELDS.index("at"), FIELDS.index("actions")

Row = tuple[Any, ...]


class Rows(NamedTuple):
    """What one turn writes; ``reply`` None: no body is kept for its message."""

    session: Row
    records: Sequence[Row]
    reply: Row | None


def rows_of(session: Session, records: Sequence[Record], reply: StoredReply | None) -> Rows:
    """Raises StoreError for a session that cannot be encoded."""
    answer = None if reply is None else (session.id, reply.key, reply.at.timestamp(), reply.body)
    return Rows(_session_row(session), [_record_row(record) for record in records], answer)


def write(connection: sqlite3.Connection, rows: Rows) -> None:
    """Write one turn. Raises Conflict, before anything is written, when another process went on with the session."""
    if connection.execute(_PUT_SESSION, rows.session).rowcount == 0:
        raise Conflict(rows.session[0])
    for record in rows.records:
        connection.execute(_ADD_RECORD, record)
    if rows.reply is not None:
        connection.execute(_PUT_REPLY, rows.reply)


def write_all(connection: sqlite3.Connection, turns: Sequence[Rows]) -> bool:
    """Write several turns, a statement for each table; False, with nothing written, when one of them is a Conflict."""
    connection.execute("SAVEPOINT turns")
    changed = connection.executemany(_PUT_SESSION, [rows.session for rows in turns]).rowcount
    if changed == len(turns):
        connection.executemany(_ADD_RECORD, [record for rows in turns for record in rows.records])
        connection.executemany(_PUT_REPLY, [rows.reply for rows in turns if rows.reply is not None])
    else:
        connection.execute("ROLLBACK TO turns")
    connection.execute("RELEASE turns")
    return changed == len(turns)


def encode(session: Session) -> bytes:
    """Raises StoreError for one that holds something else than its fields say."""
    try:
        return _encoder.encode(session)
    except (TypeError, ValueError, OverflowError, RecursionError) as failure:
        raise StoreError(f"session {session.id!r} holds something that cannot be stored: {failure}") from failure


def _session_row(session: Session) -> Row:
    moment = session.updated_at.timestamp()
    return (session.id, session.version, session.state, session.closed, moment, encode(session))


def _record_row(record: Record) -> Row:
    row = list(_values(record))
    row[_AT] = record.at.timestamp()
    row[_ACTIONS] = ",".join(record.actions)
    return tuple(row)
