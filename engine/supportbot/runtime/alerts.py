"""Telling people that something keeps failing, and that it works again. Never on the path of a turn.

``failed`` and ``worked`` only note; a task of its own sends. A kind of failure raises one alert when it happened
``threshold`` times within ``window`` seconds, and no other before ``cooldown`` has passed. A kind that was alerted
and then works as often in a row is reported as recovered. What does not arrive is tried again for an hour.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, Protocol

from supportbot.model.operations import Alerts as Settings
from supportbot.runtime.masking import mask
from supportbot.runtime.metrics import Metrics

log = logging.getLogger("supportbot.alerts")

Kind = Literal[
    "webhook_exception",
    "chat_endpoint_error",
    "llm_unavailable",
    "action_failed",
    "action_given_up",
    "connection_held",
    "reload_failed",
    "store_degraded",
]
_TITLES: dict[Kind, str] = {
    "webhook_exception": "Webhooks fail",
    "chat_endpoint_error": "Requests to /chat fail",
    "llm_unavailable": "The model does not answer",
    "action_failed": "Actions fail",
    "action_given_up": "An action was given up; see `supportbot actions list`",
    "connection_held": "A connection cannot sign in",
    "reload_failed": "The changed bot is wrong, the old one stays",
    "store_degraded": "The store does not work",
}
_AT_ONCE: frozenset[Kind] = frozenset(
    {"reload_failed", "action_given_up", "connection_held"}
)  # one failure is enough, one success mends
_QUEUE = 50
_DETAIL_CHARS = 500
_AGAIN = (15.0, 30.0, *[60.0] * 60)  # seconds before each further try of an alert that did not arrive

State = Literal["failing", "recovered"]
Delivery = Literal["sent", "not_sent", "no_address"]


@dataclass(frozen=True, slots=True)
class Alert:
    """``count``: failures within ``minutes``. ``detail`` is masked. ``late``: it could not be told when it happened."""

    kind: Kind
    state: State
    count: int
    minutes: float
    detail: str
    revision: str
    time: str
    late: bool = False

    @property
    def text(self) -> str:
        when = f" at {self.time}" if self.late else ""
        if self.state == "recovered":
            about = f" ({self.detail})" if self.detail else ""
            return f"supportbot: {_TITLES[self.kind]}{about} - recovered{when}."
        times = f"{self.count} times in {self.minutes:g} minutes" if self.count > 1 else "once" if when else "just now"
        return f"supportbot: {_TITLES[self.kind]} ({times}{when}). {self.detail}".rstrip()


class SendAlert(Protocol):
    async def send(self, alert: Alert, settings: Settings) -> Delivery:
        """What became of it. Never raises, keeps a deadline."""
        ...


@dataclass(slots=True)
class _Standing:
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=1_000))
    alerted_at: float | None = None
    alerted: bool = False  # and not recovered since
    good: int = 0  # in a row


class Alerting:
    """``settings`` and ``revision`` are asked each time, because a reload may change them."""

    def __init__(
        self,
        sender: SendAlert,
        settings: Callable[[], Settings],
        revision: Callable[[], str],
        metrics: Metrics,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sender = sender
        self._settings = settings
        self._revision = revision
        self._metrics = metrics
        self._seconds = seconds
        self._standing: dict[tuple[Kind, str], _Standing] = {}
        self._queue: asyncio.Queue[Alert] = asyncio.Queue(_QUEUE)
        self._unsent: Alert | None = None  # taken from the queue, not told yet
        self.arriving = True  # False after an alert that did not arrive, until the next one does

    @property
    def failing(self) -> tuple[Kind, ...]:
        """Kinds that were alerted and have not recovered."""
        return tuple(dict.fromkeys(kind for (kind, _), standing in self._standing.items() if standing.alerted))

    def failed(self, kind: Kind, detail: str = "", about: str = "") -> None:
        """``about``: which one of several failed, e.g. a connection; each is alerted and recovers on its own."""
        settings, now = self._settings(), self._seconds()
        standing = self._standing.setdefault((kind, about), _Standing())
        standing.good = 0
        standing.failures.append(now)
        while standing.failures and standing.failures[0] < now - settings.window:
            standing.failures.popleft()
        if len(standing.failures) < self._needed(kind, settings):
            return
        if standing.alerted_at is not None and now - standing.alerted_at < settings.cooldown:
            self._metrics.count(self._metrics.alerts, kind, "held_back")
            return
        standing.alerted_at, standing.alerted = now, True
        self._put(kind, "failing", len(standing.failures), detail)

    def worked(self, kind: Kind, about: str = "") -> None:
        standing = self._standing.get((kind, about))
        if standing is None or not standing.failures:
            return
        standing.good += 1
        if standing.good < self._needed(kind, self._settings()):
            return
        standing.failures.clear()
        if standing.alerted:
            standing.alerted = False
            self._put(kind, "recovered", 0, about)

    async def run(self) -> None:
        """Send what was noted, one after the other, until cancelled."""
        while True:
            self._unsent = await self._queue.get()
            await self._deliver()

    async def flush(self) -> None:
        """Send what is still waiting, once; for the end of the process."""
        if self._unsent is not None:
            await self._send(self._unsent)
        with suppress(asyncio.QueueEmpty):
            while True:
                await self._send(self._queue.get_nowait())

    async def _deliver(self) -> None:
        """Those behind it wait: a recovery must not overtake its failure."""
        if self._unsent is None or await self._send(self._unsent) != "not_sent":
            self._unsent = None
            return
        self._unsent = replace(self._unsent, late=True)
        for pause in _AGAIN:
            await asyncio.sleep(pause)
            if await self._send(self._unsent, counted=True) != "not_sent":
                break
        self._unsent = None

    async def _send(self, alert: Alert, counted: bool = False) -> Delivery:
        """``counted``: as one that did not arrive; it is counted again only when it does."""
        delivery = await self._sender.send(alert, self._settings())
        self.arriving = delivery != "not_sent"
        if delivery != "not_sent" or not counted:
            self._metrics.count(self._metrics.alerts, alert.kind, delivery)
        return delivery

    @staticmethod
    def _needed(kind: Kind, settings: Settings) -> int:
        return 1 if kind in _AT_ONCE else settings.threshold

    def _put(self, kind: Kind, state: State, count: int, detail: str) -> None:
        minutes = round(self._settings().window / 60, 1)
        shown = mask(detail)[:_DETAIL_CHARS]
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        alert = Alert(kind, state, count, minutes, shown, self._revision(), moment)
        log.warning("alert: %s %s", kind, state)
        try:
            self._queue.put_nowait(alert)
        except asyncio.QueueFull:
            self._metrics.count(self._metrics.alerts, kind, "not_sent")
