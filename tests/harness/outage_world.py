"""A served bot with a model and a receiver of alerts on loopback, and visitors who write to it."""

from __future__ import annotations

import asyncio
import calendar
import contextlib
import itertools
import json
import os
import re
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from tests.harness.outage_servers import FaultyModel, Receiver
from tests.runtime.desk_bot import FILES, write_bot

COMMAND = Path(sys.executable).parent / "supportbot"
DEADLINE = 5.0  # seconds after which SalesIQ gives up
PATIENCE = 120.0  # seconds for a server to start, and to recover
RULE, MODEL, PERSON = "my printer is offline", "what does this strange picture mean", "get me a human"
SAID, ANSWERED = "Is it switched on?", "Restart the printer."
DEGRADED, LATE, TROUBLE = (
    "I cannot think right now. Shall I get a person?",
    "That takes longer.",
    "We have a problem. Please write again in a minute.",
)
ALWAYS = ", ".join(f'{day.lower()}: ["00:00-24:00"]' for day in calendar.day_name)
SETTINGS = """
server: {rates: {session: {per_minute: 100000000, burst: 100000000}}}
alerts:
  webhook: "${ERROR_ALERT_WEBHOOK:-}"
  cooldown: COOLDOWN
  body: {kind: "{{ alert.kind }}", state: "{{ alert.state }}", text: "{{ alert.text }}"}
channels: {salesiq: {texts: {late: late, trouble: trouble}}}
"""
HUMAN = """
  - id: human
    priority: 5
    when: {message: [human]}
    do: [{trigger: offer_person}, {handoff: true}]
    examples: {match: ["a human please"], no_match: ["humane"]}
"""


@dataclass(frozen=True)
class Sent:
    """One message and its answer. ``status`` 0: none came."""

    channel: str
    text: str
    conversation: str
    message_id: str
    status: int
    seconds: float
    body: Mapping[str, Any]
    retry_after: str = ""

    @property
    def replies(self) -> list[str]:
        replies = self.body.get("replies", [])
        return [one if isinstance(one, str) else one["text"] for one in replies]

    def in_time(self, lag: float) -> bool:
        """``lag``: seconds that this machine took for an answer that takes no time."""
        if self.channel == "chat":
            return self.status in (200, 503)
        return self.status == 200 and self.seconds <= DEADLINE + lag

    @property
    def acknowledged(self) -> bool:
        """The bot's own answer, so the turn has to be in the store."""
        return self.status == 200 and bool({SAID, ANSWERED, DEGRADED} & set(self.replies))


@dataclass
class Row:
    """What happened in an outage; ``faults`` is what should not have.

    ``lag``: the longest time that /livez took meanwhile, which says how busy the machine itself is.
    """

    outage: str
    sent: list[Sent] = field(default_factory=list)
    lag: float = 0.0
    health: set[str] = field(default_factory=set)
    metric: str = ""
    alerts: str = ""
    recovered: float = 0.0  # seconds after the end of the outage until everything was as before
    faults: list[str] = field(default_factory=list)

    def check(self, good: bool, text: str) -> None:
        if not good:
            self.faults.append(f"{self.outage}: {text}")

    def cells(self) -> tuple[str, ...]:
        hooks = [one for one in self.sent if one.channel == "salesiq"]
        rules = [one.seconds for one in self.sent if one.text == RULE] or [0.0]
        degraded = sum(bool({DEGRADED, LATE, TROUBLE} & set(one.replies)) or one.status == 503 for one in self.sent)
        in_time = sum(one.in_time(self.lag) for one in self.sent)
        return (
            self.outage,
            f"{len(hooks)} + {len(self.sent) - len(hooks)}",
            f"{in_time} ({100 * in_time // len(self.sent)}%)",
            f"{max(one.seconds for one in hooks):.2f} s",
            f"{1000 * sorted(rules)[len(rules) // 2]:.0f} ms",
            str(degraded),
            ", ".join(sorted(self.health)),
            self.metric,
            self.alerts,
            f"{self.recovered:.1f} s",
            "ok" if not self.faults else f"{len(self.faults)} FAULTS",
        )


HEAD = (
    "outage",
    "webhooks + chats",
    "in time",
    "slowest webhook",
    "rules, median",
    "degraded",
    "health",
    "metric",
    "alerts",
    "recovered after",
    "",
)


def table(rows: Sequence[Row]) -> str:
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


class World:
    """A served bot, and all around it."""

    def __init__(self, folder: Path, with_model: bool, cooldown: str, model_deadline: str) -> None:
        closed = FILES["supportbot.yaml"].replace("deadline: 2s", f"deadline: {model_deadline}")
        settings = re.sub(r"hours: \{.*?\}", f"hours: {{{ALWAYS}}}", closed, flags=re.DOTALL)
        texts = (
            FILES["rules/responses.yaml"] + f'  late: {{text: "{LATE}", suggestions: [More]}}\n  trouble: "{TROUBLE}"\n'
        )
        handlers = FILES["handlers.yaml"].replace("handlers:\n", f"handlers:{HUMAN}")
        changes = {
            "supportbot.yaml": settings + SETTINGS.replace("COOLDOWN", cooldown),
            "rules/responses.yaml": texts,
            "handlers.yaml": handlers,
        }
        self.bot = write_bot(folder / "bot", changes)
        self.disk = folder / "disk"
        self.disk.mkdir(exist_ok=True)
        self.store = self.disk / "sessions.db"
        self.with_model = with_model
        self.model, self.receiver = FaultyModel(), Receiver()
        self.numbers = itertools.count()
        self.lines: list[str] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self.client: aiohttp.ClientSession
        self.process: asyncio.subprocess.Process

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self.model.running())
            await stack.enter_async_context(self.receiver.running())
            limits = aiohttp.ClientTimeout(total=40)
            connector = aiohttp.TCPConnector(limit=0)
            self.client = await stack.enter_async_context(aiohttp.ClientSession(timeout=limits, connector=connector))
            environment = {name: os.environ[name] for name in ("HOME", "PATH", "PYTHONPATH") if name in os.environ} | {
                "SUPPORTBOT_STORE": str(self.store),
                "ERROR_ALERT_WEBHOOK": self.receiver.url,
                "OPENAI_API_KEY": "test",
            }
            if self.with_model:
                environment |= {"SUPPORTBOT_LLM_MODEL": "openai/test", "SUPPORTBOT_LLM_API_BASE": self.model.base}
            port = self.url.rpartition(":")[2]
            self.process = await asyncio.create_subprocess_exec(
                *(str(COMMAND), "serve", str(self.bot), "--port", port),
                env=environment,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            reading = asyncio.create_task(self._read())
            try:
                await self._ready()
                yield self
            finally:
                if self.process.returncode is None:
                    self.process.kill()
                await self.process.wait()
                await reading

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode("utf-8", "replace"))

    async def _ready(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                assert self.process.returncode is None, "".join(self.lines[-20:])
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with self.client.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            break
                await asyncio.sleep(0.05)
            if self.with_model:  # its library is loaded first, which takes longer than its deadline on a busy machine
                answered = 0
                while answered < 3 or (await self.health())["alerts"] or not self.receiver.is_over("llm_unavailable"):
                    answered += ANSWERED in (await self.chat(MODEL)).replies
                    await asyncio.sleep(0.1)

    # --- writing to the bot -------------------------------------------------------------------

    def new(self) -> str:
        return f"c{next(self.numbers)}"

    async def chat(self, text: str, conversation: str = "", message_id: str = "") -> Sent:
        conversation, message_id = conversation or self.new(), message_id or self.new()
        body = {"session_id": conversation, "message_id": message_id, "message": text}
        return await self._send("chat", "/chat", body, text, conversation, message_id)

    async def salesiq(self, text: str, conversation: str = "", message_id: str = "") -> Sent:
        conversation, message_id = conversation or self.new(), message_id or self.new()
        body = {
            "handler": "message",
            "operation": "message",
            "message": {"text": text},
            "visitor": {"active_conversation_id": conversation, "channel": "Website"},
            "request": {"id": message_id},
        }
        return await self._send("salesiq", "/webhook/salesiq", body, text, conversation, message_id)

    async def again(self, sent: Sent) -> Sent:
        return await (self.chat if sent.channel == "chat" else self.salesiq)(
            sent.text, sent.conversation, sent.message_id
        )

    async def _send(self, channel: str, path: str, body: object, text: str, conversation: str, message_id: str) -> Sent:
        began = time.monotonic()
        status, found, retry_after = 0, {}, ""
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError):
            async with self.client.post(self.url + path, json=body) as answer:
                found = json.loads(await answer.read())
                status, retry_after = answer.status, answer.headers.get("Retry-After", "")
        seconds = time.monotonic() - began
        return Sent(channel, text, conversation, message_id, status, seconds, found, retry_after)

    # --- looking at it ------------------------------------------------------------------------

    async def lag(self) -> float:
        began = time.monotonic()
        async with self.client.get(f"{self.url}/livez") as answer:
            await answer.read()
        return time.monotonic() - began

    async def health(self) -> dict[str, Any]:
        async with self.client.get(f"{self.url}/health") as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def metrics(self) -> dict[str, Any]:
        async with self.client.get(f"{self.url}/metrics", headers={"Accept": "application/json"}) as answer:
            assert answer.status == 200, "/metrics does not answer"
            found: dict[str, Any] = await answer.json()
            return found

    def records(self) -> dict[str, int]:
        """How often each message id is in the store."""
        store = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=10)
        rows = store.execute("SELECT message_id, count(*) FROM records GROUP BY message_id").fetchall()
        store.close()
        return dict(rows)


@contextlib.asynccontextmanager
async def world(
    folder: Path, with_model: bool = True, cooldown: str = "15m", model_deadline: str = "5s"
) -> AsyncIterator[World]:
    made = World(folder, with_model, cooldown, model_deadline)
    async with made.running():
        yield made
