"""A page in a real browser, where there is one: Chromium, driven by its DevTools protocol.

Time is the real one. Chromium's own ``--virtual-time-budget`` waits for requests, but not for frames, and the plots are
drawn in a frame, when they know how wide they are: on a busy machine the budget ended before the first one.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=390,844",
)
DEADLINE = 30.0  # seconds, for the browser to start and again for the page
OFTEN = 0.05  # seconds between two looks at the page
DRAWN = """
document.readyState === "complete" && document.getElementById("updated").textContent !== "Loading…"
  && [...document.querySelectorAll(".box")].every((box) => box.childElementCount > 0)
"""
PAGE = "document.documentElement.outerHTML"


async def shown(url: str) -> tuple[str, list[str]]:
    """The manager's page when everything on it is drawn, and what the browser complained about."""
    async with _browser() as address, aiohttp.ClientSession() as client, client.ws_connect(address) as socket:
        tab = _Tab(socket)
        try:
            async with asyncio.timeout(DEADLINE):
                await tab.open(url)
                while not await tab.value(DRAWN):
                    await asyncio.sleep(OFTEN)
                return await tab.value(PAGE), tab.complaints
        except TimeoutError as late:
            raise AssertionError(f"{url} was not drawn in {DEADLINE:g} s; complaints: {tab.complaints}") from late


@dataclass
class _Tab:
    """One page of the browser; commands are sent one after the other."""

    socket: aiohttp.ClientWebSocketResponse
    session: dict[str, str] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(1))

    async def open(self, url: str) -> None:
        made = await self.ask("Target.createTarget", url="about:blank")
        attached = await self.ask("Target.attachToTarget", targetId=made["targetId"], flatten=True)
        self.session = {"sessionId": attached["sessionId"]}
        for domain in ("Log", "Runtime", "Page"):
            await self.ask(f"{domain}.enable")
        await self.ask("Page.navigate", url=url)

    async def value(self, expression: str) -> Any:
        """None while there is no such value, as between two pages."""
        found = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return None if "exceptionDetails" in found else found["result"].get("value")

    async def ask(self, method: str, **params: object) -> dict[str, Any]:
        number = next(self.numbers)
        await self.socket.send_json({"id": number, "method": method, "params": params, **self.session})
        while True:
            said = await self.socket.receive_json()
            match said.get("method"):
                case "Log.entryAdded":
                    self.complaints.append(said["params"]["entry"]["text"])
                case "Runtime.consoleAPICalled":
                    self.complaints.append(str(said["params"]["args"]))
                case "Runtime.exceptionThrown":
                    self.complaints.append(str(said["params"]["exceptionDetails"]))
            if said.get("id") == number:
                assert "result" in said, f"{method}: {said}"
                answer: dict[str, Any] = said["result"]
                return answer


@asynccontextmanager
async def _browser() -> AsyncIterator[str]:
    """The address of a browser of its own, with a profile of its own."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = (CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank")
        nowhere, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=nowhere, stderr=pipe)
        assert process.stderr is not None
        try:
            async with asyncio.timeout(DEADLINE):
                address = await _address(process.stderr)
            rest = asyncio.create_task(process.stderr.read())  # a full pipe would stop the browser
            yield address
            process.terminate()
            async with asyncio.timeout(DEADLINE):
                await rest
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _address(log: asyncio.StreamReader) -> str:
    said = ""
    while line := (await log.readline()).decode("utf-8", "replace"):
        if found := re.search(r"DevTools listening on (ws://\S+)", line):
            return found[1]
        said += line
    raise AssertionError(f"the browser did not start: {said}")
