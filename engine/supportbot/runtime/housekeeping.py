"""What has to be done now and then: conversations that nobody goes on with are closed, old data is removed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

from supportbot.errors import StoreError
from supportbot.runtime.attempt import WINDOW
from supportbot.runtime.conversation import Conversations
from supportbot.runtime.metrics import Metrics

log = logging.getLogger("supportbot.housekeeping")

EVERY = 15 * 60.0  # seconds
_BATCH = 500
_ROUNDS = 2_000  # of a batch each, at most in one go
_TICK = 0.02  # seconds: a pause is measured without so much of it at most


@dataclass(frozen=True, slots=True)
class Swept:
    closed: int
    purged: int


async def sweep(conversations: Conversations) -> Swept:
    """Close idle conversations, their time-outs first; then purge. Raises StoreError."""
    settings = conversations.bot.settings
    now = conversations.clock.now()
    closed = 0
    for _ in range(_ROUNDS):
        idle = await conversations.store.idle(now - timedelta(minutes=settings.limits.session_minutes), _BATCH)
        done = [session_id for session_id in idle if await conversations.silence(session_id, close=True)]
        closed += len(done)
        if not done:  # nothing left, or nothing that can be closed
            break
    purged = 0
    retention = timedelta(seconds=settings.operations.retention)
    for _ in range(_ROUNDS):
        gone = await conversations.store.purge(now - retention, now - WINDOW)
        purged += gone
        if not gone:
            break
        await asyncio.sleep(0.01)  # turns come first
    return Swept(closed, purged)


async def keep_house(conversations: Conversations, every: float = EVERY) -> None:
    """Sweep for ever. ``every``: monotonic seconds, so that a jump of the clock neither hurries nor delays it."""
    while True:
        await asyncio.sleep(every)
        try:
            swept = await sweep(conversations)
        except StoreError as failure:
            log.error("housekeeping failed: %s", failure)
        else:
            log.info("housekeeping closed %d conversations and removed %d old rows", swept.closed, swept.purged)


async def feel_pulse(metrics: Metrics, window: float = 60.0) -> None:
    """Measure the longest pause of the event loop, in this window of seconds and the one before it."""
    loop = asyncio.get_running_loop()
    before = current = 0.0
    began = loop.time()
    while True:
        asleep = loop.time()
        await asyncio.sleep(_TICK)
        current = max(current, loop.time() - asleep - _TICK)
        metrics.longest_pause = round(max(before, current), 4)
        if loop.time() - began >= window:
            before, current, began = current, 0.0, loop.time()
