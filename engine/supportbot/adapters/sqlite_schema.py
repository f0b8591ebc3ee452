"""The layout of the store's file, and how older layouts become the current one."""

from __future__ import annotations

import sqlite3

from supportbot.adapters.outbox_schema import OUTBOX
from supportbot.errors import StoreError

SCHEMA_VERSION = 5

_FIRST = """
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
CREATE INDEX IF NOT EXISTS records_by_time ON records (at, handler, category)
"""
# Replies outlive their session's next messages by a window only; tallies are counters and never go down.
_SECOND = """
ALTER TABLE records ADD COLUMN day TEXT NOT NULL DEFAULT '';
ALTER TABLE records ADD COLUMN conversation TEXT NOT NULL DEFAULT '';
ALTER TABLE records ADD COLUMN opening INTEGER NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN result TEXT NOT NULL DEFAULT '';
ALTER TABLE records ADD COLUMN cost REAL NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN saved INTEGER NOT NULL DEFAULT 0;
DROP INDEX records_by_time;
CREATE INDEX records_by_time ON records (at);
CREATE TABLE replies (
    session_id TEXT NOT NULL, key TEXT NOT NULL, at REAL NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (session_id, key)) WITHOUT ROWID;
CREATE INDEX replies_by_time ON replies (at);
CREATE TABLE tallies (
    name TEXT NOT NULL, labels TEXT NOT NULL, value REAL NOT NULL, PRIMARY KEY (name, labels)) WITHOUT ROWID;
CREATE TABLE snapshots (revision TEXT PRIMARY KEY, at REAL NOT NULL, files BLOB NOT NULL)
"""
# Records and replies in the order of their arrival: sorted by ids, each one took a page of its own to the disk.
_FOURTH = """
ALTER TABLE records RENAME TO sorted_records;
CREATE TABLE records (
    id TEXT NOT NULL, session_id TEXT NOT NULL, message_id TEXT NOT NULL, request_id TEXT NOT NULL,
    at REAL NOT NULL, revision TEXT NOT NULL, channel TEXT NOT NULL, text TEXT NOT NULL, reply TEXT NOT NULL,
    state TEXT NOT NULL, next_state TEXT NOT NULL, category TEXT NOT NULL, handler TEXT NOT NULL, kind TEXT NOT NULL,
    actions TEXT NOT NULL, model TEXT NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,
    error TEXT NOT NULL, elapsed REAL NOT NULL, day TEXT NOT NULL, conversation TEXT NOT NULL,
    opening INTEGER NOT NULL, result TEXT NOT NULL, cost REAL NOT NULL, saved INTEGER NOT NULL);
INSERT INTO records SELECT id, session_id, message_id, request_id, at, revision, channel, text, reply, state,
    next_state, category, handler, kind, actions, model, tokens_in, tokens_out, error, elapsed, day, conversation,
    opening, result, cost, saved FROM sorted_records ORDER BY rowid;
DROP TABLE sorted_records;
CREATE INDEX records_by_session ON records (session_id, at);
CREATE INDEX records_by_time ON records (at);
ALTER TABLE replies RENAME TO sorted_replies;
CREATE TABLE replies (session_id TEXT NOT NULL, key TEXT NOT NULL, at REAL NOT NULL, body BLOB NOT NULL);
INSERT INTO replies SELECT session_id, key, at, body FROM sorted_replies ORDER BY at;
DROP TABLE sorted_replies;
CREATE UNIQUE INDEX replies_by_key ON replies (session_id, key);
CREATE INDEX replies_by_time ON replies (at)
"""
# A turn is written at the end of `records`, with its reply, and once in `sessions`; a history is what
# records say, where they say the same, and `topic` what they do not say.
# A session's records hang together (sqlite_chain.py): no index by session and no table of replies takes a page for each
# turn. Records of sessions that were purged before them hang on nothing, and would be purged within the hour.
_FIFTH = """
ALTER TABLE sessions ADD COLUMN past INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN last INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN length INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET last = (SELECT coalesce(max(rowid), 0) FROM records WHERE session_id = sessions.id),
    length = (SELECT count(*) FROM records WHERE session_id = sessions.id);
ALTER TABLE records RENAME TO indexed_records;
CREATE TABLE records (
    number INTEGER PRIMARY KEY, before INTEGER NOT NULL,
    id TEXT NOT NULL, session_id TEXT NOT NULL, message_id TEXT NOT NULL, request_id TEXT NOT NULL,
    at REAL NOT NULL, revision TEXT NOT NULL, channel TEXT NOT NULL, text TEXT NOT NULL, reply TEXT NOT NULL,
    state TEXT NOT NULL, next_state TEXT NOT NULL, category TEXT NOT NULL, handler TEXT NOT NULL, kind TEXT NOT NULL,
    actions TEXT NOT NULL, model TEXT NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,
    error TEXT NOT NULL, elapsed REAL NOT NULL, day TEXT NOT NULL, conversation TEXT NOT NULL,
    opening INTEGER NOT NULL, result TEXT NOT NULL, cost REAL NOT NULL, saved INTEGER NOT NULL,
    body BLOB, topic INTEGER);
INSERT INTO records SELECT rowid, coalesce(lag(rowid) OVER (PARTITION BY session_id ORDER BY rowid), 0),
    id, session_id, message_id, request_id, at, revision, channel, text, reply, state, next_state, category, handler,
    kind, actions, model, tokens_in, tokens_out, error, elapsed, day, conversation, opening, result, cost, saved,
    NULL, NULL FROM indexed_records WHERE session_id IN (SELECT id FROM sessions) ORDER BY rowid;
DROP TABLE indexed_records;
CREATE INDEX records_by_time ON records (at);
CREATE TABLE marks (emptied REAL NOT NULL);
INSERT INTO marks SELECT coalesce(max(at), 0) FROM records
"""
_STEPS = {1: _FIRST, 2: _SECOND, 3: OUTBOX, 4: _FOURTH, 5: _FIFTH}


def prepare(connection: sqlite3.Connection) -> None:
    """Set the connection up and bring the file to the current layout. Raises StoreError for a newer one."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")  # what is erased must not stay behind in free pages
    connection.execute("BEGIN IMMEDIATE")
    known = _version(connection)
    if known > SCHEMA_VERSION:
        connection.execute("ROLLBACK")
        raise StoreError(
            f"the session store has layout {known}, this supportbot knows {SCHEMA_VERSION}: use the newer version again"
        )
    for version in range(known + 1, SCHEMA_VERSION + 1):
        for statement in _STEPS[version].split(";"):
            connection.execute(statement)
    if known < SCHEMA_VERSION:
        connection.execute("DELETE FROM schema_version")
        connection.execute("INSERT INTO schema_version VALUES (?)", (SCHEMA_VERSION,))
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    """The layout of the file; 0 for a new one."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone() is None:
        return 0
    return int(connection.execute("SELECT max(version) FROM schema_version").fetchone()[0] or 0)
