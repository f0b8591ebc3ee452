"""What every store must do, tried on all of them, and what only the one on disk must survive."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from supportbot.adapters import sqlite_schema, sqlite_worker
from supportbot.adapters.memory_store import MemoryStore
from supportbot.adapters.sqlite_chain import decode
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.adapters.sqlite_turns import encode
from supportbot.errors import StoreError
from supportbot.model.session import Exchange, FormState, GuideState, Session
from supportbot.runtime.ports import Conflict, Record, Store, StoredReply

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
MakeStore = Callable[[], Store]


def session(session_id: str = "s1", version: int = 1, **changes: object) -> Session:
    plain = Session(session_id, "greeting", NOW, NOW, version=version)
    return replace(plain, **changes)  # type: ignore[arg-type]


def record(record_id: str, session_id: str = "s1") -> Record:
    return Record(
        id=record_id, session_id=session_id, message_id="m1", request_id="r1", at=NOW, revision="abc", channel="chat",
        text="hello", reply="hi", state="greeting", next_state="troubleshooting", category="printing", handler="h",
        kind="guide", actions=("one", "two"), model="m", tokens_in=1, tokens_out=2, error="", elapsed=0.5,
    )  # fmt: skip


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    return MemoryStore if request.param == "memory" else lambda: SQLiteStore(tmp_path / "deep" / "sessions.db")


def test_the_folder_of_a_store_is_its_user_s_alone_also_when_it_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "deep"

    async def run() -> None:
        for _ in range(2):
            store = SQLiteStore(folder / "sessions.db")
            await store.check(True)
            assert folder.stat().st_mode & 0o777 == 0o700
            await store.close()
            shutil.rmtree(folder)

    asyncio.run(run())


def test_what_was_committed_is_loaded(make_store: MakeStore) -> None:
    full = session(
        slots={"name": "Ann", "count": 3, "ratio": 1.5, "urgent": True},
        visitor={"email": "ann@example.com"},
        form=FormState("callback", "phone", {"name": "Ann"}, 1),
        guide=GuideState("printer_offline", 1, True),
        history=(Exchange("hi", "hello", "greeting", NOW),),
        variants={"welcome": 2},
    )

    async def run() -> None:
        store = make_store()
        assert await store.load("s1") is None
        await store.commit(full, record("r1"))
        assert await store.load("s1") == full
        await store.close()

    asyncio.run(run())


def test_a_version_that_is_not_the_next_one_is_a_conflict_and_writes_nothing(make_store: MakeStore) -> None:
    async def run() -> None:
        store = make_store()
        await store.commit(session(version=1), None)
        await store.commit(session(version=2, state="troubleshooting"), None)
        for version in (1, 2, 4):
            with pytest.raises(Conflict):
                await store.commit(session(version=version, state="closed"), record(f"r{version}"))
        kept = await store.load("s1")
        assert kept is not None
        assert (kept.version, kept.state) == (2, "troubleshooting")
        assert await store.delete("s1")
        assert not await store.delete("s1"), "the refused records were kept"
        await store.close()

    asyncio.run(run())


def test_delete_forgets_the_session_and_its_records_and_no_others(make_store: MakeStore) -> None:
    async def run() -> None:
        store = make_store()
        await store.commit(session("s1"), record("r1", "s1"))
        await store.commit(session("s2"), record("r2", "s2"))
        assert await store.delete("s1")
        assert await store.load("s1") is None
        assert not await store.delete("s1")
        assert await store.load("s2") is not None
        await store.close()

    asyncio.run(run())


def test_active_counts_open_sessions_since_a_moment(make_store: MakeStore) -> None:
    async def run() -> None:
        store = make_store()
        await store.commit(session("old", updated_at=NOW - timedelta(hours=2)), None)
        await store.commit(session("closed", closed=True), None)
        await store.commit(session("open"), None)
        assert await store.active(NOW - timedelta(minutes=30)) == 1
        assert await store.active(NOW - timedelta(hours=3)) == 2
        await store.close()

    asyncio.run(run())


def test_of_many_commits_of_the_same_version_exactly_one_wins(make_store: MakeStore) -> None:
    async def run() -> None:
        store = make_store()
        await store.commit(session(version=1), None)
        tried = (store.commit(session(version=2, state=f"state {n}"), record(f"r{n}")) for n in range(40))
        results = await asyncio.gather(*tried, return_exceptions=True)
        assert sum(1 for result in results if result is None) == 1
        assert sum(1 for result in results if isinstance(result, Conflict)) == 39
        await store.close()

    asyncio.run(run())


# --- on disk ------------------------------------------------------------------------------------


def test_concurrent_sessions_share_transactions_and_all_survive(tmp_path: Path) -> None:
    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db")
        await asyncio.gather(*(store.commit(session(f"s{n}"), record(f"r{n}", f"s{n}")) for n in range(300)))
        await store.close()
        again = SQLiteStore(tmp_path / "s.db")
        assert await again.active(NOW) == 300
        assert await again.records("s7") == (record("r7", "s7"),)
        await again.close()

    asyncio.run(run())


def test_a_job_that_fails_does_not_spoil_the_others_of_its_transaction(tmp_path: Path) -> None:
    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db")
        results = await asyncio.gather(
            store.commit(session("a"), record("ra", "a")),
            store.commit(session("b"), replace(record("rb", "b"), text="\ud800")),  # cannot be written as UTF-8
            store.commit(session("c"), record("rc", "c")),
            return_exceptions=True,
        )
        assert [isinstance(result, StoreError) for result in results] == [False, True, False]
        assert await store.load("b") is None, "its session was kept without its record"
        assert await store.load("c") is not None
        await store.close()

    asyncio.run(run())


def test_turns_that_come_close_together_wait_for_each_other_and_a_lone_one_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        pause(seconds)

    pause = time.sleep
    monkeypatch.setattr(sqlite_worker.time, "sleep", sleep)

    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db", keep=10)
        for version in range(1, 20):
            await store.commit(session("lone", version), record(f"r{version}", "lone"))
        assert waits == []

        async def talk(name: str) -> None:
            for version in range(1, 20):
                await store.commit(session(name, version), record(f"{name}-{version}", name))

        await asyncio.gather(*(talk(name) for name in "abc"))
        assert len(waits) > 5
        assert max(waits) <= sqlite_worker._APART
        for name in "abc":
            assert len(await store.records(name)) == 19
        await store.close()

    asyncio.run(run())


def test_the_file_is_durable_by_its_settings(tmp_path: Path) -> None:
    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db")
        found = await store._worker.ask(
            lambda connection: [
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
            ],
            writes=False,
        )
        assert found == ["wal", 2]
        await store.close()

    asyncio.run(run())


def test_two_stores_on_one_file_see_each_other(tmp_path: Path) -> None:
    async def run() -> None:
        one, two = SQLiteStore(tmp_path / "s.db"), SQLiteStore(tmp_path / "s.db")
        await one.commit(session(version=1), None)
        await two.commit(session(version=2, state="two"), None)
        with pytest.raises(Conflict):
            await one.commit(session(version=2, state="one"), None)
        tried = [store.commit(session(f"other{n}"), None) for n in range(50) for store in (one, two)]
        results = await asyncio.gather(*tried, return_exceptions=True)
        assert [type(result) for result in results].count(Conflict) == 50
        assert await one.load("s1") == await two.load("s1")
        await one.close()
        await two.close()

    asyncio.run(run())


_WRITER = """
import asyncio, sys
from tests.adapters.test_stores import SQLiteStore, record, session
async def run():
    store = SQLiteStore(sys.argv[1])
    async def turns(name):
        for version in range(1, 10_000):
            await store.commit(session(name, version), record(f"{name}-{version}", name))
            print(name, version, flush=True)
    await asyncio.gather(*(turns(f"s{n}") for n in range(5)))
asyncio.run(run())
"""


def test_a_killed_process_loses_no_turn_that_it_had_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    acknowledged: dict[str, int] = {}
    for _ in range(60):
        name, version = process.stdout.readline().split()
        acknowledged[name] = int(version)
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read()  # communicate() would lose what was read ahead
    process.communicate()
    for line in rest.splitlines():
        if len(line.split()) == 2:
            acknowledged[line.split()[0]] = int(line.split()[1])

    async def check() -> None:
        store = SQLiteStore(path)
        for name, version in acknowledged.items():
            kept = await store.load(name)
            assert kept is not None
            assert kept.version in (version, version + 1), "one more may be on disk, its reply unsent"
            assert len(await store.records(name)) == kept.version
        await store.close()

    assert len(acknowledged) == 5
    asyncio.run(check())


def test_a_file_held_by_another_process_is_waited_for_and_then_explained(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "s.db"
        store = SQLiteStore(path, busy_seconds=0.1)
        await store.commit(session(), None)
        other = sqlite3.connect(path)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process holds it"):
            await store.commit(session(version=2), None)
        other.rollback()
        other.close()
        await store.commit(session(version=2), None)
        await store.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("content", "remedy"), [(b"this is no database" * 100, "move the file away"), (None, "server's user")]
)
def test_a_file_that_cannot_be_used_is_a_store_error_with_a_remedy(
    tmp_path: Path, content: bytes | None, remedy: str
) -> None:
    path = tmp_path / "s.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)

    async def run() -> None:
        store = SQLiteStore(path)
        with pytest.raises(StoreError, match=remedy):
            await store.load("s1")
        await store.close()

    asyncio.run(run())


def test_a_file_that_somebody_is_just_making_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def prepare(connection: sqlite3.Connection) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise sqlite3.OperationalError("database is locked")
        sqlite_schema.prepare(connection)

    monkeypatch.setattr(sqlite_worker, "prepare", prepare)

    async def run(store: SQLiteStore) -> None:
        try:
            assert await store.load("nobody") is None
        finally:
            await store.close()

    asyncio.run(run(SQLiteStore(tmp_path / "s.db")))
    assert len(tries) == 3
    tries.clear()
    with pytest.raises(StoreError, match="another process holds it"):
        asyncio.run(run(SQLiteStore(tmp_path / "s.db", busy_seconds=-1)))


def test_a_conflict_among_turns_that_are_written_together_spoils_no_other(tmp_path: Path) -> None:
    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db", keep=10)
        try:
            for name in "ab":
                await store.commit(session(name, version=1), record(f"{name}1", name))
            versions = {"a": 2, "b": 7, "c": 1}
            done = await asyncio.gather(
                *(
                    store.commit(
                        session(name, version=version),
                        record(f"{name}{version}", name),
                        StoredReply(f"m-{name}", name.encode(), NOW, NOW),
                    )
                    for name, version in versions.items()
                ),
                return_exceptions=True,
            )
            assert [type(item) for item in done] == [type(None), Conflict, type(None)]
            assert {name: len(await store.records(name)) for name in "abc"} == {"a": 2, "b": 1, "c": 1}
            assert await store.reply("b", "m-b", NOW) is None
            assert await store.reply("c", "m-c", NOW) == b"c"
        finally:
            await store.close()

    asyncio.run(run())


def test_a_session_that_cannot_be_read_names_itself(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "s.db"
        store = SQLiteStore(path)
        await store.commit(session(), None)
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE sessions SET body = ?", (b'{"id": 3}',))
        connection.close()
        with pytest.raises(StoreError, match="'s1'"):
            await store.load("s1")
        assert await store.delete("s1")
        await store.close()

    asyncio.run(run())


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db")
        await store.close()
        with pytest.raises(StoreError, match="closed"):
            await store.load("s1")

    asyncio.run(run())


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_values = st.one_of(
    _text, st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False)
)


@given(st.dictionaries(_text, _values), _text, st.lists(_text, max_size=3))
def test_any_session_comes_back_as_it_was(
    slots: dict[str, str | int | float | bool], name: str, said: list[str]
) -> None:
    full = session(name, slots=slots, history=tuple(Exchange(text, text, "h", NOW) for text in said))
    again = decode(name, encode(full))
    assert again == full
    assert {key: type(value) for key, value in again.slots.items()} == {k: type(v) for k, v in slots.items()}
