"""The starter bot on a fake Zoho: real store, real worker, real HTTP, short times."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from tests.runtime.fakes import FakeModel
from tests.zoho.fake_zoho import FakeZoho

from supportbot.adapters.http_actions import HttpActions
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.compiler.compile import load_bot
from supportbot.model.bot import Bot
from supportbot.model.connections import ReadRetry
from supportbot.model.session import Message, Session
from supportbot.resources import starter_bot
from supportbot.runtime.conversation import Conversations
from supportbot.runtime.outbox import OutboxWorker, Patience
from supportbot.runtime.pending import CallDesk
from supportbot.runtime.results import TurnResult

QUICK = Patience(tries=12, first=0.01, most=0.1, lease=15.0, look=0.02, parallel=64, grace=1.0)
TIMEOUT, AFTER = 0.4, 1.0  # seconds: of one try, and until the absence of a write is final


@cache
def starter(timeout: float = TIMEOUT, after: float = AFTER) -> Bot:
    """The starter bot in a hurry."""
    bot = load_bot(starter_bot()).bot
    assert bot is not None
    return hurried(bot, timeout, after)


def hurried(bot: Bot, timeout: float = TIMEOUT, after: float = AFTER) -> Bot:
    connections = {
        name: replace(item, timeout=timeout, retry=ReadRetry(3, 0.02), concurrency=16)
        for name, item in bot.connections.items()
    }
    actions = {
        name: replace(item, reconcile=replace(item.reconcile, after=after) if item.reconcile else None)
        for name, item in bot.actions.items()
    }
    return replace(bot, connections=connections, actions=actions)


class OfficeClock:
    """Runs like the machine's clock, but it is a Monday morning."""

    def __init__(self) -> None:
        self._ahead = datetime(2026, 11, 23, 10, 15, tzinfo=UTC) - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def skip(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)


@dataclass
class World:
    """``alerts``: what a person was told."""

    bot: Bot
    store: SQLiteStore
    actions: HttpActions
    worker: OutboxWorker
    conversations: Conversations
    clock: OfficeClock
    alerts: list[str] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def say(self, text: str, session_id: str = "s1", **visitor: str) -> TurnResult:
        message = Message(f"m{next(self._numbers)}", session_id, text, "chat", self.clock.now(), visitor)
        return await self.conversations.take(message)

    async def ticket(self, session_id: str = "s1", email: str = "jane@example.com") -> TurnResult:
        """Ask for a ticket and answer whatever is asked until it is sent."""
        result = await self.say("please open a ticket", session_id, email=email, name="Jane Roe")
        for _ in range(8):
            answer = next_answer(result.session, email)
            result = await self.say(answer, session_id)
            if answer == "yes":
                return result
        raise AssertionError(f"no ticket was sent: {result.reply.text}")

    async def callback(self, session_id: str = "s1") -> TurnResult:
        result = await self.say("please call me back", session_id, name="Jane Roe")
        for _ in range(8):
            answer = next_answer(result.session, "jane@example.com")
            result = await self.say(answer, session_id)
            if answer == "yes":
                return result
        raise AssertionError(f"no call was asked for: {result.reply.text}")

    async def settled(self, seconds: float = 20.0) -> None:
        """Wait until every call has ended and its conversation knows."""
        async with asyncio.timeout(seconds):
            while True:
                open_calls = await self.store.outbox.listed(("waiting",), 1000)
                untold = await self.store.outbox.untold(self.clock.now().timestamp(), 1000)
                if not open_calls and not untold:
                    return
                await asyncio.sleep(0.02)


def next_answer(session: Session, email: str) -> str:
    form = session.form
    assert form is not None, "the form is closed"
    answers = {
        None: "yes",
        "summary": "The printer <b>smokes</b>",
        "details": "It began today, my card is 4111 1111 1111 1111",
        "email": email,
        "name": "Jane Roe",
        "phone": "020 7946 0000",
        "call_time": "tomorrow at 4",
    }
    return answers[form.asking]


@contextlib.asynccontextmanager
async def world(
    zoho: FakeZoho,
    folder: Path,
    wait: float = 2.5,
    patience: Patience = QUICK,
    bot: Bot | None = None,
    change: Callable[[dict[str, str]], None] = lambda _environment: None,
    works: bool = True,
) -> AsyncIterator[World]:
    """``works``: whether queued calls are worked on."""
    bot = bot or starter()
    environment = zoho.environment()
    change(environment)
    store, clock = SQLiteStore(folder / "sessions.db"), OfficeClock()
    alerts: list[str] = []
    actions = HttpActions(environment, store.outbox, clock.now, lambda _, text: alerts.append(text))
    worker = OutboxWorker(lambda: talks.bot, store.outbox, actions, clock, alerts.append, patience)
    talks = Conversations(bot, store, FakeModel(), actions, clock, CallDesk(worker, store.outbox, wait))
    worker.tell = talks.tell
    task = asyncio.create_task(worker.run()) if works else None
    try:
        yield World(bot, store, actions, worker, talks, clock, alerts)
    finally:
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await actions.close()
        await store.close()
