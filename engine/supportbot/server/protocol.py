"""The HTTP protocol itself: how aiohttp is set up, and its answer to bytes that are not HTTP.

Such bytes never reach a middleware, so their answer is made here, in the form of all others.
Bodies are not decompressed: a small request could otherwise keep the event loop busy for seconds.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

from aiohttp import HttpVersion10, StreamReader, __version__, hdrs, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong

from supportbot.server import logs
from supportbot.server.middlewares import around, request_id_of
from supportbot.server.options import ServerLimits
from supportbot.server.problems import Problem, from_http_error, problem_response
from supportbot.server.responses import REQUEST_ID_HEADER
from supportbot.server.service import SERVICE, Service
from supportbot.server.straight import Straight
from supportbot.server.views import CHAT, chat_turn

FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LAST_WORDS = 2.0  # seconds for responses when the turns have ended; aiohttp waits for so long twice
UNREAD = 60.0  # seconds; whoever takes nothing of an answer for so long is hung up on
NOT_HTTP = "This is not a valid HTTP request."
LONGEST_LINE, LONGEST_HEADER = 8190, 8191  # bytes; they differ, because by them the parser's error tells which it was
QUICK = __version__.startswith("3.14.")  # Quick takes part in what other versions of aiohttp may do differently
_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux has it
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Protocol(web.RequestHandler):
    """A connection."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """No timer of aiohttp's runs while an answer waits to be taken: a caller who never does would keep his place
        among the allowed connections for ever."""
        super().connection_made(transport)
        found = transport.get_extra_info("socket")
        if _USER_TIMEOUT is not None and found is not None and found.family in (socket.AF_INET, socket.AF_INET6):
            with suppress(OSError):  # it may be gone already
                found.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, int(UNREAD * 1000))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be parsed. The parser's message may quote the bytes, so it is not passed on."""
        detail = NOT_HTTP if status < 500 else "Something went wrong on our side."
        if isinstance(exc, LineTooLong) and LONGEST_LINE in exc.args:
            status, detail = 414, f"The address of this request is longer than {LONGEST_LINE} bytes."
        elif isinstance(exc, LineTooLong):
            status, detail = 431, f"A header of this request is longer than {LONGEST_HEADER} bytes."
        logs.REQUEST_ID.set(request_id_of(""))
        level = logging.INFO if status < 500 else logging.ERROR
        logs.log(level, "not http" if status < 500 else "protocol failed", status=status, kind=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the response had already begun")
        return problem_response(Problem(status, detail, closes=True))


class Quick(Protocol):
    """A connection. Usual messages are answered at once; for all others aiohttp's loop ``start`` is woken.

    That loop waits for a future, ``_waiter``. Out of its sight (``_idle``) nobody wakes or ends it.
    """

    __slots__ = ("_idle", "_straight", "_was_paused", "address")

    def __init__(self, manager: web.Server, straight: Straight, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._straight = straight
        # The parser stops at a number of messages, one of which may be in work here: waiting for as many as that, the
        # connection would never ask it to go on.
        self._max_msg_queue_size -= 1
        self._idle: asyncio.Future[None] | None = None
        self._was_paused = False
        self.address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0] if isinstance(peer, list | tuple) and peer else peer or "")

    def data_received(self, data: bytes) -> None:
        idle = self._waiter
        if idle is None or idle.done() or self.writing_paused:  # a request is in work, or nobody reads the answers
            super().data_received(data)
            return
        self._waiter = None
        try:
            super().data_received(data)
        finally:
            self._waiter = idle
        if not self._messages:
            return
        message, payload = self._messages[0]
        if (
            len(self._messages) == 1
            and isinstance(message, RawRequestMessage)  # it could be parsed
            and self._straight.usual(message, payload)
        ):
            self._begin(message, payload, idle)
        else:
            idle.set_result(None)

    def _begin(self, message: RawRequestMessage, payload: StreamReader, idle: asyncio.Future[None]) -> None:
        """What the loop would do with a message, but without a task for it."""
        assert self._parser is not None
        assert self._manager is not None
        self._messages.clear()
        self._parser.message_consumed()
        self._manager.requests_count += 1
        self._waiter, self._idle = None, idle
        self._request_in_progress = True
        self._straight.begin(message, payload, self)

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def answered(self, keep_alive: bool) -> None:
        """Give the connection back to the loop."""
        idle, self._idle, self._request_in_progress = self._idle, None, False
        assert idle is not None
        if self._handler_waiter is not None and not self._handler_waiter.done():  # the server stops
            self._handler_waiter.set_result(None)
        transport = self.transport
        if not keep_alive or self._close or self._force_close or transport is None or transport.is_closing():
            idle.cancel()  # it ends the loop, which cannot begin the next request of a caller who has gone
            if transport is not None:
                transport.close()
            return
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        self._waiter = idle
        if self._messages and not idle.done():
            idle.set_result(None)

    def pause_reading(self) -> None:
        self._was_paused = True
        super().pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Whoever takes bytes of a body asks for more: where reading never paused, there is nothing to do.

        Where it did, the parser may hold bytes back also after reading went on: at the end of a body of many chunks.
        """
        if self._was_paused:
            super().resume_reading(resume_parser)


class Full(asyncio.Protocol):
    """Tells a caller beyond the last allowed connection to come back, and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(FULL)
        transport.close()


class Server(web.Server):
    """``most``: asked at each new connection, because a reload may change it."""

    straight: Straight
    most: Callable[[], int] = staticmethod(lambda: 2_000)
    refused: Callable[[], None] = staticmethod(lambda: None)

    def __call__(self) -> web.RequestHandler:
        if len(self.connections) >= self.most():
            self.refused()
            return Full()  # type: ignore[return-value]  # the event loop takes any protocol
        if QUICK:
            return Quick(self, self.straight, loop=self._loop, **self._kwargs)
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
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_HEADER,
            logger=logs.logger,
        )

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        kwargs: dict[str, Any] = made._kwargs
        service = self.app[SERVICE]
        handle = _answered(made.request_handler, partial(_around, service, partial(chat_turn, service)))
        server = Server(handle, request_factory=made.request_factory, **kwargs)
        server.straight = Straight(service, asyncio.get_running_loop())
        server.most = lambda: service.bot.settings.operations.connections
        server.refused = lambda: service.metrics.count(service.metrics.refused, "connections")
        return server


def _answered(handle: Handle, chat: Handle) -> Any:
    """All requests, for aiohttp's server. ``handle``: the application's way, ``chat``: the one of most messages."""

    async def answered(request: web.Request) -> web.StreamResponse:
        headers = request.headers
        logs.REQUEST_ID.set(request_id_of(headers.get(REQUEST_ID_HEADER, "")))
        if request.version < HttpVersion10:  # a line without a version: what follows it was meant as something else
            return problem_response(Problem(400, NOT_HTTP, closes=True))
        if request.raw_path == CHAT and request.method == hdrs.METH_POST and not headers.get(hdrs.EXPECT):
            return await chat(request)
        try:
            return await handle(request)
        except web.HTTPException as failure:  # some are refused before any middleware runs, e.g. for what they expect
            return problem_response(from_http_error(failure))

    return answered


async def _around(service: Service, turn: Handle, request: web.Request) -> web.StreamResponse:
    """POST /chat goes around the application's router, middlewares and signals: they cost more than a turn."""
    return await around(request, turn, service, CHAT, True)
