"""What happens around every view: request ids, the one exception boundary, figures, access lines."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import istr

from supportbot.errors import StoreError
from supportbot.runtime.ids import new_id
from supportbot.runtime.tallies import LABELS_END
from supportbot.server import logs
from supportbot.server.problems import Problem, from_http_error, problem_response
from supportbot.server.responses import REQUEST_ID_HEADER, REVISION_HEADER, Prepared
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
    parent = trace_of(request.headers)
    if tracing is not None:
        tracing.arrived(request.method, route, parent, logs.REQUEST_ID.get())
    response = await _answer(request, view, service, counted)
    if tracing is not None:
        tracing.responded(response.status)
    if not isinstance(response, Prepared):
        response.headers.setdefault(REVISION_HEADER, revision)
    elif response.revision is None:
        response.revision = revision
    if service.draining:
        response.force_close()
    note(service, request.method, request.path, route, response, loop.time() - started)
    return response


def note(service: Service, method: str, path: str, route: str, response: web.StreamResponse, seconds: float) -> None:
    """Count a request and log it."""
    status = response.status
    service.metrics.requests.add(_label(route, method if method in METHODS else "other", status), seconds)
    quiet = (isinstance(response, Prepared) and response.told) or (status < 400 and path in QUIET)
    level = logging.DEBUG if quiet else logging.INFO
    if logs.logger.isEnabledFor(level):
        logs.log(level, "request", method=method, path=path, status=status, seconds=round(seconds, 4))


@lru_cache(maxsize=512)
def _label(route: str, method: str, status: int) -> str:
    return f"{route}{LABELS_END}{method}{LABELS_END}{status}"


def trace_of(headers: Mapping[str, str]) -> str:
    """The caller's W3C traceparent, which log lines name from now on; empty without a sane one."""
    given = headers.get(TRACEPARENT_HEADER)
    found = TRACEPARENT.fullmatch(given) if given else None
    if found is None:
        return ""
    logs.TRACE_ID.set(found[1])
    return found[0]


def _uncounted(path: str) -> bool:
    """Paths that orchestrators ask, and webhooks: one address of a channel's service speaks for all its visitors."""
    return path in QUIET or path.startswith("/webhook/")


def _route(request: web.Request) -> str:
    """The path as it was declared: what callers put into it must not become a label."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"


async def _answer(request: web.Request, view: View, service: Service, counted: bool) -> web.StreamResponse:
    try:
        if counted:
            refuse_crowds(service, request.remote or "")
        return await view(request)
    except web.HTTPException as failure:
        if failure.status < 400:
            raise
        return problem_response(from_http_error(failure))
    except Exception as failure:
        return apology(failure, request.method, request.path)


def refuse_crowds(service: Service, address: str) -> None:
    """Raises Problem 429 for an address that asks too often."""
    if wait := service.wait_for_address(address):
        detail = "These are too many requests from one address. Slow down a little."
        raise Problem(429, detail, {"Retry-After": str(max(1, math.ceil(wait)))})


def apology(failure: Exception, method: str, path: str) -> Prepared:
    """What the caller hears of anything that went wrong. Nothing inside may reach him."""
    if isinstance(failure, Problem):
        return problem_response(failure)
    if isinstance(failure, StoreError):
        logs.log_failure("store failed", failure)
        detail = "Conversations cannot be read or saved right now. Try again in a moment."
        return problem_response(Problem(503, detail, {"Retry-After": "2"}))
    logs.log_failure("request failed", failure, method=method, path=path)
    detail = "Something went wrong on our side. The server's log tells more under this request id."
    return problem_response(Problem(500, detail))


def request_id_of(given: str) -> str:
    """The caller's id when it is harmless, else a new one of 128 random bits."""
    return given if given and SANE_ID.fullmatch(given) else new_id()
