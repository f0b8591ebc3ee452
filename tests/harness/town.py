"""Some days in the life of a bot: thousands of mixed turns with the real adapters, under a clock that a test moves.

The starter bot talks with visitors who name every problem that it knows, follow guides, fill in forms, ask a model
that fails now and then, repeat deliveries, get lost, come back days later, start again, and want to be forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from aiohttp import web
from tests.adapters.openai_server import OpenAIServer
from tests.salesiq.world import message as salesiq_message
from tests.server.world import listening
from tests.zoho.fake_zoho import FakeZoho

from supportbot.cli.serve import Start, Wiring, wire
from supportbot.compiler.compile import load_bot
from supportbot.model.bot import Bot
from supportbot.model.session import Message, Session
from supportbot.resources import starter_bot
from supportbot.runtime.delivery import Delivery
from supportbot.runtime.housekeeping import sweep
from supportbot.runtime.reload import state_of
from supportbot.server.app import create_app
from supportbot.server.options import ServerOptions

LONDON = ZoneInfo("Europe/London")
DAYS = 4
CROWD = 40  # visitors who write at the same time
GOES_ON = (
    "yes", "no", "that fixed it", "still not working", "thanks", "I want to talk to a person", "please call me back",
    "please open a ticket", "what else can you do", "end this chat now", "hello",
)  # fmt: skip
UNKNOWN = ("Why does the ÄRGER never end", "why does the ärger never end", "sing me a song", "which tie suits me")
CHANGES = {
    "supportbot.yaml": {
        "llm:\n": "llm:\n  price: {input: 150, output: 600}\n",
        "deadline: 8s": "deadline: 60s",
        '  friday: ["08:00-17:00"]\n': '  friday: ["08:00-17:00"]\n  saturday: ["08:00-17:00"]\n  sunday: ["08:00-17:00"]\n',
    },
    "rules/actions.yaml": {  # a conversation that ends with the call for which it was held
        "on_success: [{reply: callback_created}]": "on_success: [{trigger: close}, {reply: callback_created}, {close: true}]"
    },
    "handlers.yaml": {
        "handlers:\n": """handlers:
  - id: ended
    priority: 1
    when: {message: ["end this chat now"]}
    do: [{trigger: close}, {reply: closed_quiet}, {close: true}]
"""
    },
}


class Model(OpenAIServer):
    """Answers at a length of its own; refuses some questions, and all while it is ``ill``."""

    ill = False

    async def _view(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        if self.ill or len(self.asked) % 4 == 0:
            return web.json_response({"error": {"message": "wrong key"}}, status=401)
        answer = await self._ok(request)
        body = json.loads(answer.text or "")
        body["usage"] = {"prompt_tokens": 100 + len(self.asked) % 17, "completion_tokens": len(self.asked) % 5}
        return web.json_response(body)


class TownClock:
    """Stands still but for a thousandth of a second a look, so that no two conversations begin at the same moment."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment

    def wait(self, minutes: float) -> None:
        self.moment += timedelta(minutes=minutes)

    def next_day(self) -> None:
        self.moment = _opening(self.moment.astimezone(LONDON) + timedelta(days=1))


def _opening(day: datetime) -> datetime:
    return day.replace(hour=8, minute=30, second=0, microsecond=0).astimezone(UTC)


def bot_folder(folder: Path) -> Path:
    """The starter bot, with a price, work on weekends, and two ways to close a conversation."""
    for name in ("supportbot.yaml", "states.yaml", "handlers.yaml", "rules", "prompts"):
        source = starter_bot() / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    for name, changes in CHANGES.items():
        text = (folder / name).read_text("utf-8")
        for old, new in changes.items():
            assert text.count(old) == 1, f"{name} changed: {old!r}"
            text = text.replace(old, new)
        (folder / name).write_text(text, "utf-8")
    return folder


class Town:
    """``erased``: the records of sessions that were erased, as the store had them. ``done``: what happened, counted."""

    def __init__(self, folder: Path, model: Model, zoho: FakeZoho, seed: int) -> None:
        self.folder = bot_folder(folder)
        loaded = load_bot(self.folder)
        assert loaded.bot is not None, [str(item) for item in loaded.diagnostics]
        self.bot: Bot = loaded.bot
        self.model = model
        self.environment = {
            **zoho.environment(),
            "SUPPORTBOT_LLM_MODEL": "openai/test",
            "SUPPORTBOT_LLM_API_BASE": model.base,
            "OPENAI_API_KEY": "a key",
        }
        self.chance = random.Random(seed)
        self.clock = TownClock(_opening(datetime.now(LONDON) - timedelta(days=DAYS + 1)))
        self.store = self.folder / "data" / "sessions.db"
        self.erased: list[tuple[Any, ...]] = []
        self.done: Counter[str] = Counter()
        self.known: dict[str, Session] = {}
        self.crowd: list[str] = []
        self.numbers = iter(range(10**9))
        self.problems = _problems(self.bot)

    @contextlib.asynccontextmanager
    async def awake(self) -> AsyncIterator[Wiring]:
        """The bot with everything around it, as one process has it."""
        wiring = wire(Start(self.bot, self.folder, state_of(self.folder)), self.environment, keep=1_000)
        wiring.conversations.clock = self.clock
        worker = asyncio.create_task(wiring.worker.run())
        try:
            yield wiring
            await settled(wiring)
        finally:
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker
            await wiring.close()

    async def day(self, wiring: Wiring, turns: int) -> None:
        """So many turns within the office hours, then a night in which everybody is silent."""
        ends = self.done["turns"] + turns
        while self.done["turns"] < ends:
            await self.moment(wiring)
        await self.night(wiring)

    async def moment(self, wiring: Wiring) -> None:
        """One turn of each in the crowd; a few of them leave, others come."""
        self.crowd = [name for name in self.crowd if self.chance.random() > 0.08]
        while len(self.crowd) < CROWD:
            back = self.known and self.chance.random() < 0.2
            name = self.chance.choice(list(self.known)) if back else f"visitor-{next(self.numbers)}"
            if name not in self.crowd:
                self.crowd.append(name)
        await asyncio.gather(*(self.turn(wiring, name) for name in self.crowd))
        self.clock.wait(self.chance.choice((0, 0.5, 2, 3)))
        if self.chance.random() < 0.1:
            await sweep(wiring.conversations)

    async def night(self, wiring: Wiring) -> None:
        await settled(wiring)
        self.clock.wait(45)
        if self.chance.random() < 0.5:  # else those who come back in the morning find their conversation open
            await sweep(wiring.conversations)
        self.clock.next_day()

    async def leave(self, wiring: Wiring) -> None:
        """Everybody is silent until all conversations are over."""
        await settled(wiring)
        self.clock.wait(45)
        await sweep(wiring.conversations)

    def quiet_moment(self) -> float:
        """A moment before the last day, in seconds of the epoch: no record is near it."""
        now = datetime.now(UTC)
        return (now - timedelta(hours=self.quiet_hours(now))).timestamp()

    def quiet_hours(self, now: datetime | None = None) -> int:
        """How many hours ago that was."""
        last_opening = _opening(self.clock.moment.astimezone(LONDON))
        return int(((now or datetime.now(UTC)) - last_opening).total_seconds() // 3600) + 28

    async def turn(self, wiring: Wiring, name: str) -> None:
        talks, dice = wiring.conversations, self.chance.random()
        if dice < 0.004:
            await self.erase(wiring, name)
        elif dice < 0.012:
            self.done["reset"] += await talks.reset(name)
            self.known.pop(name, None)
        number = next(self.numbers)
        channel = "salesiq" if ord(name[-1]) % 2 else "chat"
        visitor = {"name": "Jane Roe", "email": "jane@example.com"} if dice < 0.5 else {}
        said = Message(f"m{number}", name, self.words(name), channel, self.clock.now(), visitor)
        delivery = Delivery()
        if self.chance.random() < 0.02 and delivery.postpone(("Show me",)):
            self.done["late"] += 1
        greets = self.chance.random() < 0.02
        answer = await talks.answer(said, f"r{number}", lambda _: b"{}", greets=greets, delivery=delivery)
        assert answer.result is not None
        self.known[name] = answer.result.session
        self.done["turns"] += 1
        if self.chance.random() < 0.03:
            again = await talks.answer(said, f"r{number}", lambda _: b"{}", delivery=Delivery())
            assert again.result is None
            self.done["repeated"] += 1
        if channel == "salesiq" and answer.result.reply.handoff is not None and self.chance.random() < 0.3:
            await talks.aside(said, self.bot.settings.handover_failed)
            self.done["nobody took over"] += 1

    def words(self, name: str) -> str:
        """What the visitor of that session says next."""
        dice, session = self.chance.random(), self.known.get(name)
        if self.model.ill:
            return self.chance.choice(UNKNOWN)
        if session is not None and session.offered and session.undelivered:
            return session.offered[0]
        if session is not None and session.form is not None and dice < 0.85:
            return ANSWERS.get(session.form.asking or "", "yes")
        if dice < 0.5:
            return self.chance.choice(self.problems)
        return self.chance.choice(UNKNOWN) if dice > 0.985 else self.chance.choice(GOES_ON)

    async def erase(self, wiring: Wiring, name: str) -> None:
        self.keep_records(name)
        self.done["erased"] += await wiring.conversations.erase(name)
        self.known.pop(name, None)

    def keep_records(self, name: str) -> None:
        with contextlib.closing(sqlite3.connect(self.store)) as store:
            self.erased += store.execute("SELECT * FROM records WHERE session_id = ?", (name,)).fetchall()

    async def morning_over_http(self, wiring: Wiring, turns: int) -> None:
        """So many turns over the server's own addresses."""
        options = ServerOptions()
        app = create_app(wiring.conversations, options, wiring.push, wiring.beside)
        async with listening(app, options) as (port, client):
            caller = Caller(self, f"http://127.0.0.1:{port}", client)
            while turns > 0:
                await asyncio.gather(*(caller.visit(f"{next(self.numbers)}") for _ in range(CROWD)))
                turns -= CROWD * Caller.TURNS
                self.clock.wait(self.chance.choice((1, 5)))
            await wiring.beside.alerting.flush() if wiring.beside.alerting is not None else None


class Caller:
    TURNS = 4  # of a visit

    def __init__(self, town: Town, url: str, client: aiohttp.ClientSession) -> None:
        self.town, self.url, self.client = town, url, client

    async def visit(self, name: str) -> None:
        town = self.town
        on_salesiq = town.chance.random() < 0.5
        for _ in range(self.TURNS):
            number = next(town.numbers)
            text = town.words(name)
            if on_salesiq:
                body = salesiq_message(text, name, f"r{number}")
            else:
                body = {"session_id": f"http-{name}", "message": text, "message_id": f"m{number}"}
            path = "/webhook/salesiq" if on_salesiq else "/chat"
            first = await self.post(path, body)
            town.done["turns"] += 1
            if town.chance.random() < 0.05:
                assert await self.post(path, body) == first
                town.done["repeated"] += 1
            if first.get("action") == "forward":
                failed = {"handler": "failure", "cause": {"code": 1001}, "failed_response": {"action": "forward"}}
                more = {"visitor": body["visitor"], "request": {"id": f"f{number}"}}
                await self.post(path, {**failed, **more})
                town.done["nobody took over"] += 1
        session = f"siq_{name}" if on_salesiq else f"http-{name}"
        dice = town.chance.random()
        if dice < 0.05:
            town.keep_records(session)
            async with self.client.delete(f"{self.url}/sessions/{session}") as answer:
                town.done["erased"] += answer.status == 200
        elif dice < 0.1 and not on_salesiq:
            await self.post(f"/reset/{session}", {})
            town.done["reset"] += 1

    async def post(self, path: str, body: object) -> dict[str, Any]:
        async with self.client.post(self.url + path, json=body) as answer:
            shown: dict[str, Any] = await answer.json()
            assert answer.status == 200, shown
            shown.pop("request_id", None)
            return shown


ANSWERS = {
    "summary": "The printer smokes",
    "details": "It began today",
    "email": "jane@example.com",
    "name": "Jane Roe",
    "phone": "020 7946 0000",
    "call_time": "tomorrow at 4",
}


def _problems(bot: Bot) -> list[str]:
    """What the examples of all rules say."""
    rules = [*bot.guides.values(), *bot.handlers]
    return [rule.examples.match[0].text for rule in rules if rule.examples.match]


async def settled(wiring: Wiring, seconds: float = 30.0) -> None:
    """Wait until every queued call has ended and its conversation knows."""
    outbox = wiring.store.outbox
    async with asyncio.timeout(seconds):
        while await outbox.listed(("waiting",), 1) or await outbox.untold(datetime.now(UTC).timestamp(), 1):
            await asyncio.sleep(0.02)
