"""The rows that a turn adds to the store, and how those of several turns are written at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec
from msgspec.structs import replace

from supportbot.adapters.sqlite_chain import MOST, NOWHERE, Trail, bodies_to_replies, trail_of
from supportbot.adapters.sqlite_memory import Kept
from supportbot.errors import StoreError
from supportbot.model.session import Exchange, Session
from supportbot.runtime.ports import Conflict, Record, StoredReply
from supportbot.runtime.tallies import Key

_PLAIN = tuple(name for name in Record.__struct_fields__ if name not in ("at", "actions", "opening"))
_RECORD_COLUMNS = (*_PLAIN, "at", "actions", "opening", "body", "topic", "before")
_SESSION_COLUMNS = ("id", "version", "state", "closed", "updated_at", "body", "past", "last", "length")
_PUT_REPLY = "INSERT OR REPLACE INTO replies (session_id, key, at, body) VALUES (?, ?, ?, ?)"
_AT_ONCE = 32  # rows of a statement; SQLite keeps one prepared for each number of them

_encode = msgspec.json.Encoder().encode
_plain = attrgetter(*_PLAIN)

Row = tuple[Any, ...]


class Rows:
    """What one turn writes.

    ``known``: where the session's rows were before; None when that is to be looked up. ``recorded``: the records that
    ``records`` are the rows of, without the number of the one before: ``last`` and ``length`` are known when these are
    written.
    ``reply``: a body that no record holds. ``together``: may be written with the rows of other turns.
    """

    __slots__ = ("known", "last", "length", "past", "recorded", "records", "reply", "session", "together")

    def __init__(
        self,
        session: Row,
        known: Trail | None,
        past: int,
        recorded: tuple[Record, ...],
        records: Sequence[Row],
        reply: Row | None,
    ) -> None:
        self.session = session
        self.known = known
        self.past = past
        self.recorded = recorded
        self.records = records
        self.reply = reply
        self.together = False
        self.last = self.length = 0

    @property
    def plain(self) -> bool:
        """Whether the rows of session and records are all that there is to do."""
        return self.reply is None and len(self.records) < 2 and self.known is not None and self.known.length < MOST


def rows_of(
    session: Session, record: Record | None, ended: Record | None, reply: StoredReply | None, kept: Kept | None
) -> Rows:
    """``kept``: what was in the store before, if that is known. Raises StoreError for what cannot be encoded."""
    known: Trail | None = None
    before: tuple[Exchange, ...] = ()
    if kept is not None and (kept.session is None or kept.session.version == session.version - 1):
        known = kept.trail
        before = () if kept.session is None else kept.session.history
    past, topic = _with_records(session.history, known, before, record)
    body = encode(replace(session, history=()) if past else session)
    row = (session.id, session.version, session.state, int(session.closed), session.updated_at.timestamp(), body, past)
    recorded: tuple[Record, ...] = ()
    records: tuple[Row, ...] = ()
    if ended is not None:
        recorded, records = (ended,), (_record_row(ended, None, None),)
    if record is None:
        return Rows(row, known, past, recorded, records, None if reply is None else _reply_row(session.id, reply))
    own = (
        reply is not None
        and known is not None
        and reply.key == record.message_id
        and reply.at == record.at
        and known.length + len(records) < MOST
    )
    held = reply.body if own and reply is not None else None
    records = (*records, _record_row(record, held, topic))
    answer = None if own or reply is None else _reply_row(session.id, reply)
    return Rows(row, known, past, (*recorded, record), records, answer)


def write(connection: sqlite3.Connection, rows: Rows) -> None:
    """Write one turn. Raises Conflict, before anything is written, when another process went on with the session."""
    session_id, version = rows.session[:2]
    stored = trail_of(connection, session_id)
    if stored is None:
        # Erased meanwhile, with the part of its history that this turn would build on.
        if rows.known not in (None, NOWHERE):
            raise Conflict(session_id)
        trail = NOWHERE
    else:
        stored_version, trail = stored
        if stored_version != version - 1 or rows.known not in (None, trail):
            raise Conflict(session_id)
    last = trail.last
    for record in rows.records:
        last = connection.execute(_add_records(1), (*record, last)).lastrowid or 0
    rows.last = last
    rows.length = trail.length + len(rows.records)
    connection.execute(_put_sessions(1), (*rows.session, last, rows.length))
    if rows.length > MOST >= trail.length:
        bodies_to_replies(connection, session_id)
    if rows.reply is not None:
        connection.execute(_PUT_REPLY, rows.reply)


def write_all(connection: sqlite3.Connection, turns: Sequence[Rows]) -> bool:
    """Write several plain turns, with few statements; False when one is a Conflict: the caller takes all back."""
    records: list[Any] = []
    for rows in turns:
        for record in rows.records:
            records += record
            records.append((rows.known or NOWHERE).last)
    _, number = _put(connection, _add_records, records, len(_RECORD_COLUMNS))
    number -= len(records) // len(_RECORD_COLUMNS)  # a transaction has the next numbers for itself
    sessions: list[Any] = []
    for rows in turns:
        last, length, _ = rows.known or NOWHERE
        if rows.records:
            number += 1
            last, length = number, length + 1
        rows.last, rows.length = last, length
        sessions += rows.session
        sessions.append(last)
        sessions.append(length)
    return _put(connection, _put_sessions, sessions, len(_SESSION_COLUMNS))[0] == len(turns)


def add_to_tallies(connection: sqlite3.Connection, added: Mapping[Key, float]) -> None:
    values: list[Any] = []
    for (name, labels), value in added.items():
        values += (name, labels, value)
    _put(connection, _put_tallies, values, 3)


def _put(
    connection: sqlite3.Connection, statement: Callable[[int], str], values: list[Any], width: int
) -> tuple[int, int]:
    """How many rows were written, and the number of the last one."""
    changed = number = 0
    most = _AT_ONCE * width
    for at in range(0, len(values), most):
        some = values[at : at + most]
        done = connection.execute(statement(len(some) // width), some)
        changed += done.rowcount
        number = done.lastrowid or 0
    return changed, number


@cache
def _add_records(count: int) -> str:
    return f"INSERT INTO records ({', '.join(_RECORD_COLUMNS)}) VALUES {_marks(len(_RECORD_COLUMNS), count)}"


@cache
def _put_sessions(count: int) -> str:
    changed = ", ".join(f"{name} = excluded.{name}" for name in _SESSION_COLUMNS[1:])
    return (
        f"INSERT INTO sessions ({', '.join(_SESSION_COLUMNS)}) VALUES {_marks(len(_SESSION_COLUMNS), count)} "
        f"ON CONFLICT (id) DO UPDATE SET {changed} WHERE version = excluded.version - 1"
    )


@cache
def _put_tallies(count: int) -> str:
    return (
        f"INSERT INTO tallies (name, labels, value) VALUES {_marks(3, count)} "
        "ON CONFLICT (name, labels) DO UPDATE SET value = value + excluded.value"
    )


def _marks(columns: int, rows: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * rows)


def _with_records(
    history: tuple[Exchange, ...], known: Trail | None, before: tuple[Exchange, ...], record: Record | None
) -> tuple[int, int | None]:
    """How many exchanges the records hold after this turn, and the ``topic`` of the one that its record holds.

    A record holds one by saying the same. As soon as one is not what its record says, because records are masked, the
    whole history stays in the session's own row until it is empty again: nothing in clear gets into the records.
    """
    if not history or known is None or (before and not known.past):
        return 0, None
    added = _added(before, history)
    if not added:
        return len(history), None
    topic = added[0].topic
    if record is None or added != (Exchange(record.text, record.reply, record.handler, record.at, topic),):
        return 0, None
    return len(history), int(topic)


def _added(before: tuple[Exchange, ...], history: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
    """What comes after the part of the history that was there before, which may have lost its oldest ones."""
    for start in range(len(before)):
        old = before[start:]
        if history[: len(old)] == old:
            return history[len(old) :]
    return history


def encode(session: Session) -> bytes:
    """Raises StoreError for one that holds something else than its fields say."""
    try:
        return _encode(session)
    except (TypeError, ValueError, OverflowError, RecursionError) as failure:
        raise StoreError(f"session {session.id!r} holds something that cannot be stored: {failure}") from failure


def _record_row(record: Record, body: bytes | None, topic: int | None) -> Row:
    actions = ",".join(record.actions) if record.actions else ""
    return (*_plain(record), record.at.timestamp(), actions, int(record.opening), body, topic)


def _reply_row(session_id: str, reply: StoredReply) -> Row:
    return (session_id, reply.key, reply.at.timestamp(), reply.body)
