"""What a bot leans on, on loopback, made to fail: a model, a receiver of alerts, the store's file."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from tests.adapters.openai_server import OpenAIServer
from tests.serving import serving

_HOLD = """
import sqlite3, sys, time
store = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
store.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
store.execute("ROLLBACK")
"""
_DRIP_SECONDS = 1.0


class FaultyModel(OpenAIServer):
    """Answers as ``fault`` says from now on; "ok" is none."""

    FAULTS = ("hang", "drip", "rate_limited", "broken", "unavailable", "garbage", "empty", "truncated", "closed")

    @property
    def fault(self) -> str:
        return self.modes[0]

    @fault.setter
    def fault(self, name: str) -> None:
        self.modes[:] = [name]

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        """A good answer, a byte a second."""
        whole = json.dumps({"choices": [{"message": {"role": "assistant", "content": "Late."}}]}).encode()
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(whole))})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for byte in whole:
                await response.write(bytes([byte]))
                await asyncio.sleep(_DRIP_SECONDS)
        return response

    async def _unavailable(self, _: web.Request) -> web.Response:
        return web.Response(status=503, text="overloaded")

    async def _empty(self, _: web.Request) -> web.Response:
        return web.Response(body=b"", content_type="application/json")

    async def _truncated(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "4000"})
        await response.prepare(request)
        await response.write(b'{"id": "answer-1", "choices": [{"index": 0, "message": {"role": "assist')
        _hang_up(request)
        return response

    async def _closed(self, request: web.Request) -> web.Response:
        _hang_up(request)
        return web.Response()


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


class Receiver:
    """The alert webhook. ``fault``: "" takes alerts, "down" refuses them with 500, "hang" never answers."""

    def __init__(self) -> None:
        self.fault = ""
        self.got: list[dict[str, Any]] = []
        self.last: dict[str, float] = {}  # kind -> when a failure of it was told last, in monotonic seconds
        self.refused = 0
        self.url = ""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Receiver]:
        async with serving(web.post("/hook", self._take)) as url:
            self.url = f"{url}/hook"
            yield self

    async def _take(self, request: web.Request) -> web.Response:
        alert = await request.json()
        if self.fault:
            self.refused += 1
            if self.fault == "hang":
                await asyncio.sleep(600)
            return web.Response(status=500)
        self.got.append(alert)
        if alert["state"] == "failing":
            self.last[alert["kind"]] = time.monotonic()
        return web.Response()

    def is_over(self, kind: str) -> bool:
        """Whether the last that was told of a kind is its recovery; True when nothing was told."""
        return next((alert["state"] for alert in reversed(self.got) if alert["kind"] == kind), "") != "failing"

    def count(self, kind: str, state: str) -> int:
        return sum(alert["kind"] == kind and alert["state"] == state for alert in self.got)


@contextlib.asynccontextmanager
async def locked(store: Path, seconds: float) -> AsyncIterator[None]:
    """Another process holds the file exclusively for so long; at the end of the block it has let go."""
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _HOLD, str(store), str(seconds), stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    try:
        assert await holder.stdout.readline() == b"held\n"
        yield
        assert await holder.wait() == 0
    finally:
        if holder.returncode is None:
            holder.kill()
            await holder.wait()


def no_growth(pid: int) -> Callable[[], None]:
    """From now on the process cannot write anything to a file: what to call to let it write again. Linux only."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    return lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, before) and None


def fill(folder: Path) -> Callable[[], None]:
    """Fill the disk of that folder to the last byte: what to call to free it again."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65_536, 512, 1):
            with contextlib.suppress(OSError):
                while os.fstat(file.fileno()).st_size < 64 * 1024 * 1024:
                    file.write(b"x" * size)
    return filler.unlink
