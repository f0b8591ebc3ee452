"""What is done now and then, and clocks that jump."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.runtime.desk_bot import desk_bot
from tests.runtime.fakes import FakeClock, conversations, message

from supportbot.adapters.clock import SteadyClock
from supportbot.adapters.memory_store import MemoryStore
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.errors import StoreError
from supportbot.model.bot import Bot
from supportbot.runtime.housekeeping import feel_pulse, keep_house, sweep
from supportbot.runtime.metrics import Metrics


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    return desk_bot(tmp_path_factory.mktemp("bot"))


@pytest.mark.parametrize("kind", ["memory", "sqlite", "kept"])
def test_idle_conversations_are_closed_and_others_are_not(bot: Bot, tmp_path: Path, kind: str) -> None:
    async def run() -> None:
        store = MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / "s.db", keep=100 * (kind == "kept"))
        clock = FakeClock()
        talks = conversations(bot, store, clock=clock)
        await talks.take(message("printer offline", "old"))
        await talks.take(message("my details", "form"))
        clock.wait(minutes=29)
        await talks.take(message("printer offline", "new"))
        assert (await sweep(talks)).closed == 0
        clock.wait(minutes=2)
        assert (await sweep(talks)).closed == 2
        old, new = await store.load("old"), await store.load("new")
        assert old is not None
        assert new is not None
        assert (old.closed, new.closed) == (True, False)
        assert old.history[-1].answered == "Are you still there?", "its time-outs came first"
        assert (await sweep(talks)).closed == 0
        results = [record.result for name in ("old", "form") for record in await store.records(name)]
        assert sorted(results) == ["", "", "abandoned", "abandoned"]
        await store.close()

    asyncio.run(run())


@pytest.mark.parametrize("left", ["swept", "come back to", "reset"])
@pytest.mark.parametrize(
    ("said", "minutes", "result"),
    [("printer offline", 31, "abandoned"), ("my details", 31, "abandoned"), ("goodbye", 0, "closed"),
     ("please open a ticket", 31, "resolved"), ("please open a ticket", 5, "resolved")],
)  # fmt: skip
def test_how_a_conversation_ended_does_not_depend_on_who_notices(
    bot: Bot, left: str, said: str, minutes: int, result: str
) -> None:
    """The state of a solved problem counts, also when its time-outs close the conversation later."""
    solved = frozenset({"greeting"} if "ticket" in said else ())
    operations = replace(bot.settings.operations, resolved=solved)
    changed = replace(bot, settings=replace(bot.settings, operations=operations))

    async def run() -> None:
        store, clock = MemoryStore(), FakeClock()
        talks = conversations(changed, store, clock=clock)
        await talks.take(message(said))
        clock.wait(minutes=minutes)
        if left == "reset":
            await talks.reset("s1")
        elif left == "swept":
            clock.wait(minutes=31)
            await sweep(talks)
        else:
            clock.wait(minutes=31)
            await talks.take(message("printer offline"))
        assert [record.result for record in await store.records("s1") if record.result] == [result]

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_records_are_purged_after_their_retention_and_counters_stay(bot: Bot, tmp_path: Path, kind: str) -> None:
    async def run() -> None:
        store = MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / "s.db", keep=10)
        clock = FakeClock()
        operations = replace(bot.settings.operations, retention=86_400.0)
        short = replace(bot, settings=replace(bot.settings, operations=operations))
        talks = conversations(short, store, clock=clock)
        await talks.answer(message("printer offline", "old"), "", lambda _: b"first")
        clock.wait(hours=20)
        await talks.answer(message("printer offline", "new"), "", lambda _: b"first")
        clock.wait(hours=5)
        before = await store.tallies()
        await sweep(talks)
        assert [record.kind for record in await store.records("old")] == ["timeout"]
        assert len(await store.records("new")) == 2
        assert (await talks.answer(message("printer offline", "new"), "", lambda _: b"again")).body == b"first"
        clock.wait(hours=80)
        await sweep(talks)
        assert not await store.records("new")
        assert await store.load("new") is None
        after = await store.tallies()
        assert all(after[key] >= value for key, value in before.items())
        await store.close()

    asyncio.run(run())


def test_housekeeping_goes_on_after_a_failure(bot: Bot) -> None:
    class Failing(MemoryStore):
        asked = 0

        async def idle(self, before: datetime, limit: int) -> tuple[str, ...]:
            self.asked += 1
            raise StoreError("locked")

    async def run() -> None:
        store = Failing()
        task = asyncio.create_task(keep_house(conversations(bot, store), every=0.001))
        while store.asked < 3:
            await asyncio.sleep(0.001)
        task.cancel()

    asyncio.run(run())


class Times:
    """A wall clock and an even one."""

    def __init__(self) -> None:
        self.wall, self.even = 1_800_000_000.0, 50.0

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.even += seconds

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.even)


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(days=-1), timedelta(days=30), timedelta(hours=-1)])
def test_a_jump_of_the_machine_s_clock_is_not_followed(jump: timedelta) -> None:
    times = Times()
    clock = times.clock()
    times.wait(10)
    before = clock.now()
    times.wall += jump.total_seconds()
    assert clock.now() == before
    times.wait(60)
    assert clock.now() - before == timedelta(seconds=60)


def test_small_corrections_are_followed() -> None:
    times = Times()
    clock = times.clock()
    for _ in range(100):
        times.wait(60)
        times.wall += 2
        assert clock.now() == datetime.fromtimestamp(times.wall, UTC)


def test_a_jump_expires_nobody(bot: Bot) -> None:
    async def run() -> None:
        times, store = Times(), MemoryStore()
        talks = conversations(bot, store)
        talks.clock = times.clock()
        await talks.take(message("printer offline"))
        times.wall += 30 * 86_400
        assert (await sweep(talks)).closed == 0
        result = await talks.take(message("printer offline"))
        assert result.session.turns == 2

    asyncio.run(run())


def test_a_pause_of_the_loop_is_seen() -> None:
    async def run() -> None:
        metrics = Metrics()
        task = asyncio.create_task(feel_pulse(metrics))
        await asyncio.sleep(0.01)
        time.sleep(0.4)
        while metrics.longest_pause < 0.1:
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(run())
