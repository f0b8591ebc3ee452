"""Late answers for SalesIQ, delivered through its callbacks API.

One POST for each request, never sent again: an answer that may have arrived must not arrive twice. What did not go
through is not lost, because the runtime keeps it as owed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

log = logging.getLogger("supportbot.salesiq")

SECONDS = 10.0
_MOST = 65_536  # bytes of an answer that are read

Headers = Callable[[], Awaitable[Mapping[str, str] | None]]


class SalesIQPush:
    """``base``: of the portal's API; ``sign_in`` gives the headers that authorize a call, None when it cannot."""

    def __init__(self, base: str, sign_in: Headers) -> None:
        self._base = f"{base.rstrip('/')}/callbacks"
        self._sign_in = sign_in
        self._session: aiohttp.ClientSession | None = None

    async def respond(self, request_id: str, body: dict[str, object]) -> bool:
        """Deliver the answer to a request that was told to wait. Never raises; false unless it surely arrived."""
        try:
            return await self._post(URL(f"{self._base}/{quote(request_id, safe='')}/response", encoded=True), body)
        except Exception as failure:
            # The class only: texts of exceptions hold URLs and headers.
            log.warning("a late answer was not delivered: %s", type(failure).__name__)
            return False

    async def _post(self, url: URL, body: dict[str, object]) -> bool:
        headers = await self._sign_in()
        if headers is None:
            log.warning("a late answer was not delivered: no access token")
            return False
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=SECONDS), cookie_jar=aiohttp.DummyCookieJar()
            )
        async with self._session.post(url, json=body, headers=headers, allow_redirects=False) as response:
            content = await response.content.read(_MOST)
            refusal = _refusal(response.status, content)
        if refusal:
            log.warning("a late answer was refused: %s", refusal)
        return not refusal

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _refusal(status: int, content: bytes) -> str:
    """Why SalesIQ did not take it; empty when it did. Errors come with the status 200 as well."""
    if not 200 <= status < 300:
        return f"status {status}"
    if not content.strip():
        return ""
    try:
        answer: Any = json.loads(content)
    except (ValueError, RecursionError):
        return "the answer is not JSON"
    error = answer.get("error") if isinstance(answer, dict) else None
    if error is None:
        return ""
    code = error.get("code") if isinstance(error, dict) else None
    return f"error {code}" if isinstance(code, int | str) else "an error"


def portal(server: str, screenname: str) -> str:
    """The base URL of a portal's API; ``server`` is a host, or a URL."""
    base = server if "://" in server else f"https://{server}"
    return f"{base.rstrip('/')}/api/v2/{quote(screenname, safe='')}"


def bearer(token: str) -> Headers:
    """Sign in with a token that is not renewed."""

    async def headers() -> Mapping[str, str]:
        return {"Authorization": f"Zoho-oauthtoken {token}"}

    return headers
