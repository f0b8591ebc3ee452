"""What every response carries, and answers that are sent in one piece."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus

from aiohttp import ClientConnectionResetError, HttpVersion, HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from multidict import istr

from supportbot.server import logs

Headers = tuple[tuple[str, str], ...]

REVISION_HEADER = "X-Bot-Revision"
REQUEST_ID_HEADER = istr("X-Request-ID")
NOTHING_LOADS = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
SECURITY_HEADERS = {
    "Content-Security-Policy": NOTHING_LOADS,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


async def seal(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Headers of every response that is not Prepared; a view's own ones stay."""
    headers = response.headers
    headers[REQUEST_ID_HEADER] = logs.REQUEST_ID.get()
    headers.popall("Server", None)
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)


class Prepared(web.StreamResponse):
    """Bytes that are sent in one piece with their head. What is the same in the heads of many is joined once.

    It is sealed as it is. ``told``: the log knows of it already.
    """

    def __init__(
        self,
        body: bytes,
        revision: str | None = None,
        *,
        status: int = 200,
        kind: str = "application/json",
        headers: Headers = (),
        told: bool = False,
    ) -> None:
        """``revision``: of the bot that answered, which goes into a header; None: whoever sends it knows."""
        self._status = status  # without super: headers and state that are never asked for cost as much as all the rest
        self._content = body
        self._kind = kind
        self._more = headers
        self.revision = revision
        self.told = told

    def in_bytes(self, version: HttpVersion, keep_alive: bool) -> bytes:
        """Head and body."""
        constant = _head(version, keep_alive, self._status, self._kind, self.revision, self._more)
        head = (
            f"{constant}X-Request-ID: {logs.REQUEST_ID.get()}\r\nDate: {rfc822_formatted_time()}\r\n"
            f"Content-Length: {len(self._content)}\r\n\r\n"
        )
        return head.encode() + self._content

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Send all of it, as far as the connection takes it."""
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive
        data = self.in_bytes(request.version, self._keep_alive)
        if request.method == hdrs.METH_HEAD:
            data = data[: -len(self._content)]
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ClientConnectionResetError("the caller has gone")
        transport.write(data)
        if request.protocol.writing_paused:
            await request.writer.drain()
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to be sent."""


@lru_cache(maxsize=64)
def _head(version: HttpVersion, keep_alive: bool, status: int, kind: str, revision: str | None, more: Headers) -> str:
    """The status line and the headers that do not differ from answer to answer."""
    headers = SECURITY_HEADERS | {"Content-Type": kind} | dict(more)
    if revision is not None:
        headers[REVISION_HEADER] = revision
    if keep_alive and version == HttpVersion10:
        headers["Connection"] = "keep-alive"
    elif not keep_alive and version == HttpVersion11:
        headers["Connection"] = "close"
    first = f"HTTP/{version.major}.{version.minor} {status} {HTTPStatus(status).phrase}"
    return "".join(f"{line}\r\n" for line in (first, *(f"{name}: {value}" for name, value in headers.items())))
