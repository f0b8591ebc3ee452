"""Wiring of actions: the store's outbox, the worker that empties it, the HTTP calls that it makes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from supportbot.adapters.clock import SteadyClock
from supportbot.adapters.http_actions import HttpActions
from supportbot.adapters.requests import missing_of
from supportbot.adapters.sqlite_outbox import SQLiteOutbox
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.compiler.quantities import seconds
from supportbot.errors import StoreError
from supportbot.model.bot import Bot
from supportbot.runtime.alerts import Alerting
from supportbot.runtime.outbox import OutboxWorker
from supportbot.runtime.pending import WAIT, CallDesk

log = logging.getLogger("supportbot.alerts")

_LOOKED_AT = 100  # calls that were given up


@dataclass(frozen=True, slots=True)
class Queueing:
    actions: HttpActions
    worker: OutboxWorker
    desk: CallDesk


def wire_actions(
    bot: Bot,
    current: Callable[[], Bot],
    store: SQLiteStore,
    environment: Mapping[str, str],
    alert: Callable[[str], None] | None = None,
    held: Callable[[str, str], None] | None = None,
    mended: Callable[[str], None] = lambda _connection: None,
) -> Queueing:
    """``current`` gives the bot of a later moment, when its files were exchanged. ``alert`` tells a person.

    ``held`` tells that a connection cannot sign in, by default whoever gets the other alerts; ``mended`` that it can.
    """
    tell = alert or (lambda text: log.error("%s", text))
    outbox, clock = store.outbox, SteadyClock()
    actions = HttpActions(environment, outbox, clock.now, held or (lambda _connection, text: tell(text)), mended)
    worker = OutboxWorker(current, outbox, actions, clock, tell)
    return Queueing(actions, worker, CallDesk(worker, outbox, action_wait(bot)))


def given_up(alerting: Alerting, text: str) -> None:
    """Tell whoever gets the alerts."""
    alerting.failed("action_given_up", text)


async def until_mended(alerting: Alerting, outbox: SQLiteOutbox, every: float = 10.0) -> None:
    """Tell that nothing is given up any more: every such call was done after all, or dropped by a person. For ever."""
    left: set[str] = set()
    looked = False  # the alert comes a moment before its call is stored as given up
    while True:
        await asyncio.sleep(every)
        if "action_given_up" not in alerting.failing:
            left, looked = set(), False
            continue
        with suppress(StoreError):
            left |= {call.id for call in await outbox.listed(("dead",), _LOOKED_AT)}
            found = [await outbox.find(call_id) for call_id in left]
            left = {call.id for call in found if call is not None and call.state in ("dead", "waiting")}
            if looked and not left:
                alerting.worked("action_given_up")
            looked = True


def no_sign_in(alerting: Alerting, connection: str, text: str) -> None:
    """The same for a connection without an access token: nothing was given up yet."""
    alerting.failed("connection_held", text, connection)


def signs_in(alerting: Alerting, connection: str) -> None:
    """It has an access token."""
    alerting.worked("connection_held", connection)


def action_wait(bot: Bot) -> float:
    """Seconds that a reply waits for an action."""
    given = bot.settings.server.get("action_wait")
    length = seconds(given if isinstance(given, str) else f"{given}s") if given is not None else None
    return WAIT if length is None else length


def with_off(bot: Bot, environment: Mapping[str, str]) -> Bot:
    """The bot with the actions marked that cannot run here: their forms ask nothing in vain."""
    return replace(bot, off=frozenset(one.id for one in bot.actions.values() if missing_of(bot, one, environment)))
