"""Alerts about calls: a call that was given up counts until it is done or dropped."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.runtime.desk_bot import desk_bot
from tests.runtime.fakes import FakeClock

from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.cli.queueing import given_up, until_mended
from supportbot.decision.conclude import start_session
from supportbot.model.operations import Alerts
from supportbot.runtime.alerts import Alert, Alerting, Delivery
from supportbot.runtime.metrics import Metrics
from supportbot.runtime.queued import CallChanges, QueuedCall


class Kept:
    async def send(self, alert: Alert, settings: Alerts) -> Delivery:
        return "sent"


def test_given_up_is_over_when_every_such_call_is_done_or_dropped(tmp_path: Path) -> None:
    def call(name: str) -> QueuedCall:
        return QueuedCall(name, "s1", "create_ticket", {}, {}, ("create_ticket",), 0.0, 0.0, "dead", error="auth")

    async def run() -> None:
        store, bot = SQLiteStore(tmp_path / "s.db"), desk_bot(tmp_path / "bot")
        alerting = Alerting(Kept(), Alerts, lambda: "r", Metrics())
        looks = 0

        class Looked:
            """The outbox, and how often it was asked for what was given up."""

            def __getattr__(self, name: str) -> object:
                nonlocal looks
                looks += name == "listed"
                return getattr(store.outbox, name)

        async def looked(times: int) -> None:
            wanted = looks + times
            async with asyncio.timeout(20):
                while looks < wanted:
                    await asyncio.sleep(0.005)

        task = asyncio.create_task(until_mended(alerting, Looked(), every=0.005))  # type: ignore[arg-type]
        session = start_session(bot, "s1", FakeClock().now())
        await store.commit(session, None, None, None, CallChanges((call("A"), call("B"))))
        given_up(alerting, "action create_ticket (A) was given up")
        await looked(3)
        assert alerting.failing == ("action_given_up",)
        assert await store.outbox.revive("A", 0.0)
        assert await store.outbox.drop("B", 0.0)
        await looked(3)
        assert alerting.failing == ("action_given_up",), "one of them is only tried again"
        (waiting,) = await store.outbox.take("me", 1.0, 2.0, 1)
        assert await store.outbox.drop(waiting.id, 3.0)
        async with asyncio.timeout(20):
            while alerting.failing:
                await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait((task,))
        await store.close()

    asyncio.run(run())
