"""Declared actions as HTTP calls.

A call that writes is sent once: a desk that stores a ticket and then answers 502 would get a second one from a
retry. Reading calls are tried up to three times. All of it within the connection's timeout, and whatever happens
is an ``error`` of the result, never an exception, never a text that could hold a secret.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp_retry import ExponentialRetry, RetryClient
from yarl import URL

from supportbot.adapters.environment import expand, missing_names
from supportbot.decision.render import render
from supportbot.model.bot import Action, BodyMap, Bot, Connection, Template
from supportbot.model.session import SlotValue
from supportbot.runtime.ports import ActionResult

log = logging.getLogger("supportbot.actions")

_MAX_ANSWER = 1_000_000  # bytes
_MAX_SAVED = 1_000  # characters
_READING = frozenset(("GET", "HEAD"))
_PASSING = {429, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    url: URL
    headers: Mapping[str, str]
    body: Any


class HttpActions:
    """Calls services over the bot's connections; ``environment`` gives the values of ``${NAME}``."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._session: aiohttp.ClientSession | None = None

    async def run(self, bot: Bot, action: Action, scope: Mapping[str, object]) -> ActionResult:
        connection = bot.connections[action.connection]
        missing = _missing(connection, self._environment)
        if missing:
            log.warning("action %s is off: %s not set", action.id, ", ".join(missing))
            return _failed("off")
        try:
            async with asyncio.timeout(connection.timeout):
                status, content = await self._send(self._call(connection, action, scope))
        except TimeoutError:
            return self._report(action, "timeout", "no answer in time")
        except Exception as failure:
            # The class only: texts of exceptions hold URLs and headers.
            return self._report(action, "failed", type(failure).__name__)
        if not 200 <= status < 300:
            return self._report(action, "rate_limited" if status == 429 else "failed", f"status {status}")
        return self._saved(action, content)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _report(self, action: Action, error: str, reason: str) -> ActionResult:
        log.warning("action %s failed: %s", action.id, reason)
        return _failed(error)

    def _call(self, connection: Connection, action: Action, scope: Mapping[str, object]) -> _Call:
        base = (expand(connection.base_url, self._environment) or "").rstrip("/")
        path = render(action.path, _quoted(scope)).strip().lstrip("/")
        headers = {name: expand(value, self._environment) or "" for name, value in connection.headers.items()}
        if connection.bearer is not None:
            headers["Authorization"] = f"Bearer {expand(connection.bearer, self._environment)}"
        url = URL(f"{base}/{path}", encoded=True)  # as quoted: nothing is decoded or shortened afterwards
        return _Call(action.method.upper(), url, headers, _body(action.body, scope))

    async def _send(self, call: _Call) -> tuple[int, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None), cookie_jar=aiohttp.DummyCookieJar()
            )
        options: dict[str, Any] = {"headers": call.headers, "allow_redirects": False}
        if call.body is not None:
            options["json"] = call.body
        if call.method not in _READING:
            async with self._session.request(call.method, call.url, **options) as response:
                return response.status, await _content(response)
        patience = ExponentialRetry(
            attempts=3,
            start_timeout=0.1,
            statuses=_PASSING,
            exceptions={aiohttp.ClientConnectionError},
            methods=set(_READING),
            retry_all_server_errors=False,
        )
        client = RetryClient(client_session=self._session, retry_options=patience, raise_for_status=False)
        async with client.request(call.method, call.url, **options) as response:
            return response.status, await _content(response)

    def _saved(self, action: Action, content: bytes) -> ActionResult:
        if not action.save:
            return ActionResult(True, {})
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            return self._report(action, "failed", "the answer is not JSON")
        return ActionResult(True, {slot: _scalar(_at(answer, pointer)) for slot, pointer in action.save})


def _failed(error: str) -> ActionResult:
    return ActionResult(False, {}, error)


def _missing(connection: Connection, environment: Mapping[str, str]) -> tuple[str, ...]:
    texts = (connection.base_url, *connection.headers.values(), connection.bearer or "")
    return tuple(dict.fromkeys(name for text in texts for name in missing_names(text, environment)))


async def _content(response: aiohttp.ClientResponse) -> bytes:
    """At most ``_MAX_ANSWER`` bytes of the body; a longer one is cut, and then it is not JSON any more."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_chunked(65_536):
        parts.append(part)
        size += len(part)
        if size > _MAX_ANSWER:
            response.close()
            break
    return b"".join(parts)[:_MAX_ANSWER]


def _quoted(value: Any) -> Any:
    """The scope with every text percent-encoded, so that a visitor's slot stays one segment of the path."""
    if isinstance(value, str):
        return "" if not value.strip(".") else quote(value, safe="")
    if isinstance(value, Mapping):
        return {key: _quoted(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_quoted(item) for item in value)
    return value


def _body(tree: object, scope: Mapping[str, object]) -> Any:
    if isinstance(tree, Template):
        return render(tree, scope)
    if isinstance(tree, BodyMap):
        return {key: _body(item, scope) for key, item in tree.items}
    if isinstance(tree, tuple):
        return [_body(item, scope) for item in tree]
    return tree


def _at(document: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) finds, or None."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(key)
        elif isinstance(document, list) and key.isascii() and key.isdigit() and int(key) < len(document):
            document = document[int(key)]
        else:
            return None
    return document


def _scalar(value: Any) -> SlotValue:
    """A value that fits a slot; whatever does not is saved as empty text, because the call itself succeeded."""
    if isinstance(value, str):
        return value[:_MAX_SAVED].encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    return value if isinstance(value, (bool, int, float)) else ""
