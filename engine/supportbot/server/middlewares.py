"""What happens around every view: request ids, the one exception boundary, figures, access lines."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import istr

from supportbot.errors import StoreError
from supportbot.runtime.ids import new_id
from supportbot.runtime.tallies import LABELS_END
from supportbot.server import logs
from supportbot.server.problems import REVISION_HEADER, Problem, from_http_error, problem_response
from supportbot.server.responses import REQUEST_ID_HEADER, Prepared
from supportbot.server.service import SERVICE, Service

TRACEPARENT_HEADER = istr("traceparent")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
METHODS = {"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"}
QUIET = {"/livez", "/readyz"}  # asked every few seconds by orchestrators
STARTED: web.RequestKey[float] = web.RequestKey("started", float)
View = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def border(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The middleware around every view."""
    if not logs.REQUEST_ID.get():  # the protocol may have given one already
        logs.REQUEST_ID.set(request_id_of(request.headers.get(REQUEST_ID_HEADER, "")))
    return await around(request, handler, request.app[SERVICE], _route(request), not _uncounted(request.path))


async def around(request: web.Request, view: View, service: Service, route: str, counted: bool) -> web.StreamResponse:
    """A view's response, or one that says no more of what went wrong than it should. The request has its id already.

    ``route``: the path as it was declared. ``counted``: whether its address may ask only so often.
    """
    loop = asyncio.get_running_loop()
    request[STARTED] = started = loop.time()
    revision, tracing = service.bot.revision, service.beside.tracing
    logs.REVISION.set(revision)
    parent = _parent_of(request)
    if tracing is not None:
        tracing.arrived(request.method, route, parent, logs.REQUEST_ID.get())
    response = await _answer(request, view, service, counted)
    if tracing is not None:
        tracing.responded(response.status)
    told = False
    if isinstance(response, Prepared):
        told = response.told
    else:
        response.headers.setdefault(REVISION_HEADER, revision)
    if service.draining:
        response.force_close()
    seconds = loop.time() - started
    service.metrics.requests.add(f"{route}{LABELS_END}{_method(request)}{LABELS_END}{response.status}", seconds)
    _log_request(request, response.status, seconds, told)
    return response


def _parent_of(request: web.Request) -> str:
    """The caller's W3C traceparent; empty without a sane one."""
    given = request.headers.get(TRACEPARENT_HEADER)
    found = TRACEPARENT.fullmatch(given) if given else None
    if found is None:
        return ""
    logs.TRACE_ID.set(found[1])
    return found[0]


def _log_request(request: web.Request, status: int, seconds: float, told: bool) -> None:
    quiet = told or (status < 400 and request.path in QUIET)
    level = logging.DEBUG if quiet else logging.INFO
    if logs.logger.isEnabledFor(level):
        facts = {"method": request.method, "path": request.path, "status": status, "seconds": round(seconds, 4)}
        logs.log(level, "request", **facts)


def _uncounted(path: str) -> bool:
    """Paths that orchestrators ask, and webhooks: one address of a channel's service speaks for all its visitors."""
    return path in QUIET or path.startswith("/webhook/")


def _route(request: web.Request) -> str:
    """The path as it was declared: what callers put into it must not become a label."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"


def _method(request: web.Request) -> str:
    return request.method if request.method in METHODS else "other"


async def _answer(request: web.Request, view: View, service: Service, counted: bool) -> web.StreamResponse:
    try:
        if counted and (wait := service.wait_for_address(request.remote or "")):
            detail = "These are too many requests from one address. Slow down a little."
            raise Problem(429, detail, {"Retry-After": str(max(1, math.ceil(wait)))})
        return await view(request)
    except Problem as problem:
        return problem_response(problem)
    except web.HTTPException as failure:
        if failure.status < 400:
            raise
        return problem_response(from_http_error(failure))
    except StoreError as failure:
        logs.log_failure("store failed", failure)
        detail = "Conversations cannot be read or saved right now. Try again in a moment."
        return problem_response(Problem(503, detail, {"Retry-After": "2"}))
    except Exception as failure:  # the one place that may catch everything: nothing inside may reach the caller
        logs.log_failure("request failed", failure, method=request.method, path=request.path)
        detail = "Something went wrong on our side. The server's log tells more under this request id."
        return problem_response(Problem(500, detail))


def request_id_of(given: str) -> str:
    """The caller's id when it is harmless, else a new one of 128 random bits."""
    return given if SANE_ID.fullmatch(given) else new_id()
