"""What every response carries, and the answer whose bytes are ready before it is asked for them."""

from __future__ import annotations

from functools import lru_cache

from aiohttp import ClientConnectionResetError, HttpVersion, HttpVersion10, HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from multidict import istr

from supportbot.server import logs
from supportbot.server.problems import REVISION_HEADER

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


def seal(response: web.StreamResponse) -> None:
    """Headers of every response; a view's own ones stay."""
    headers = response.headers
    headers[REQUEST_ID_HEADER] = logs.REQUEST_ID.get()
    headers.popall("Server", None)
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)


class Prepared(web.StreamResponse):
    """A 200 with a JSON body. Head and body leave in one piece, and what is the same in all heads is joined once.

    It is sealed as it is, and nothing can be added to its headers.
    """

    _status = 200
    _reason = "OK"

    def __init__(self, body: bytes, revision: str, *, repeated: bool = False, told: bool = False) -> None:
        """``repeated``: the body answered this message before. ``told``: the log knows of it already."""
        self._content = body  # without super: headers and state that are never asked for cost as much as all the rest
        self._revision = revision
        self._repeated = repeated
        self.told = told

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Send all of it, as far as the connection takes it."""
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive
        head = (
            f"{_head(request.version, self._keep_alive, self._revision, self._repeated)}"
            f"X-Request-ID: {logs.REQUEST_ID.get()}\r\nDate: {rfc822_formatted_time()}\r\n"
            f"Content-Length: {len(self._content)}\r\n\r\n"
        )
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ClientConnectionResetError("the caller has gone")
        transport.write(head.encode() + self._content)
        if request.protocol.writing_paused:
            await request.writer.drain()
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to be sent."""


@lru_cache(maxsize=16)
def _head(version: HttpVersion, keep_alive: bool, revision: str, repeated: bool) -> str:
    """The status line and the headers that are the same in all such answers."""
    headers = SECURITY_HEADERS | {"Content-Type": "application/json", REVISION_HEADER: revision}
    if repeated:
        headers["X-Repeated"] = "true"
    if keep_alive and version == HttpVersion10:
        headers["Connection"] = "keep-alive"
    elif not keep_alive and version == HttpVersion11:
        headers["Connection"] = "close"
    lines = [f"HTTP/{version.major}.{version.minor} 200 OK", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in lines)
