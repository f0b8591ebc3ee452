"""What is noticed without anybody writing: a store that hangs, refuses and works again, and metrics meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.server.test_figure_views import Kept, desk
from tests.server.world import small_bot

from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.errors import StoreError
from supportbot.model.decision import CallModel, Outcome
from supportbot.model.operations import Alerts
from supportbot.runtime.alerts import Alerting
from supportbot.runtime.metrics import Metrics
from supportbot.runtime.tallies import LABELS_END
from supportbot.server import observing
from supportbot.server.observing import Beside, watch_store


class Store:
    """Hangs while ``gate`` is closed; refuses while ``broken``."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False
        self.trials: list[bool] = []

    async def check(self, writes: bool) -> None:
        self.trials.append(writes)
        await self.gate.wait()
        if self.broken:
            raise StoreError("disk full")


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


def watched(test: Callable[[Store, Beside], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(observing, "STALL_SECONDS", 0.05)

    async def run() -> None:
        metrics, store = Metrics(), Store()
        beside = Beside(metrics, Alerting(Kept(), Alerts, lambda: "r", metrics))
        task = asyncio.create_task(watch_store(beside, store.check))
        await test(store, beside)
        task.cancel()
        await asyncio.wait((task,))

    asyncio.run(run())


def test_questions_that_the_model_was_not_asked_do_not_make_it_look_quick() -> None:
    beside = Beside()
    errors = ("timeout", "paused", "busy", "")
    outcomes = tuple(Outcome(CallModel("other"), not error, error=error, elapsed=1.0) for error in errors)
    beside._outcomes(small_bot(), outcomes)
    assert list(beside.metrics.upstream.by_label) == [f"model{LABELS_END}{outcome}" for outcome in ("timeout", "ok")]


def test_a_store_that_works_is_only_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(store: Store, beside: Beside) -> None:
        await until(lambda: len(store.trials) > 5)
        assert not any(store.trials)
        assert (beside.pulse.store, beside.metrics.store_failures) == (0, 0)

    watched(test, monkeypatch)


def test_a_store_that_hangs_is_told_of_while_it_hangs_and_when_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(store: Store, beside: Beside) -> None:
        assert beside.alerting is not None
        store.gate.clear()
        await until(lambda: beside.metrics.store_failures >= 3)
        assert beside.alerting.failing == ("store_degraded",)
        assert len(set(store.trials)) == 1, "one question hangs, no other follows it"
        store.gate.set()
        await until(lambda: not beside.doubts_store)
        assert beside.alerting.failing == ()

    watched(test, monkeypatch)


def test_a_store_that_refuses_is_written_to_until_it_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(store: Store, beside: Beside) -> None:
        assert beside.alerting is not None
        store.broken = True
        await until(lambda: beside.metrics.store_failures >= 3)
        assert store.trials[-1]
        assert beside.pulse.store >= 3
        store.broken = False
        await until(lambda: not beside.doubts_store)
        count = len(store.trials)
        await until(lambda: len(store.trials) > count + 2)
        assert not store.trials[-1]

    watched(test, monkeypatch)


def test_a_trial_leaves_nothing_behind(tmp_path: Path) -> None:
    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db")
        await store.check(True)
        await store.check(False)
        assert await store.last_snapshot() is None
        await store.close()
        gone = SQLiteStore(tmp_path)  # a folder
        with pytest.raises(StoreError):
            await gone.check(False)
        await gone.close()

    asyncio.run(run())


def test_metrics_of_the_process_are_there_without_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_self: object, *_: object) -> None:
        raise StoreError("disk full")

    async def run() -> None:
        async with desk(tmp_path) as it:
            await it.chat("printer offline", message_id="m1")
            monkeypatch.setattr(SQLiteStore, "tallies", refuse)
            monkeypatch.setattr(SQLiteStore, "active", refuse)
            async with it.client.get(f"{it.url}/metrics") as answer:
                text = await answer.text()
                assert answer.status == 200
            assert "supportbot_store_failures_total" in text
            assert "supportbot_messages_total{" not in text

    asyncio.run(run())


def test_health_says_that_alerts_do_not_arrive(tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(tmp_path) as it:
            assert it.beside.alerting is not None
            it.beside.alerting.arriving = False
            async with it.client.get(f"{it.url}/health") as answer:
                found = await answer.json()
                assert (answer.status, found["status"]) == (200, "degraded")
                assert found["reasons"] == ["alerts do not arrive at their webhook"]

    asyncio.run(run())
