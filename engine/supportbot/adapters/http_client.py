"""Two clients, because reading and writing fail differently.

Reads go through aiohttp-retry: on exceptions and passing statuses, with growing pauses that differ from process to
process, and Retry-After honored, which the library alone does not do. Writes never do: it would send a POST again
after a lost connection, whatever its list of methods says. Writes also get a connection of their own, since a kept
one may be closed by the service at the very moment it is used, and then nobody knows whether the write arrived.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp_retry import ExponentialRetry, RetryClient

from supportbot.adapters.answers import Answer, read_answer, retry_after
from supportbot.adapters.private_hosts import PrivateAddress, StrictResolver, is_private
from supportbot.adapters.requests import Request
from supportbot.model.connections import ReadRetry

MAX_ANSWER = 1_000_000  # bytes
MOST_WAIT = 10.0  # seconds between two tries of a read; who asks for more is asked again later
PRIVATE = "a private address, which is refused without allow_private: true"
_PASSING = frozenset((429, 500, 502, 503, 504))
_CONNECT_SECONDS = 5.0
_READING = frozenset(("GET", "HEAD"))
_SILENT = logging.Logger("aiohttp_retry", logging.CRITICAL)  # its own lines quote addresses


class NotSent(Exception):
    """The request cannot have reached the service. ``final``: and never will, as it is."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


class Patience(ExponentialRetry):
    """Pauses of a read: as long as the service asks, else growing, from half to the whole of each length."""

    def __init__(self, retry: ReadRetry) -> None:
        super().__init__(
            attempts=retry.tries,
            start_timeout=retry.wait / 2,  # the library doubles before the first pause
            max_timeout=MOST_WAIT,
            exceptions={aiohttp.ClientError, asyncio.TimeoutError},
            methods=set(_READING),
            retry_all_server_errors=False,
            evaluate_response_callback=_acceptable,
        )

    def get_timeout(self, attempt: int, response: aiohttp.ClientResponse | None = None) -> float:
        asked = None
        if response is not None:
            asked = retry_after(response.headers)
            response.release()
        if asked is not None:
            return min(asked, MOST_WAIT)
        return super().get_timeout(attempt, response) * random.uniform(0.5, 1.0)


async def _acceptable(response: aiohttp.ClientResponse) -> bool:
    return response.status not in _PASSING or (retry_after(response.headers) or 0.0) > MOST_WAIT


class HttpClient:
    """Sends requests. Raises NotSent, and TimeoutError or aiohttp.ClientError when it is not known what happened."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[bool, bool], aiohttp.ClientSession] = {}

    async def send(
        self, request: Request, headers: Mapping[str, str], timeout: float, retry: ReadRetry, private: bool
    ) -> Answer:
        """``headers`` come on top of the request's own; ``private``: whether private addresses are allowed."""
        if not private and is_private(request.url.host or ""):
            raise NotSent(PRIVATE, final=True)
        options: dict[str, Any] = {
            "headers": {**request.headers, **headers},
            "allow_redirects": False,
            "timeout": aiohttp.ClientTimeout(total=timeout, sock_connect=min(_CONNECT_SECONDS, timeout)),
        }
        if request.body is not None:
            options["data" if request.form else "json"] = request.body
        session = self._session(private, request.method in _READING)
        try:
            if request.method in _READING:
                client = RetryClient(session, _SILENT, Patience(retry))
                async with client.request(request.method, request.url, **options) as response:
                    return await _answer(response)
            async with session.request(request.method, request.url, **options) as response:
                return await _answer(response)
        except (aiohttp.ClientConnectorError, aiohttp.ClientSSLError, aiohttp.ConnectionTimeoutError) as failure:
            if isinstance(getattr(failure, "os_error", None), PrivateAddress):
                raise NotSent(PRIVATE, final=True) from failure
            raise NotSent(type(failure).__name__) from failure
        except (aiohttp.InvalidURL, ValueError) as failure:  # a header or an address that cannot be sent
            raise NotSent(type(failure).__name__, final=True) from failure

    async def close(self) -> None:
        sessions, self._sessions = tuple(self._sessions.values()), {}
        for session in sessions:
            await session.close()

    def _session(self, private: bool, reads: bool) -> aiohttp.ClientSession:
        key = (private, reads)
        if key not in self._sessions:
            resolver = None if private else StrictResolver()
            connector = aiohttp.TCPConnector(resolver=resolver, force_close=not reads)
            self._sessions[key] = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._sessions[key]


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    """At most MAX_ANSWER bytes of the body; a longer one is cut, and then it is not JSON any more."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_chunked(65_536):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER:
            response.close()
            break
    return read_answer(response.status, b"".join(parts)[:MAX_ANSWER], response.headers)
