"""Files that an older supportbot made, and one that a newer made."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tests.adapters.test_stores import NOW, record, session

from supportbot.adapters import sqlite_schema
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.errors import StoreError
from supportbot.model.session import Exchange, Session
from supportbot.runtime.ports import Record, StoredReply


def old_file(path: Path, layout: int, sessions: list[Session], records: list[Record]) -> None:
    """With the statements that the supportbot of that layout wrote."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for version in range(1, layout + 1):
            connection.executescript(sqlite_schema._STEPS[version])
        connection.execute("INSERT INTO schema_version VALUES (?)", (layout,))
        for one in sessions:
            row = (one.id, one.version, one.state, one.closed, one.updated_at.timestamp(), msgspec.json.encode(one))
            connection.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", row)
        names = Record.__struct_fields__
        for item in records:
            values = {name: getattr(item, name) for name in names}
            values |= {"at": item.at.timestamp(), "actions": ",".join(item.actions)}
            marks = ", ".join("?" for _ in names)
            connection.execute(f"INSERT INTO records ({', '.join(names)}) VALUES ({marks})", tuple(values.values()))
            reply = (item.session_id, item.message_id, item.at.timestamp(), f"body of {item.id}".encode())
            connection.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?)", reply)


@pytest.mark.parametrize("keep", [0, 10])
@pytest.mark.parametrize("layout", [3, 4])
def test_an_older_layout_is_brought_up_with_all_that_it_holds_and_goes_on(
    tmp_path: Path, layout: int, keep: int
) -> None:
    said = tuple(Exchange(f"said {n}", "answered", "h", NOW, topic=n > 0) for n in range(3))
    olds = [session(name, version=3, history=said) for name in ("a", "b")]
    told = [
        msgspec.structs.replace(record(f"{name}{n}", name), message_id=f"m{n}", at=NOW + timedelta(seconds=n))
        for n in range(3)
        for name in ("a", "b")
    ]
    orphan = record("of a session that was purged", "c")
    old_file(tmp_path / "old.db", layout, olds, [*told[:2], orphan, *told[2:]])

    async def run() -> None:
        store = SQLiteStore(tmp_path / "old.db", keep=keep)
        for old in olds:
            assert await store.load(old.id) == old
            assert await store.records(old.id) == tuple(item for item in told if item.session_id == old.id)
            for n in range(3):
                assert await store.reply(old.id, f"m{n}", NOW) == f"body of {old.id}{n}".encode()
            assert await store.reply(old.id, "m0", NOW + timedelta(seconds=1)) is None
        assert not await store.records("c")
        longer = msgspec.structs.replace(olds[0], version=4, history=(*said[1:], Exchange("more", "hi", "h", NOW)))
        new = msgspec.structs.replace(record("a3", "a"), message_id="m3", at=NOW + timedelta(seconds=3))
        await store.commit(longer, new, StoredReply("m3", b"new", new.at, NOW))
        await store.close()
        store = SQLiteStore(tmp_path / "old.db")
        assert await store.load("a") == longer
        assert await store.records("a") == (*(item for item in told if item.session_id == "a"), new)
        assert await store.reply("a", "m3", NOW) == b"new"
        assert await store.delete("a")
        assert await store.load("b") == olds[1]
        assert len(await store.records("b")) == 3
        await store.close()

    asyncio.run(run())


def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "s.db"
        store = SQLiteStore(path)
        await store.commit(session(), None)
        await store.close()
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE schema_version SET version = 99")
        connection.close()
        newer = SQLiteStore(path)
        with pytest.raises(StoreError, match="layout 99"):
            await newer.load("s1")
        await newer.close()

    asyncio.run(run())
