"""Who may use the admin paths: whoever knows the token; without one, programs on this machine only."""

from __future__ import annotations

import functools
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from supportbot.server.options import is_loopback
from supportbot.server.problems import Problem
from supportbot.server.service import SERVICE

View = Callable[[web.Request], Awaitable[web.StreamResponse]]

# A proxy on this machine makes everybody look local; these headers give it away.
FORWARDING = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
NEEDS_TOKEN = "This path needs the header Authorization: Bearer with the admin token."
NO_TOKEN_SET = "This path is closed. Set SUPPORTBOT_ADMIN_TOKEN, or listen on loopback and call it from this machine."


def admin(view: View) -> View:
    """Guard a view. 401 without the right token; 403 when no token is set and the caller is not local."""

    @functools.wraps(view)
    async def guarded(request: web.Request) -> web.StreamResponse:
        check_admin(request)
        return await view(request)

    return guarded


def check_admin(request: web.Request) -> None:
    """Raise Problem 401 or 403 unless the caller may use admin paths."""
    options = request.app[SERVICE].options
    if options.admin_token:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not options.admin_token.same_as(token.strip()):
            raise Problem(401, NEEDS_TOKEN, {"WWW-Authenticate": 'Bearer realm="supportbot"'})
    elif not (options.local_only and is_local(request)):
        raise Problem(403, NO_TOKEN_SET)


def is_admin(request: web.Request) -> bool:
    """Whether the caller may use admin paths, for a path that is open to all and tells some more."""
    try:
        check_admin(request)
    except Problem:
        return False
    return True


def is_local(request: web.Request) -> bool:
    """Whether a program on this machine asks directly: by address, by name, and not from another site's page.

    The Host header is compared because a foreign name may be made to resolve to this machine, and
    Origin because a page in a local browser may post here without being allowed to read the answer.
    """
    return _local_peer(request) and _local_host(request.headers.get("Host", "")) and not _foreign(request)


def _local_peer(request: web.Request) -> bool:
    transport = request.transport
    if transport is None or any(name in request.headers for name in FORWARDING):
        return False
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family == socket.AF_UNIX:
        return True
    return is_loopback(request.remote or "")


def _local_host(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name is not None and is_loopback(name)


def _foreign(request: web.Request) -> bool:
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        return True
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc != request.headers.get("Host", "")
    except ValueError:
        return True
