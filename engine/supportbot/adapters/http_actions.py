"""Declared actions as HTTP calls.

Whatever happens is a result, never an exception, and no text of it could hold a secret.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp

from supportbot.adapters.answers import Answer, judge, saved
from supportbot.adapters.http_client import HttpClient, NotSent
from supportbot.adapters.oauth import Held, MemoryTokens, TokenSource, TokenStore
from supportbot.adapters.private_hosts import named_private
from supportbot.adapters.requests import Request, build_request, connection_headers, missing_of, missing_of_connection
from supportbot.decision.render import holds
from supportbot.model.bot import Action, Bot, Connection
from supportbot.model.chains import chain_of
from supportbot.model.connections import ErrorKind, OAuth
from supportbot.model.session import SlotValue
from supportbot.runtime.calls import CallResult, Sending, with_values
from supportbot.runtime.ports import ActionResult

log = logging.getLogger("supportbot.actions")

_BUSY_WAIT, _LIMIT_WAIT, _DOWN_WAIT, _EXPIRED_WAIT = 1.0, 60.0, 2.0, 3.0


class HttpActions:
    """Calls services over the bot's connections; ``environment`` gives the values of ``${NAME}``."""

    def __init__(
        self,
        environment: Mapping[str, str],
        tokens: TokenStore | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        alert: Callable[[str, str], None] = lambda _connection, _text: None,
        mended: Callable[[str], None] = lambda _connection: None,
    ) -> None:
        """``alert``: a connection cannot sign in, and why; ``mended``: it can."""
        self._environment = environment
        self._client = HttpClient()
        self._tokens = TokenSource(self._client, environment, tokens or MemoryTokens(), now, alert, mended)
        self._rooms: dict[str, asyncio.Semaphore] = {}

    def missing(self, bot: Bot, action: Action) -> tuple[str, ...]:
        return missing_of(bot, action, self._environment)

    async def run(self, bot: Bot, action: Action, scope: Mapping[str, object]) -> ActionResult:
        """The whole action at once, with the actions before it; all within its connection's timeout."""
        missing = self.missing(bot, action)
        if missing:
            log.warning("action %s is off: %s not set", action.id, ", ".join(missing))
            return ActionResult(False, {}, "off")
        values: dict[str, SlotValue] = {}
        try:
            async with asyncio.timeout(bot.connections[action.connection].timeout):
                for name in chain_of(action, bot.actions) or ():
                    result = await self._patiently(bot, bot.actions[name], with_values(scope, values))
                    if result.verdict != "done":
                        return ActionResult(False, {}, result.error or "failed")
                    values |= result.values
        except TimeoutError:
            log.warning("action %s failed: no answer in time", action.id)
            return ActionResult(False, {}, "timeout")
        return ActionResult(True, {slot: values[slot] for slot, _ in action.save if slot in values})

    async def call(
        self, bot: Bot, action: Action, scope: Mapping[str, Any], sending: Sending | None = None
    ) -> CallResult:
        connection = bot.connections[action.connection]
        missing = self.missing(bot, action)
        if missing:
            return CallResult("off", error="off", reason=f"{', '.join(missing)} not set")
        room = self._rooms.setdefault(connection.id, asyncio.Semaphore(connection.concurrency))
        try:
            async with room:
                result = await self._call(connection, action, scope, sending)
        except Exception as failure:
            # The class only: texts of exceptions hold URLs and headers.
            result = _unsure(action, type(failure).__name__)
        if result.verdict != "done":
            log.warning("action %s failed: %s", action.id, result.reason)
        return result

    async def sign_in(self, connection: Connection) -> Mapping[str, str] | None:
        """The headers with which a connection signs in, for calls that are no actions; None while it cannot."""
        if missing_of_connection(connection, self._environment):
            return None
        headers = connection_headers(connection, self._environment)
        if isinstance(connection.auth, OAuth):
            try:
                token = await self._tokens.token(connection, connection.auth)
            except Held:
                return None
            headers["Authorization"] = connection.auth.header.replace("{token}", token)
        return headers

    async def close(self) -> None:
        await self._client.close()

    async def _patiently(self, bot: Bot, action: Action, scope: Mapping[str, Any]) -> CallResult:
        """A call that is repeated while nothing happened; without a worker nobody would do it later."""
        if action.condition is not None and not holds(action.condition, scope):
            return CallResult("done")
        for _ in range(2):
            result = await self.call(bot, action, scope)
            if result.verdict != "again" or not action.writes or result.wait > _DOWN_WAIT:
                return result
            await asyncio.sleep(result.wait)
        return await self.call(bot, action, scope)

    async def _call(
        self, connection: Connection, action: Action, scope: Mapping[str, Any], sending: Sending | None
    ) -> CallResult:
        try:
            request = build_request(connection, action, scope, self._environment)
        except ValueError as failure:
            return CallResult("refused", error="failed", reason=type(failure).__name__)
        private = connection.allow_private or named_private(request.url, self._environment)
        auth = connection.auth if isinstance(connection.auth, OAuth) else None
        stale = ""
        for second in (False, True):
            headers: dict[str, str] = {}
            if auth is not None:
                try:
                    stale = await self._tokens.token(connection, auth, stale)
                except Held as held:
                    return _held(held)
                headers["Authorization"] = auth.header.replace("{token}", stale)
            if sending is not None and action.writes and not await sending():
                return CallResult("lost", reason="somebody else goes on with it")
            answer = await self._sent(connection, action, request, headers, private)
            if isinstance(answer, CallResult):
                return answer
            problem = judge(connection, action, answer)
            if problem == "expired" and auth is not None and not second:
                continue
            return _result(action, answer, problem, scope)
        raise AssertionError("unreachable")

    async def _sent(
        self, connection: Connection, action: Action, request: Request, headers: Mapping[str, str], private: bool
    ) -> Answer | CallResult:
        try:
            return await self._client.send(request, headers, connection.timeout, connection.retry, private)
        except NotSent as failure:
            if failure.final:
                return CallResult("refused", error="failed", reason=f"not sent: {failure.reason}")
            return CallResult("again", error="failed", wait=_DOWN_WAIT, reason=f"not reached: {failure.reason}")
        except TimeoutError:
            return _unsure(action, "no answer in time", "timeout")
        except aiohttp.ClientError as failure:
            return _unsure(action, type(failure).__name__)


def _unsure(action: Action, reason: str, error: str = "failed") -> CallResult:
    """A read may be repeated whatever became of it."""
    return CallResult("unknown" if action.writes else "again", error=error, wait=_DOWN_WAIT, reason=reason)


def _held(held: Held) -> CallResult:
    if held.permanent:
        return CallResult("refused", error="auth", reason=held.reason)
    return CallResult("again", error="rate_limited", wait=held.wait, reason=held.reason)


def _result(action: Action, answer: Answer, problem: ErrorKind | None, scope: Mapping[str, Any]) -> CallResult:
    reason = f"status {answer.status}"
    if problem is None:
        values, found = saved(action, answer, scope)
        return CallResult("done", values, found)
    if problem == "unknown":
        return _unsure(action, reason)
    if problem in ("busy", "rate_limited"):
        wait = answer.retry_after if answer.retry_after is not None else None
        usual = _BUSY_WAIT if problem == "busy" else _LIMIT_WAIT
        return CallResult("again", error="rate_limited", wait=usual if wait is None else wait, reason=reason)
    if problem == "expired":
        # Nothing was done. The new token may have been killed as well, by whoever shares the refresh token.
        return CallResult("again", error="auth", wait=_EXPIRED_WAIT, reason=f"{reason}: the new token is refused too")
    if problem == "auth":
        return CallResult("refused", error="auth", reason=f"{reason}: signing in or the rights")
    return CallResult("refused", error="rejected", reason=f"{reason}: refused{_fields(answer)}")


def _fields(answer: Answer) -> str:
    """Names of the fields that a service complains about; never their values."""
    rows = answer.document.get("errors") if isinstance(answer.document, dict) else None
    names = [row.get("fieldName") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    known = [name for name in names if isinstance(name, str) and len(name) <= 40 and name.isascii()]
    return f" ({', '.join(known[:5])})" if known else ""
