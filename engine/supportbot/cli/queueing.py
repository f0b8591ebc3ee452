"""Wiring of actions: the store's outbox, the worker that empties it, the HTTP calls that it makes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from supportbot.adapters.clock import SteadyClock
from supportbot.adapters.http_actions import HttpActions
from supportbot.adapters.requests import missing_of
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.compiler.quantities import seconds
from supportbot.model.bot import Bot
from supportbot.runtime.alerts import Alerting
from supportbot.runtime.outbox import OutboxWorker
from supportbot.runtime.pending import WAIT, CallDesk

log = logging.getLogger("supportbot.alerts")


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
    held: Callable[[str], None] | None = None,
) -> Queueing:
    """``current`` gives the bot of a later moment, when its files were exchanged. ``alert`` tells a person.

    ``held`` tells that a connection cannot sign in; by default whoever gets the other alerts.
    """
    tell = alert or (lambda text: log.error("%s", text))
    outbox, clock = store.outbox, SteadyClock()
    actions = HttpActions(environment, outbox, clock.now, held or tell)
    worker = OutboxWorker(current, outbox, actions, clock, tell)
    return Queueing(actions, worker, CallDesk(worker, outbox, action_wait(bot)))


def given_up(alerting: Alerting, text: str) -> None:
    """Tell whoever gets the alerts."""
    alerting.failed("action_given_up", text)


def no_sign_in(alerting: Alerting, text: str) -> None:
    """The same for a connection without an access token: nothing was given up yet."""
    alerting.failed("connection_held", text)


def action_wait(bot: Bot) -> float:
    """Seconds that a reply waits for an action."""
    given = bot.settings.server.get("action_wait")
    length = seconds(given if isinstance(given, str) else f"{given}s") if given is not None else None
    return WAIT if length is None else length


def with_off(bot: Bot, environment: Mapping[str, str]) -> Bot:
    """The bot with the actions marked that cannot run here: their forms ask nothing in vain."""
    return replace(bot, off=frozenset(one.id for one in bot.actions.values() if missing_of(bot, one, environment)))
