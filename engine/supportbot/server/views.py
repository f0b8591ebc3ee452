"""The views of the bot itself: who it is, a turn over /chat, starting again, and how it is doing."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from aiohttp import web

from supportbot import __version__
from supportbot.errors import StoreError
from supportbot.runtime.results import Answer, TurnResult
from supportbot.server import chat, logs
from supportbot.server.admin import is_admin
from supportbot.server.bodies import read_body, require_json_type
from supportbot.server.middlewares import STARTED
from supportbot.server.observing import Pulse
from supportbot.server.problems import Problem, json_response
from supportbot.server.responses import Prepared
from supportbot.server.service import SERVICE, Service
from supportbot.server.turns import GOES_ON, settle

CHAT = "/chat"
REPEATED = (("X-Repeated", "true"),)  # the message was answered before, and this is that answer
# What decides the word in /health. The bot answers without a model and without connections: then it is degraded.
SHOWN = 20  # findings
STATUS_CODES = {"healthy": 200, "degraded": 200, "unhealthy": 503}


async def root(request: web.Request) -> web.Response:
    bot = request.app[SERVICE].bot
    return json_response(
        {"service": "supportbot", "version": __version__, "bot": bot.settings.name, "revision": bot.revision}
    )


async def take_message(request: web.Request) -> Prepared:
    return await chat_turn(request.app[SERVICE], request)


async def chat_turn(service: Service, request: web.Request) -> Prepared:
    """POST /chat: one turn. An empty message begins the conversation."""
    limits = service.options.limits
    require_json_type(request)
    body = await read_body(request, limits)
    return await answer_body(service, body, request[STARTED])


async def answer_body(service: Service, body: bytes, started: float) -> Prepared:
    """The turn that the body of a request asks for. ``started``: when the request came, in loop time."""
    response: asyncio.Future[Prepared] = asyncio.get_running_loop().create_future()
    begin_answer(service, body, started, partial(settle, response))
    try:
        return await response
    except asyncio.CancelledError:
        logs.log(logging.WARNING, GOES_ON)
        raise


def begin_answer(
    service: Service, body: bytes, started: float, told: Callable[[Prepared | BaseException], None]
) -> None:
    """The same for who is told of the response instead of waiting for it. Raises Problem."""
    limits, request_id = service.options.limits, logs.REQUEST_ID.get()
    asked = chat.read(body, limits, request_id)
    logs.SESSION_ID.set(asked.session_id)
    _refuse_floods(service, asked.session_id)

    def render(result: TurnResult) -> bytes:
        return chat.render(result, request_id)

    def over(end: Answer | BaseException) -> None:
        told(_response(service, end))

    message = asked.message(service.now())
    service.turn(message, render, started + limits.chat_seconds, over, greets=not asked.text)


def _response(service: Service, end: Answer | BaseException) -> Prepared | BaseException:
    """What the caller gets when a turn has come to its end; an exception becomes a response further out."""
    if isinstance(end, TimeoutError):
        service.beside.failed("chat_endpoint_error", "a turn took longer than its deadline")
        detail = "The answer takes too long. It is still being worked on; ask again in a moment."
        return Problem(503, detail, {"Retry-After": "5"})
    if isinstance(end, BaseException):
        if isinstance(end, Exception):
            service.beside.failed("chat_endpoint_error", type(end).__name__)
        return end
    service.beside.worked("chat_endpoint_error")
    if end.result is None:
        return Prepared(end.body, headers=REPEATED, told=True)
    return Prepared(end.body, end.result.revision, told=True)


def _refuse_floods(service: Service, session_id: str) -> None:
    if wait := service.wait_for_session(session_id):
        seconds = str(max(1, math.ceil(wait)))
        raise Problem(429, "These are too many messages of one session. Slow down a little.", {"Retry-After": seconds})
    if service.is_full():
        raise Problem(503, "Too many messages are being answered right now. Try again.", {"Retry-After": "1"})


async def livez(request: web.Request) -> web.Response:
    """The process answers. Nothing else is asked."""
    return json_response({"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """Whether new requests should be sent here. 503 from the moment the server was told to stop."""
    if request.app[SERVICE].draining:
        raise Problem(503, "The server is shutting down.")
    return json_response({"status": "ready"})


async def health(request: web.Request) -> web.Response:
    """How the parts are doing, by their last outcomes; ``reasons`` says why it is not healthy.

    What is wrong with changed files quotes them: that is for whoever may use admin paths, all others see the codes.
    """
    service = request.app[SERVICE]
    active = await active_sessions(service)
    health = _judge(service, active)
    reload = service.beside.reloader.last if service.beside.reloader is not None else None
    body: dict[str, object] = {
        "status": health.status,
        "reasons": health.reasons,
        "active_sessions": active,
        "store": {"status": health.store},
        "model": {"status": health.model},
        "connections": {name: {"status": word} for name, word in health.connections.items()},
        "alerts": list(service.beside.alerting.failing) if service.beside.alerting is not None else [],
        "bot": service.bot.settings.name,
        "revision": service.bot.revision,
        "version": __version__,
    }
    if reload is not None:
        found: dict[str, object] = {"ok": reload.ok, "codes": Counter(item.code for item in reload.diagnostics)}
        if is_admin(request):
            found["diagnostics"] = [str(item) for item in reload.diagnostics[:SHOWN]]
        body["reload"] = found
    return json_response(body, STATUS_CODES[health.status])


@dataclass(frozen=True, slots=True)
class _Health:
    status: str
    reasons: list[str]
    store: str
    model: str
    connections: dict[str, str]


def _judge(service: Service, active: int | None) -> _Health:
    pulse, reasons = service.beside.pulse, list[str]()
    store = "ok" if active is not None and not pulse.store else "failing"
    if store == "failing":
        reasons.append("the store cannot be read" if active is None else "the store refused the last turn")
    model = Pulse.word(pulse.model) if service.conversations.model.configured else "off"
    if service.beside.breaker is not None and service.beside.breaker.is_open:
        model = "paused"
    if model in ("failing", "paused"):
        reasons.append(f"the model gave no answer {pulse.model} times in a row; rules answer alone")
    connections = {name: Pulse.word(pulse.connections.get(name)) for name in service.bot.connections}
    reasons += [f"the connection {name} fails" for name, word in connections.items() if word == "failing"]
    reloader = service.beside.reloader
    if reloader is not None and reloader.last is not None and not reloader.last.ok:
        reasons.append("the changed bot is wrong, the last good one answers")
    if service.beside.alerting is not None and not service.beside.alerting.arriving:
        reasons.append("alerts do not arrive at their webhook")
    status = "unhealthy" if store == "failing" else "degraded" if reasons else "healthy"
    return _Health(status, reasons, store, model, connections)


async def active_sessions(service: Service) -> int | None:
    """Sessions with a turn in the last ``session_minutes``; None when the store does not answer."""
    since = service.now() - timedelta(minutes=service.bot.settings.limits.session_minutes)
    try:
        async with asyncio.timeout(service.options.limits.health_seconds):
            return await service.conversations.store.active(since)
    except (StoreError, TimeoutError) as failure:
        logs.log_failure("store does not answer", failure)
        return None
