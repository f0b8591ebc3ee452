"""Whatever is committed, in whatever order: every store gives back the same as the one in memory."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace
from tests.adapters.test_stores import NOW, record, session

from supportbot.adapters import sqlite_chain, sqlite_store, sqlite_turns
from supportbot.adapters.memory_store import MemoryStore
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.model.session import Exchange, Session
from supportbot.runtime.ports import Conflict, Record, Store, StoredReply

LONGEST = 4  # exchanges of a history


class Step(Struct, frozen=True):
    """A commit, or an erasure, and by which of the processes."""

    name: str
    process: int
    history: Literal["added", "two added", "same", "shorter", "last replaced", "first replaced", "reset", "whole new"]
    recorded: bool
    like_record: bool  # whether the exchange says what the record says
    ended: bool
    key: str  # of the reply; empty: none
    own_reply: bool  # whether the record is that of the replied message
    loads: bool
    erases: bool
    stale: bool  # with a version that is not the next one


_steps = st.lists(
    st.builds(
        Step,
        st.sampled_from("ab"),
        st.integers(0, 1),
        st.just("added")
        | st.sampled_from(["two added", "same", "shorter", "last replaced", "first replaced", "reset", "whole new"]),
        st.sampled_from([True, True, True, False]),
        st.booleans(),
        st.sampled_from([False, False, True]),
        st.sampled_from(["", "m1", "m2", "m3", "m4"]),
        st.sampled_from([True, True, False]),
        st.sampled_from([True, True, True, False]),
        st.sampled_from([False] * 12 + [True]),
        st.sampled_from([False] * 8 + [True]),
    ),
    max_size=25,
)


def exchange(number: int, at: datetime) -> Exchange:
    return Exchange(f"said {number}", f"answered {number}", "h", at, topic=number % 3 == 0)


def changed(step: Step, history: tuple[Exchange, ...], number: int, at: datetime) -> tuple[Exchange, ...]:
    new = exchange(number, at)
    return {
        "added": (*history, new)[-LONGEST:],
        "two added": (*history, replace(new, said=""), new)[-LONGEST:],
        "same": history,
        "shorter": history[1:],
        "last replaced": (*history[:-1], new),
        "first replaced": (new, *history[1:]),
        "reset": (),
        "whole new": tuple(replace(new, handler=f"h{n}") for n in range(LONGEST)),
    }[step.history]


async def commit_to(store: Store, before: Session | None, step: Step, number: int) -> bool:
    """``before``: as the store has it. False: it was a Conflict."""
    at = NOW + timedelta(seconds=number)
    version = 1 if before is None else before.version + 1 + step.stale
    after = session(
        step.name,
        version=version,
        updated_at=at,
        slots={"number": number},
        history=changed(step, () if before is None else before.history, number, at),
    )
    new = replace(record(f"r{number}", step.name), at=at, message_id=step.key if step.own_reply else "other")
    if step.like_record:
        new = replace(new, text=f"said {number}", reply=f"answered {number}")
    reply = StoredReply(step.key, f"body {number}".encode(), at, at + timedelta(hours=1)) if step.key else None
    ended = replace(record(f"e{number}", step.name), at=at, kind="timeout", message_id="")
    told, closing = new if step.recorded else None, ended if step.ended else None
    try:
        if reply is not None and store.at_hand(step.name, reply.key) is not None:
            await handed_in(store, after, told, reply, closing)
        else:
            await store.commit(after, told, reply, closing)
    except Conflict:
        return False
    return True


async def handed_in(
    store: Store, session: Session, record: Record | None, reply: StoredReply, ended: Record | None
) -> None:
    over: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    store.hand_in(session, record, reply, ended, over.set_result)
    if (failure := await over) is not None:
        raise failure


async def same(model: MemoryStore, store: Store) -> None:
    for name in "ab":
        assert await store.load(name) == await model.load(name)
        assert await store.records(name) == await model.records(name)
        for key in ("m1", "m2", "m3", "m4", "other"):
            for since in (NOW, NOW + timedelta(seconds=10)):
                assert await store.reply(name, key, since) == await model.reply(name, key, since)


async def played(steps: Sequence[Step], stores: Sequence[SQLiteStore]) -> None:
    model = MemoryStore()
    for number, step in enumerate(steps):
        store = stores[step.process % len(stores)]
        if step.erases:
            assert await store.delete(step.name) == await model.delete(step.name)
        else:
            before = await model.load(step.name)
            if step.loads or len(stores) > 1:  # a process knows what others did by loading it only
                before = await store.load(step.name)
                assert before == await model.load(step.name)
            done = await commit_to(store, before, step, number)
            assert done == await commit_to(model, before, step, number)
        if number % 3 == 0:
            await same(model, store)
    for store in stores:
        await same(model, store)


@pytest.mark.parametrize(("processes", "keep"), [(1, 100), (1, 1), (1, 0), (2, 0)])
@pytest.mark.parametrize("most", [sqlite_chain.MOST, 3])
@given(steps=_steps)
@settings(max_examples=40, deadline=None)
def test_a_store_gives_back_exactly_what_was_committed(processes: int, keep: int, most: int, steps: list[Step]) -> None:
    async def run(folder: Path) -> None:
        stores = [SQLiteStore(folder / "s.db", keep=keep) for _ in range(processes)]
        try:
            await played(steps, stores)
        finally:
            for store in stores:
                await store.close()

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for module in (sqlite_chain, sqlite_turns):
            patch.setattr(module, "MOST", most)
        asyncio.run(run(Path(folder)))


@pytest.mark.parametrize("keep", [0, 10])
def test_a_reply_is_known_for_its_window_though_its_record_is_purged_before(tmp_path: Path, keep: int) -> None:
    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db", keep=keep)
        for number in range(6):
            at = NOW + timedelta(hours=number)
            new = replace(record(f"r{number}"), at=at, message_id=f"m{number}")
            before = await store.load("s1")
            assert (before is None) == (number == 0)
            after = session(version=number + 1, updated_at=at, history=(exchange(number, at),))
            await store.commit(after, new, StoredReply(f"m{number}", f"{number}".encode(), at, NOW))
        while await store.purge(NOW + timedelta(hours=4), NOW + timedelta(hours=2)):
            pass
        assert [item.id for item in await store.records("s1")] == ["r4", "r5"]
        known = [await store.reply("s1", f"m{number}", NOW) for number in range(6)]
        assert known == [None, None, b"2", b"3", b"4", b"5"]
        while await store.purge(NOW + timedelta(hours=9), NOW + timedelta(hours=5)):
            pass
        assert await store.load("s1") is None
        assert [await store.reply("s1", f"m{number}", NOW) for number in range(6)] == [None] * 5 + [b"5"]
        assert await store.delete("s1"), "its reply"
        assert await store.reply("s1", "m5", NOW) is None
        await store.close()

    asyncio.run(run())


@pytest.mark.parametrize("keep", [0, 10])
def test_bodies_are_emptied_in_portions_and_their_records_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: int
) -> None:
    monkeypatch.setattr(sqlite_store, "_PURGED", 7)
    canary = b"Quetzalcoatl"

    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db", keep=keep)
        for number in range(40):
            name = f"s{number % 8}"
            await store.load(name)
            at = NOW + timedelta(minutes=number // 10)  # many at the same moment
            new = replace(record(f"r{number}", name), at=at, message_id=f"m{number}")
            after = session(name, version=number // 8 + 1, updated_at=at)
            await store.commit(after, new, StoredReply(f"m{number}", canary + b"%d" % number, at, NOW))
        portions = []
        while gone := await store.purge(NOW, NOW + timedelta(minutes=3)):
            portions.append(gone)
        assert sum(portions) == 30
        assert max(portions) <= 7
        assert sum([len(await store.records(f"s{n}")) for n in range(8)]) == 40
        found = [await store.reply(f"s{number % 8}", f"m{number}", NOW) for number in range(40)]
        assert found == [None] * 30 + [canary + b"%d" % number for number in range(30, 40)]
        assert await store.purge(NOW, NOW + timedelta(hours=1)) == 7
        while await store.purge(NOW, NOW + timedelta(hours=1)):
            pass
        assert await store.delete("another") is False
        await store.close()
        assert [file.name for file in tmp_path.iterdir() if canary in file.read_bytes()] == []

    asyncio.run(run())


def test_a_session_is_not_purged_before_its_last_record(tmp_path: Path) -> None:
    """Else nobody would find the record to erase it."""

    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db")
        late = replace(record("r1"), at=NOW + timedelta(hours=1))
        await store.commit(session(version=1), late)
        assert await store.purge(NOW + timedelta(minutes=30), NOW) == 0
        assert await store.delete("s1")
        assert not await store.records("s1")
        await store.close()

    asyncio.run(run())


def test_a_turn_that_rests_on_what_was_erased_meanwhile_is_a_conflict(tmp_path: Path) -> None:
    async def run() -> None:
        one, two = SQLiteStore(tmp_path / "s.db"), SQLiteStore(tmp_path / "s.db")
        history = (exchange(1, NOW),)
        await one.load("s1")
        await one.commit(session(version=1, history=history), record("r1"))
        await one.load("s1")
        assert await two.delete("s1")
        with pytest.raises(Conflict):
            await one.commit(session(version=2, history=(*history, exchange(2, NOW))), record("r2"))
        assert await one.load("s1") is None
        await one.close()
        await two.close()

    asyncio.run(run())


@pytest.mark.parametrize("keep", [0, 10])
def test_what_a_record_masks_is_in_clear_only_as_long_as_the_history_has_it(tmp_path: Path, keep: int) -> None:
    canary = "Quetzalcoatl"

    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db", keep=keep)
        history: tuple[Exchange, ...] = ()
        for number in range(1, 12):
            at = NOW + timedelta(seconds=number)
            said = canary if number == 3 else f"said {number}"
            history = (*history, Exchange(said, "hi", "h", at))[-LONGEST:]
            told = replace(record(f"r{number}"), at=at, text="[name]" if number == 3 else said)
            assert (await store.load("s1") is None) == (number == 1)
            await store.commit(session(version=number, history=history), told)
            loaded = await store.load("s1")
            assert loaded is not None
            assert loaded.history == history
            rows = await store._worker.ask(
                lambda connection: connection.execute("SELECT * FROM records").fetchall(), writes=False
            )
            assert canary not in str(rows)
        await store.commit(session(version=12), None)
        await store.close()
        kept = sqlite3.connect(tmp_path / "s.db")
        assert canary not in str(kept.execute("SELECT * FROM sessions").fetchall())
        kept.close()

    asyncio.run(run())
