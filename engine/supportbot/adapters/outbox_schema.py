"""The tables of queued calls, shared answers and access tokens in the store's file."""

from __future__ import annotations

OUTBOX = """
CREATE TABLE calls (
    id TEXT PRIMARY KEY, session_id TEXT NOT NULL, state TEXT NOT NULL, told INTEGER NOT NULL, due_at REAL NOT NULL,
    finished_at REAL NOT NULL, owner TEXT NOT NULL, until REAL NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX calls_due ON calls (state, due_at);
CREATE INDEX calls_untold ON calls (told, finished_at);
CREATE INDEX calls_by_session ON calls (session_id);
CREATE TABLE shared_answers (
    action TEXT NOT NULL, key TEXT NOT NULL, saved BLOB, at REAL NOT NULL, owner TEXT NOT NULL, until REAL NOT NULL,
    PRIMARY KEY (action, key)) WITHOUT ROWID;
CREATE TABLE tokens (key TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL, body BLOB) WITHOUT ROWID
"""
