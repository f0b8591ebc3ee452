"""The view of the SalesIQ webhook: whatever comes, a valid action goes back in time."""

from __future__ import annotations

import logging

from aiohttp import web

from supportbot.server import logs, salesiq
from supportbot.server.bodies import parse_object, read_body
from supportbot.server.middlewares import STARTED
from supportbot.server.problems import Problem, json_response
from supportbot.server.service import SERVICE, Service


async def salesiq_ping(request: web.Request) -> web.Response:
    """GET and HEAD: SalesIQ tries the address when a bot is saved."""
    return json_response({"status": "ok", "channel": "salesiq"})


async def salesiq_event(request: web.Request) -> web.Response:
    """POST: one event. Content types are not looked at, because SalesIQ does not keep to them."""
    service = request.app[SERVICE]
    body = await read_body(request, service.options.limits)
    try:
        payload = parse_object(body, service.options.limits)
    except Problem as problem:
        if body.strip():
            logs.log(logging.WARNING, "unreadable event", channel="salesiq", detail=problem.detail)
        payload = {}
    event = salesiq.parse(payload)
    logs.SESSION_ID.set(event.session_id)
    return json_response(await _answer(service, event, request[STARTED]))


async def _answer(service: Service, event: salesiq.Event, started: float) -> dict[str, object]:
    """The action that answers an event; after the deadline, or when the turn fails, a plain text."""
    texts = service.options.texts
    if event.kind == "failure":  # never answered with another hand-over: SalesIQ would come back at once
        return salesiq.plain(texts.trouble)
    if event.kind == "wordless":
        return salesiq.plain(texts.words_please)
    message = event.message(service.now())
    if event.kind == "greet" and not event.known:
        return salesiq.render(service.greeting(message), texts)
    talk = service.conversations.begin if event.kind == "greet" else service.conversations.take
    work = talk(message, logs.REQUEST_ID.get())
    try:
        result = await service.turn(work, started + service.options.limits.salesiq_seconds)
    except TimeoutError:
        logs.log(logging.WARNING, "answered at the deadline", channel="salesiq")
        return salesiq.plain(texts.late)
    except Exception as failure:  # SalesIQ drops a chat whose webhook answers anything but 200
        logs.log_failure("turn failed", failure, channel="salesiq")
        return salesiq.plain(texts.trouble)
    return salesiq.render(result.reply, texts)
