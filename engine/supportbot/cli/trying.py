"""What ``supportbot doctor --online`` tries for real: each connection that is on, and the model. Only reads.

The one module of that verb that imports aiohttp; litellm comes with the first question to a model.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from supportbot.adapters.environment import expand, missing_names
from supportbot.adapters.http_actions import HttpActions
from supportbot.adapters.http_client import PRIVATE
from supportbot.adapters.litellm_model import LiteLLMModel
from supportbot.adapters.oauth import MemoryTokens, Token, TokenStore
from supportbot.adapters.private_hosts import ALLOWED
from supportbot.adapters.requests import missing_of_connection
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.cli.examining import Finding, Status
from supportbot.config.environment import names_in
from supportbot.model.bot import Action, Bot, Connection
from supportbot.model.connections import BasicAuth, Check, HeaderAuth, OAuth, Probe, ReadRetry
from supportbot.model.steps import Template
from supportbot.runtime.calls import CallResult
from supportbot.runtime.ports import ChatMessage, ModelAnswer

CONNECTION_SECONDS = 15.0  # a token and a read together
MODEL_SECONDS = 20.0
_MODEL_TOKENS = 16
_ID = "doctor"  # of the read, as an action; no action of a bot can be called so while it is asked
_QUESTION = ChatMessage("user", "Answer with the word: yes")


async def try_all(
    bot: Bot,
    environment: Mapping[str, str],
    store: Path | None,
    connection_seconds: float = CONNECTION_SECONDS,
    model_seconds: float = MODEL_SECONDS,
) -> list[Finding]:
    """All connections at the same time, then the model. ``store``: where access tokens are kept, if anywhere."""
    with _overheard() as lines:
        kept = SQLiteStore(store) if store is not None else None
        actions = HttpActions(environment, FreshTokens(kept.outbox if kept is not None else MemoryTokens()))
        try:
            on = [one for one in bot.connections.values() if not missing_of_connection(one, environment)]
            tries = (_connection(bot, one, actions, environment, connection_seconds) for one in on)
            found = list(await asyncio.gather(*tries))
        finally:
            await actions.close()
            if kept is not None:
                await kept.close()
        if (expand(bot.settings.llm.model, environment) or "").strip():
            found.append(await _model(bot, environment, model_seconds, lines))
    return found


class FreshTokens:
    """Tokens as if none were valid any more: each is bought once in a run, which shows that it can be.

    The stored token stays when that fails. A hold after a permanent error is passed over, because somebody who asks
    may just have mended it; one after throttling is kept.
    """

    def __init__(self, stored: TokenStore) -> None:
        self._stored = stored
        self._bought: set[str] = set()
        self._failed: set[str] = set()

    async def token(self, key: str) -> Token:
        known = await self._stored.token(key)
        if key in self._bought:
            return known
        hold = key in self._failed or not known.held.startswith("permanent")
        return replace(known, access="", expires_at=0.0, held_until=known.held_until if hold else 0.0)

    async def lease(self, key: str, owner: str, now: float, until: float) -> bool:
        return await self._stored.lease(key, owner, now, until)

    async def put_token(self, key: str, token: Token, owner: str = "", until: float = 0.0) -> None:
        if not token.access:
            known = await self._stored.token(key)
            token = replace(token, access=known.access, expires_at=known.expires_at, lifetime=known.lifetime)
            if not owner:
                self._failed.add(key)
        else:
            self._bought.add(key)
        await self._stored.put_token(key, token, owner, until)


# --- connections ----------------------------------------------------------------------------


async def _connection(
    bot: Bot, connection: Connection, actions: HttpActions, environment: Mapping[str, str], seconds: float
) -> Finding:
    probe = connection.check
    if probe is not None and missing_names(probe.path, environment):
        probe = None

    async def ask() -> CallResult:
        if probe is not None:
            return await _read(bot, connection, probe, actions)
        plain = replace(connection, ok=Check(_any_answer(connection)), errors=())
        result = await _read(bot, plain, Probe("HEAD", ""), actions)
        # Services that know no HEAD are asked again; one that cannot be reached or refuses to sign in is not.
        if result.verdict == "done" or result.error == "auth":
            return result
        return await _read(bot, plain, Probe("GET", ""), actions)

    started = time.perf_counter()
    result = await _within(seconds, ask)
    spent = _milliseconds(started)
    name = connection.id
    if result is None:
        text, remedy = f"'{name}' gives no answer within {seconds:g} s", _where_to_look(connection)
        return Finding("online", name, "failed", text, remedy, spent)
    if result.verdict != "done":
        text = f"'{name}' cannot be used: {result.reason}"
        return Finding("online", name, "failed", text, _remedy(connection, probe, result), spent)
    token = "a new access token, and " if _refreshes(connection, environment) else ""
    if probe is None:
        text = f"'{name}': {token}its base URL answers; a read in `check:` would prove more"
        return Finding("online", name, "ok", text, "", spent)
    return Finding("online", name, "ok", f"'{name}': {token}{probe.method} {probe.path} answers well", "", spent)


async def _read(bot: Bot, connection: Connection, probe: Probe, actions: HttpActions) -> CallResult:
    """Made as the server makes it: the same sign-in, limits and judgement. One try, because its time is shown."""
    path = Template(probe.path, True, connection.place)
    action = Action(_ID, connection.id, probe.method, path, None, (), frozenset(), (), (), (), connection.place)
    once = replace(connection, retry=ReadRetry(tries=1))
    asked = replace(bot, connections={**bot.connections, connection.id: once}, actions={**bot.actions, _ID: action})
    return await actions.call(asked, action, {})


def _any_answer(connection: Connection) -> tuple[tuple[int, int], ...]:
    """A base URL need not be an address of its own: whatever is no failure of the service will do.

    A key that is refused there is wrong; with OAuth the new token has shown already that signing in works.
    """
    if connection.bearer is None and not isinstance(connection.auth, BasicAuth | HeaderAuth):
        return ((200, 499),)
    return ((200, 400), (402, 499))


def _refreshes(connection: Connection, environment: Mapping[str, str]) -> bool:
    auth = connection.auth
    return isinstance(auth, OAuth) and all(expand(text, environment) for text in auth.texts)


def _remedy(connection: Connection, probe: Probe | None, result: CallResult) -> str:
    if PRIVATE in result.reason:
        return f"if that is meant, put the host into {ALLOWED}, or write allow_private: true"
    if result.error == "auth":
        auth = connection.auth
        own = auth.texts if isinstance(auth, OAuth) else ()
        texts = (*own, *connection.texts[1:])  # without the base URL
        return f"check {', '.join(names_in(' '.join(texts))) or 'how it signs in'}, and the rights that go with it"
    if result.error == "rate_limited":
        return "wait some minutes, then try again"
    if result.error == "rejected" and probe is not None:
        return f"check base_url, headers and `check: {{path: {probe.path}}}`"
    return _where_to_look(connection)


def _where_to_look(connection: Connection) -> str:
    names = names_in(connection.base_url)
    what = f"base_url ({', '.join(names)})" if names else "base_url"
    return f"check {what}, the network of this machine, and whether the service is up"


# --- the model ------------------------------------------------------------------------------


async def _model(bot: Bot, environment: Mapping[str, str], seconds: float, lines: list[str]) -> Finding:
    """One question to the first model, without its fallbacks: they would hide that it fails."""
    settings = replace(
        bot.settings.llm, fallbacks=(), attempts=1, max_tokens=_MODEL_TOKENS, deadline=seconds, prompt_tokens=100
    )
    model = LiteLLMModel(settings, environment, bot.settings.operations.price)
    name = (expand(settings.model, environment) or "").strip()
    try:
        await model.warm()  # loading the library is not the model's time
        lines.clear()
        started = time.perf_counter()
        answer = await model.answer((_QUESTION,))
        spent = _milliseconds(started)
    finally:
        await model.close()
    status, text, remedy = _answered(name, answer, lines)
    return Finding("online", name, status, text, remedy, spent)


def _answered(name: str, answer: ModelAnswer, lines: list[str]) -> tuple[Status, str, str]:
    if not answer.error:
        return "ok", f"{name} answers, {answer.tokens_in + answer.tokens_out} tokens", ""
    if answer.error == "empty":
        return "note", f"{name} was reached, but said nothing in {_MODEL_TOKENS} tokens", ""
    if answer.error == "off":
        return "failed", "the model library cannot be loaded", "install the package again, with its requirements"
    said = lines[-1] if lines else f"{name}: {answer.error}"
    remedies = {
        "rate_limited": "wait, or raise the quota at the provider",
        "timeout": "check llm.api_base, the network of this machine, and the provider's status page",
    }
    return "failed", said, remedies.get(answer.error, "check the model's name, its key, llm.api_base, the quota")


# --- both -----------------------------------------------------------------------------------


async def _within(seconds: float, ask: Callable[[], Awaitable[CallResult]]) -> CallResult | None:
    try:
        async with asyncio.timeout(seconds):
            return await ask()
    except TimeoutError:
        return None


def _milliseconds(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """What the adapters log goes into findings instead of between them."""
    log, ear = logging.getLogger("supportbot"), _Ear()
    passed_on = log.propagate
    log.addHandler(ear)
    log.propagate = False
    try:
        yield ear.lines
    finally:
        log.removeHandler(ear)
        log.propagate = passed_on
