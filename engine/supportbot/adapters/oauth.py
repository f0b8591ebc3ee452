"""Access tokens bought with a refresh token, shared by all tasks and processes through the store.

Zoho gives ten tokens in ten minutes for a refresh token and then blocks all calls, reports errors with status 200,
and translates their texts. So one process at a time refreshes, a restart goes on with the token that is stored,
and whatever is no token stops further tries for a while.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import aiohttp
from yarl import URL

from supportbot.adapters.environment import expand
from supportbot.adapters.http_client import HttpClient, NotSent
from supportbot.adapters.private_hosts import named_private
from supportbot.adapters.requests import Request
from supportbot.model.connections import Connection, OAuth, ReadRetry

log = logging.getLogger("supportbot.oauth")

EARLY = 300.0  # seconds before its end that a token is renewed
PERMANENT_HOLD, THROTTLE_HOLD, ADDRESS_HOLD, SHORT_HOLD = 3600.0, 600.0, 60.0, 5.0
REFRESHES, WINDOW = 8, 600.0  # of one refresh token, two below what Zoho gives
LEASE = 20.0
_TIMEOUT = 10.0
_POLL = 0.1
_PERMANENT = frozenset(
    ("invalid_code", "invalid_client", "invalid_client_secret", "invalid_grant", "unauthorized_client")
)


@dataclass(frozen=True, slots=True)
class Token:
    """What the store knows of one refresh token. Times are seconds since 1970; ``held`` says why until then."""

    access: str = ""
    expires_at: float = 0.0
    lifetime: float = 0.0
    held_until: float = 0.0
    held: str = ""
    refreshes: tuple[float, ...] = ()  # when, within the last ten minutes


class TokenStore(Protocol):
    """Tokens by key. ``lease`` is atomic over all processes."""

    async def token(self, key: str) -> Token: ...

    async def lease(self, key: str, owner: str, now: float, until: float) -> bool: ...

    async def put_token(self, key: str, token: Token, owner: str = "", until: float = 0.0) -> None:
        """Store it, and in the same step give the lease back, or hold it on for ``owner``."""
        ...


class MemoryTokens:
    """Tokens of one process."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._leases: dict[str, float] = {}

    async def token(self, key: str) -> Token:
        return self._tokens.get(key, Token())

    async def lease(self, key: str, owner: str, now: float, until: float) -> bool:
        if self._leases.get(key, 0.0) > now:
            return False
        self._leases[key] = until
        return True

    async def put_token(self, key: str, token: Token, owner: str = "", until: float = 0.0) -> None:
        self._tokens[key] = token
        self._leases[key] = until


class Held(Exception):
    """There is no token now. ``wait``: seconds until it may be tried again; ``permanent``: somebody must mend it."""

    def __init__(self, reason: str, wait: float, permanent: bool) -> None:
        super().__init__(reason)
        self.reason, self.wait, self.permanent = reason, wait, permanent


class TokenSource:
    """Gives access tokens. ``now`` gives seconds since 1970.

    ``alert`` tells a person which connection has none and why; ``mended`` that it has one (again).
    """

    def __init__(
        self,
        client: HttpClient,
        environment: Mapping[str, str],
        tokens: TokenStore,
        now: Callable[[], datetime],
        alert: Callable[[str, str], None],
        mended: Callable[[str], None] = lambda _connection: None,
    ) -> None:
        self._client = client
        self._environment = environment
        self._tokens = tokens
        self._now = now
        self._alert = alert
        self._mended = mended
        self._owner = secrets.token_hex(8)
        self._locks: dict[str, asyncio.Lock] = {}

    async def token(self, connection: Connection, auth: OAuth, stale: str = "") -> str:
        """A token that is valid, and not ``stale``, which the service refused. Raises Held."""
        if any(expand(text, self._environment) in (None, "") for text in auth.texts):
            ready = expand(auth.token, self._environment) or ""
            if not ready or ready == stale:
                raise Held("the access token is not valid any more, and no refresh token is set", 0.0, True)
            return ready
        key = self._key(auth)
        async with self._locks.setdefault(key, asyncio.Lock()):
            while True:
                known = await self._tokens.token(key)
                moment = self._now().timestamp()
                if usable(known, moment, stale):
                    self._mended(connection.id)  # another process may have bought it
                    return known.access
                if known.held_until > moment:
                    if known.access and known.access != stale and moment < known.expires_at - 30:
                        return known.access  # good for a little while still
                    raise Held(known.held, known.held_until - moment, known.held.startswith("permanent"))
                if await self._tokens.lease(key, self._owner, moment, moment + LEASE):
                    return await self._renew(connection, auth, key, stale)
                await asyncio.sleep(_POLL)  # another process is at it

    async def _renew(self, connection: Connection, auth: OAuth, key: str, stale: str) -> str:
        known = await self._tokens.token(key)  # another process may have renewed it before we got the lease
        moment = self._now().timestamp()
        if usable(known, moment, stale):
            await self._tokens.put_token(key, known)
            return known.access
        recent = tuple(at for at in known.refreshes if at > moment - WINDOW)
        if len(recent) >= REFRESHES:
            fresh = replace(known, held_until=recent[0] + WINDOW, held="throttled: too many refreshes of our own")
        else:
            # Counted before it is asked for: a process that dies meanwhile has used it up all the same.
            asked = replace(known, refreshes=(*recent, moment))
            await self._tokens.put_token(key, asked, self._owner, moment + LEASE)
            try:
                fresh = replace(await self._buy(connection, auth, known), refreshes=(*recent, moment))
            except NotSent as refusal:
                # Our own refusal says nothing about the credentials, which other connections share: nothing is kept.
                await self._tokens.put_token(key, known)
                refused = replace(known, held=f"permanent: not sent to the token service: {refusal.reason}")
                self._report(connection, refused)
                raise Held(refused.held, 0.0, True) from refusal
        await self._tokens.put_token(key, fresh)
        moment = self._now().timestamp()
        if fresh.held_until > moment:
            self._report(connection, fresh)
            raise Held(fresh.held, fresh.held_until - moment, fresh.held.startswith("permanent"))
        log.info("connection %s has a new access token", connection.id)
        self._mended(connection.id)
        return fresh.access

    async def _buy(self, connection: Connection, auth: OAuth, known: Token) -> Token:
        """Sent once: a retry would count against the limit. The secrets stand in the body, not in the address.

        Raises NotSent for what is never sent from here.
        """
        moment = self._now().timestamp()
        form = {
            "grant_type": "refresh_token",
            "client_id": expand(auth.client_id, self._environment) or "",
            "client_secret": expand(auth.client_secret, self._environment) or "",
            "refresh_token": expand(auth.refresh_token, self._environment) or "",
        }
        try:
            request = Request("POST", URL(expand(auth.token_url, self._environment) or ""), {}, form, form=True)
            private = connection.allow_private or named_private(request.url, self._environment)
            answer = await self._client.send(request, {}, _TIMEOUT, ReadRetry(), private)
        except NotSent as failure:
            if failure.final:
                raise
            return replace(known, held_until=moment + SHORT_HOLD, held="the token service cannot be reached")
        except (TimeoutError, aiohttp.ClientError, ValueError) as failure:
            return replace(known, held_until=moment + SHORT_HOLD, held=f"token service: {type(failure).__name__}")
        return read_token(answer.status, answer.document, known, moment)

    def _report(self, connection: Connection, token: Token) -> None:
        text = f"connection {connection.id}: no access token, {token.held}"
        log.error("%s", text)
        if not token.held.startswith("token service") and "cannot be reached" not in token.held:
            self._alert(connection.id, text)

    def _key(self, auth: OAuth) -> str:
        texts = [expand(text, self._environment) or "" for text in auth.texts]
        return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:32]


def usable(token: Token, moment: float, stale: str) -> bool:
    early = min(EARLY, token.lifetime / 5)
    return bool(token.access) and token.access != stale and moment < token.expires_at - early


def read_token(status: int, document: Any, known: Token, moment: float) -> Token:
    """The token of an answer, or the known one on hold. Only the kind of an error is kept, never its text."""
    found = document if isinstance(document, dict) else {}
    access = found.get("access_token")
    if isinstance(access, str) and access.strip():
        seconds = _seconds(found)
        return Token(access.strip(), moment + seconds, seconds)
    error = found.get("error")
    if isinstance(error, str) and error.strip().casefold() in _PERMANENT:
        code = error.strip().casefold()
        return replace(known, held_until=moment + PERMANENT_HOLD, held=f"permanent: the token service says {code}")
    if status == 404:
        reason = "permanent: wrong address of the token service (status 404)"
        return replace(known, held_until=moment + ADDRESS_HOLD, held=reason)
    if status >= 500 or not isinstance(document, dict):
        return replace(known, held_until=moment + SHORT_HOLD, held=f"token service: status {status}")
    return replace(known, held_until=moment + THROTTLE_HOLD, held="throttled: the token service refuses for now")


def _seconds(found: dict[str, Any]) -> float:
    """How long a token lives. Some answers give milliseconds."""
    for key in ("expires_in_sec", "expires_in"):
        try:
            value = float(found.get(key) or 0)
        except (TypeError, ValueError):
            continue
        if value > 86_400:
            value /= 1000
        if value > 0:
            return min(value, 86_400.0)
    return 3600.0
