"""The views of the bot itself: who it is, a turn over /chat, starting again, and how it is doing."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from aiohttp import web

from supportbot import __version__
from supportbot.errors import StoreError
from supportbot.server import chat, logs
from supportbot.server.admin import admin
from supportbot.server.bodies import parse_object, read_body, require_json_type
from supportbot.server.middlewares import STARTED
from supportbot.server.problems import Problem, json_response
from supportbot.server.service import SERVICE, Pulse, Service

# What decides the word in /health. The bot answers without a model and without connections: then it is degraded.
STATUS_CODES = {"healthy": 200, "degraded": 200, "unhealthy": 503}


async def root(request: web.Request) -> web.Response:
    bot = request.app[SERVICE].bot
    return json_response(
        {"service": "supportbot", "version": __version__, "bot": bot.settings.name, "revision": bot.revision}
    )


async def take_message(request: web.Request) -> web.Response:
    """POST /chat: one turn. An empty message begins the conversation."""
    service = request.app[SERVICE]
    limits = service.options.limits
    require_json_type(request)
    data = parse_object(await read_body(request, limits), limits)
    asked = chat.parse(data)
    logs.SESSION_ID.set(asked.session_id)
    request_id = logs.REQUEST_ID.get()
    message = asked.message(service.now())
    talk = service.conversations.take if asked.text else service.conversations.begin
    try:
        result = await service.turn(talk(message, request_id), request[STARTED] + limits.chat_seconds)
    except TimeoutError:
        detail = "The answer takes too long. It is still being worked on; ask again in a moment."
        raise Problem(503, detail, {"Retry-After": "5"}) from None
    return json_response(chat.render(result, request_id))


@admin
async def reset(request: web.Request) -> web.Response:
    """POST /reset/{session_id}: the next message of that session meets a new conversation."""
    session_id = chat.check_session_id(request.match_info["session_id"])
    logs.SESSION_ID.set(session_id)
    if not await request.app[SERVICE].conversations.reset(session_id):
        raise Problem(404, "There is no conversation with this session id.")
    return json_response({"session_id": session_id, "reset": True, "request_id": logs.REQUEST_ID.get()})


async def livez(request: web.Request) -> web.Response:
    """The process answers. Nothing else is asked."""
    return json_response({"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """Whether new requests should be sent here. 503 from the moment the server was told to stop."""
    if request.app[SERVICE].draining:
        raise Problem(503, "The server is shutting down.")
    return json_response({"status": "ready"})


async def health(request: web.Request) -> web.Response:
    """How the parts are doing. The store is asked now; model and connections are judged by their last turns."""
    service = request.app[SERVICE]
    pulse = service.pulse
    active = await _active_sessions(service)
    model = Pulse.word(pulse.model) if service.conversations.model.configured else "off"
    connections = {name: Pulse.word(pulse.connections.get(name)) for name in service.bot.connections}
    failing = "failing" in {model, *connections.values()}
    status = "unhealthy" if active is None else "degraded" if failing else "healthy"
    body = {
        "status": status,
        "active_sessions": active,
        "store": {"status": "failing" if active is None else "ok"},
        "model": {"status": model},
        "connections": {name: {"status": word} for name, word in connections.items()},
        "bot": service.bot.settings.name,
        "revision": service.bot.revision,
        "version": __version__,
    }
    return json_response(body, STATUS_CODES[status])


async def _active_sessions(service: Service) -> int | None:
    """Sessions with a turn in the last ``session_minutes``; None when the store does not answer."""
    since = service.now() - timedelta(minutes=service.bot.settings.limits.session_minutes)
    try:
        async with asyncio.timeout(service.options.limits.health_seconds):
            return await service.conversations.store.active(since)
    except (StoreError, TimeoutError) as failure:
        logs.log_failure("store does not answer", failure)
        return None
