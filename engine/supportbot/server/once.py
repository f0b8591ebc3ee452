"""One request answered without listening: the whole server over a pair of sockets. For smoke tests."""

from __future__ import annotations

import asyncio
import http.client
import io
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from supportbot.errors import UsageError
from supportbot.server.options import ServerOptions
from supportbot.server.protocol import Runner
from supportbot.server.service import SERVICE

SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """``headers`` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return self.status < 400


async def get(app: web.Application, path: str) -> Answer:
    """GET ``path``, e.g. ``/health``. Raises UsageError when it is no path. The app is used up afterwards."""
    if not path.startswith("/"):
        raise UsageError(f"'{path}' is not a path: it begins with '/', e.g. /health")
    options: ServerOptions = app[SERVICE].options
    runner = Runner(app, options.limits)
    await runner.setup()
    try:
        async with asyncio.timeout(SECONDS):
            return parse(await _exchange(runner, quote(path, safe="/?&=%:@!$'()*+,;~-._")))
    finally:
        await runner.cleanup()


async def _exchange(runner: Runner, target: str) -> bytes:
    ours, theirs = socket.socketpair()
    assert runner.server is not None
    await asyncio.get_running_loop().connect_accepted_socket(runner.server, theirs)
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("ascii"))
        await writer.drain()
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


class _Stream:
    """What http.client wants of a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def parse(data: bytes) -> Answer:
    """Read a whole HTTP response."""
    response = http.client.HTTPResponse(_Stream(data))  # type: ignore[arg-type]
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())
