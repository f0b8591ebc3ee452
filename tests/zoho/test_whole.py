"""The installed command on the fake Zoho: a ticket over HTTP, a server killed while it works, the bot's own settings."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from tests.zoho.fake_zoho import FakeZoho

ROOT = Path(__file__).parents[2]
ANSWERS = ("please open a ticket", "The printer smokes", "It began today", "yes")


class Server:
    def __init__(self, process: asyncio.subprocess.Process, url: str, log: Path) -> None:
        self.process, self.url, self.log = process, url, log

    async def say(self, text: str, session: str = "s1") -> str:
        body: dict[str, Any] = {"session_id": session, "message": text, "visitor": {"email": "jane@example.com"}}
        async with aiohttp.ClientSession() as client, client.post(f"{self.url}/chat", json=body) as response:
            assert response.status == 200, await response.text()
            return "\n".join(part["text"] for part in (await response.json())["replies"])

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


@asynccontextmanager
async def serving(zoho: FakeZoho, folder: Path, name: str) -> AsyncIterator[Server]:
    log = folder / f"{name}.log"
    environment = {**os.environ, **zoho.environment(), "SUPPORTBOT_STORE": str(folder / "sessions.db")}
    code = "import sys; from supportbot.cli.main import run; sys.exit(run(sys.argv[1:]))"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, "serve", str(ROOT), "--port", "0"),
            env=environment, stdout=asyncio.subprocess.PIPE, stderr=errors,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found is not None, line + log.read_text("utf-8")
        yield Server(process, found.group(), log)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def test_from_chat_to_ticket_and_over_a_killed_server(tmp_path: Path) -> None:
    async def played() -> None:
        async with FakeZoho(slow=30.0).running() as zoho:
            async with serving(zoho, tmp_path, "first") as server:
                for text in ANSWERS:
                    reply = await server.say(text)
                assert "Your ticket is open, its number is 101." in reply
                zoho.plan = lambda method, path: "slow_after" if (method, path) == ("POST", "/api/v1/tickets") else ""
                for text in ANSWERS:
                    reply = await server.say(text, "s2")
                assert "I'm opening your ticket now" in reply
                await server.kill()
            assert len(zoho.writes("ticket")) == 2
            zoho.plan = lambda _method, _path: ""
            async with serving(zoho, tmp_path, "second") as server:
                for _ in range(100):
                    reply = await server.say("hello", "s2")
                    if "Your ticket is open" in reply:
                        break
                    await asyncio.sleep(0.1)
                assert reply.startswith("Your ticket is open, its number is 102.")
            assert len(zoho.writes("ticket")) == 2
            assert len(zoho.refreshes) == 1
            assert zoho.violations == []
            logs = (tmp_path / "first.log").read_text("utf-8") + (tmp_path / "second.log").read_text("utf-8")
            assert "decided" in logs
            for canary in ("canary", "jane@example.com"):
                assert canary not in logs

    asyncio.run(played())
