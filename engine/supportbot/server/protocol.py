"""The HTTP protocol itself: how aiohttp is set up, and its answer to bytes that are not HTTP.

Such bytes never reach a middleware, so their answer is made here, in the form of all others.
Bodies are not decompressed: a small request could otherwise keep the event loop busy for seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import HttpVersion10, web

from supportbot.server import logs
from supportbot.server.middlewares import SECURITY_HEADERS, request_id_of
from supportbot.server.options import ServerLimits
from supportbot.server.problems import Problem, from_http_error, problem_response
from supportbot.server.service import SERVICE

FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LAST_WORDS = 2.0  # seconds for responses when the turns have ended; aiohttp waits for so long twice
NOT_HTTP = "This is not a valid HTTP request."
Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Protocol(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be parsed. The parser's message may quote the bytes, so it is not passed on."""
        logs.REQUEST_ID.set(request_id_of(""))
        level = logging.INFO if status < 500 else logging.ERROR
        logs.log(level, "not http" if status < 500 else "protocol failed", status=status, kind=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the response had already begun")
        detail = NOT_HTTP if status < 500 else "Something went wrong on our side."
        return _refusal(status, detail)


def _refusal(status: int, detail: str) -> web.Response:
    """An answer that passes no middleware."""
    response = problem_response(Problem(status, detail, closes=True))
    response.headers.update(SECURITY_HEADERS | {"X-Request-ID": logs.REQUEST_ID.get(), "Server": "supportbot"})
    return response


class Full(asyncio.Protocol):
    """Tells a caller beyond the last allowed connection to come back, and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(FULL)
        transport.close()


class Server(web.Server):
    """``most``: asked at each new connection, because a reload may change it."""

    most: Callable[[], int] = staticmethod(lambda: 2_000)
    refused: Callable[[], None] = staticmethod(lambda: None)

    def __call__(self) -> web.RequestHandler:
        if len(self.connections) >= self.most():
            self.refused()
            return Full()  # type: ignore[return-value]  # the event loop takes any protocol
        return Protocol(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """An AppRunner with our protocol and limits."""

    def __init__(self, app: web.Application, limits: ServerLimits) -> None:
        super().__init__(
            app,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=limits.keepalive_seconds,
            lingering_time=limits.linger_seconds,
            shutdown_timeout=_LAST_WORDS,
            logger=logs.logger,
        )

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        kwargs: dict[str, Any] = made._kwargs
        server = Server(_answered(made.request_handler), request_factory=made.request_factory, **kwargs)
        service = self.app[SERVICE]
        server.most = lambda: service.bot.settings.operations.connections
        server.refused = lambda: service.metrics.count(service.metrics.refused, "connections")
        return server


def _answered(handle: Handle) -> Handle:
    """aiohttp refuses some requests before any middleware runs, e.g. for their Expect header."""

    async def answered(request: web.BaseRequest) -> web.StreamResponse:
        logs.REQUEST_ID.set(request_id_of(request.headers.get("X-Request-ID", "")))
        if request.version < HttpVersion10:  # a line without a version: what follows it was meant as something else
            return _refusal(400, NOT_HTTP)
        try:
            return await handle(request)
        except web.HTTPException as failure:
            return problem_response(from_http_error(failure))

    return answered
