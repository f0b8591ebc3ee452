"""POST /chat without a task, a request and a response of aiohttp's: together they cost more than most turns.

Only for messages that came whole and have nothing unusual; all others take the way of all requests (middlewares.py).
What is said and noted of a message is the same on both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import Protocol

from aiohttp import HttpVersion11, StreamReader, hdrs
from aiohttp.http import RawRequestMessage

from supportbot.server import logs
from supportbot.server.middlewares import apology, note, refuse_crowds, request_id_of, trace_of
from supportbot.server.responses import REQUEST_ID_HEADER, Prepared
from supportbot.server.service import Service
from supportbot.server.views import CHAT, begin_answer


class Caller(Protocol):
    """The connection that a message came over."""

    address: str

    def write(self, data: bytes) -> None:
        """Nothing happens when the caller has gone."""
        ...

    def answered(self, keep_alive: bool) -> None:
        """The next request may be read, or the connection ends."""
        ...


class Straight:
    """The way of one server, for messages that are ``usual``."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._seconds = loop.time  # to ask for the running loop each time is a system call
        self._most = service.options.limits.body_bytes
        self._context = copy_context()  # of no request: where bytes arrive it may be that of an earlier one

    def usual(self, message: RawRequestMessage, payload: StreamReader) -> bool:
        """Whether a request can be taken; nothing happened to one that cannot."""
        if (
            message.path != CHAT
            or message.method != hdrs.METH_POST
            or message.version != HttpVersion11
            or message.should_close
            or message.upgrade
            or not payload.is_eof()
            or not 0 < payload.total_bytes <= self._most
            or payload.exception() is not None
        ):
            return False
        headers = message.headers
        return (
            headers.get(hdrs.CONTENT_TYPE) == "application/json"
            and hdrs.EXPECT not in headers
            and hdrs.CONTENT_ENCODING not in headers
            and self._service.beside.tracing is None  # it follows tasks
            and not self._service.draining
        )

    def begin(self, message: RawRequestMessage, payload: StreamReader, caller: Caller) -> None:
        """Answer a usual message now, or as soon as its turn is stored."""
        self._context.copy().run(_Exchange(self._service, self._seconds, caller).begin, message, payload.read_nowait())


class _Exchange:
    """A message and its answer."""

    __slots__ = ("_caller", "_revision", "_seconds", "_service", "_started")

    def __init__(self, service: Service, seconds: Callable[[], float], caller: Caller) -> None:
        self._service = service
        self._seconds = seconds
        self._caller = caller

    def begin(self, message: RawRequestMessage, body: bytes) -> None:
        """In a context of its own."""
        service = self._service
        self._started = self._seconds()
        self._revision = service.bot.revision
        logs.REQUEST_ID.set(request_id_of(message.headers.get(REQUEST_ID_HEADER, "")))
        logs.REVISION.set(self._revision)
        trace_of(message.headers)
        try:
            refuse_crowds(service, self._caller.address)
            begin_answer(service, body, self._started, self._told)
        except Exception as failure:
            self._told(failure)

    def _told(self, end: Prepared | BaseException) -> None:
        if isinstance(end, Prepared):
            self._end(end)
        elif isinstance(end, Exception):
            self._end(apology(end, hdrs.METH_POST, CHAT))
        else:  # the server stops
            self._caller.answered(False)

    def _end(self, response: Prepared) -> None:
        service, keep_alive = self._service, False
        try:
            if response.revision is None:
                response.revision = self._revision
            note(service, hdrs.METH_POST, CHAT, CHAT, response, self._seconds() - self._started)
            keep_alive = not service.draining
            self._caller.write(response.in_bytes(HttpVersion11, keep_alive))
        finally:
            self._caller.answered(keep_alive)
