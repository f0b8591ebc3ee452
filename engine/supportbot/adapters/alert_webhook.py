"""Alerts as JSON to a webhook: Slack's form by default, any other by a template."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping
from dataclasses import fields

import aiohttp

from supportbot.adapters.addresses import PublicResolver, refusal
from supportbot.adapters.environment import expand
from supportbot.adapters.private_hosts import allowed_hosts
from supportbot.decision.render import render
from supportbot.model.bot import BodyMap
from supportbot.model.operations import Alerts
from supportbot.model.steps import Template
from supportbot.runtime.alerts import Alert, Delivery

log = logging.getLogger("supportbot.alerts")

DEADLINE = 5.0  # seconds, of one attempt
PAUSES = (0.0, 1.0, 4.0)  # seconds before each attempt


class AlertWebhook:
    """``environment`` gives the values of ``${NAME}`` in the address."""

    def __init__(self, environment: Mapping[str, str], deadline: float = DEADLINE) -> None:
        self._environment = environment
        self._deadline = deadline
        self._session: aiohttp.ClientSession | None = None

    async def send(self, alert: Alert, settings: Alerts) -> Delivery:
        """Three attempts. The address is never logged."""
        url = (expand(settings.webhook, self._environment) or "").strip()
        if not url:
            return "no_address"
        if why := refusal(url):
            log.error("alerts cannot be sent: alerts.webhook is refused, because %s", why)
            return "not_sent"
        body = _body(alert, settings)
        for pause in PAUSES:
            await asyncio.sleep(pause)
            if await self._post(url, body):
                return "sent"
        log.error("the alert %s did not arrive after %d attempts", alert.kind, len(PAUSES))
        return "not_sent"

    async def _post(self, url: str, body: object) -> bool:
        if self._session is None:
            connector = aiohttp.TCPConnector(resolver=PublicResolver(allowed_hosts(self._environment)), limit=4)
            self._session = aiohttp.ClientSession(connector=connector)
        try:
            async with (
                asyncio.timeout(self._deadline),
                self._session.post(url, json=body, allow_redirects=False) as answer,
            ):
                return 200 <= answer.status < 300
        except Exception as failure:  # the class only: texts of exceptions hold the address, which is a secret
            log.warning("an alert did not arrive: %s", type(failure).__name__)
            return False

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _body(alert: Alert, settings: Alerts) -> object:
    if settings.body is None:
        return {"text": alert.text}
    values = {item.name: getattr(alert, item.name) for item in fields(alert)}
    return _filled(settings.body, {"alert": values | {"text": alert.text, "host": socket.gethostname()}})


def _filled(tree: object, scope: Mapping[str, object]) -> object:
    if isinstance(tree, BodyMap):
        return {key: _filled(item, scope) for key, item in tree.items}
    if isinstance(tree, tuple):
        return [_filled(item, scope) for item in tree]
    return render(tree, scope) if isinstance(tree, Template) else tree
