"""A small world for the server's tests: a bot, conversations that mirror the runtime's, and a real server on port 0."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from aiohttp import web
from msgspec.structs import replace

from supportbot.adapters.clock import SystemClock
from supportbot.diagnostics import Place
from supportbot.errors import StoreError
from supportbot.model.bot import (
    Action,
    Bot,
    Category,
    Connection,
    Examples,
    GuideFlow,
    Hours,
    Limits,
    ModelSettings,
    Settings,
)
from supportbot.model.decision import (
    CallAction,
    CallModel,
    Decision,
    Handing,
    Outcome,
    Reasons,
    Reply,
    Suggested,
)
from supportbot.model.graph import Graph, State
from supportbot.model.index import Index
from supportbot.model.session import Message, Session
from supportbot.model.steps import Step, Template
from supportbot.runtime.attempt import Asked
from supportbot.runtime.conversation import Over
from supportbot.runtime.delivery import Delivery
from supportbot.runtime.ports import ChatMessage, ModelAnswer, Record
from supportbot.runtime.results import Answer, Render, TurnResult
from supportbot.server import logs
from supportbot.server.app import create_app
from supportbot.server.options import ServerLimits, ServerOptions
from supportbot.server.protocol import Runner

PLACE = Place("supportbot.yaml")
REVISION = "0123456789abcdef"


def small_bot() -> Bot:
    """The smallest bot that a server can serve; nothing in it is ever decided."""
    llm = ModelSettings("", (), "", 8.0, 2, 500, 6000, 0.2, 8, None, (), (), MappingProxyType({}))
    hours = Hours(ZoneInfo("UTC"), MappingProxyType({}), frozenset())
    settings = Settings(
        "Test desk", "en", ("en",), "other", None, None, hours, Limits(), GuideFlow(None, None, ()), llm
    )
    state = State("greeting", "Greeting", False, (), PLACE)
    graph = Graph("greeting", MappingProxyType({"greeting": state}), (), MappingProxyType({}), MappingProxyType({}))
    other = Category("other", "Other", 50, 0, None, None, (), Examples(), PLACE)
    desk = Connection("desk", "https://desk.invalid", MappingProxyType({}), None, 10.0, PLACE)
    path = Template("/tickets", True, PLACE)
    ticket = Action("create_ticket", "desk", "POST", path, None, (), frozenset(), (), (), (), PLACE)
    return Bot(
        revision=REVISION,
        settings=settings,
        graph=graph,
        categories=MappingProxyType({"other": other}),
        guides=MappingProxyType({}),
        handlers=(),
        responses=MappingProxyType({}),
        forms=MappingProxyType({}),
        form_words=None,
        connections=MappingProxyType({"desk": desk}),
        actions=MappingProxyType({"create_ticket": ticket}),
        slots=frozenset(),
        index=Index(),
    )


class FakeStore:
    """A store that only counts; ``broken`` makes it fail, ``stuck`` makes it never answer."""

    def __init__(self) -> None:
        self.broken = False
        self.stuck = False

    async def load(self, session_id: str) -> Session | None:
        return None

    async def commit(self, session: Session, record: Record | None) -> None:
        pass

    async def delete(self, session_id: str) -> bool:
        return False

    async def active(self, since: datetime) -> int:
        if self.broken:
            raise StoreError("disk full")
        if self.stuck:
            await asyncio.Event().wait()
        return 3

    async def close(self) -> None:
        pass


@dataclass
class FakeModel:
    configured: bool = False

    async def answer(self, messages: Sequence[ChatMessage]) -> ModelAnswer:
        return ModelAnswer(error="off")

    async def close(self) -> None:
        pass


@dataclass
class FakeConversations:
    """Answers by the message's first word; ``gate`` holds back the turns that say "slow"."""

    bot: Bot = field(default_factory=small_bot)
    store: FakeStore = field(default_factory=FakeStore)
    model: FakeModel = field(default_factory=FakeModel)
    clock: SystemClock = field(default_factory=SystemClock)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    messages: list[Message] = field(default_factory=list)
    begun: list[Message] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)

    async def begin(self, message: Message, request_id: str = "") -> TurnResult:
        self.begun.append(message)
        return TurnResult(self._session(message), says("Welcome!", "Printer", "Password"), None, (), None)

    async def take(self, message: Message, request_id: str = "") -> TurnResult:
        self.messages.append(message)
        self.request_ids.append(request_id)
        word = message.text.split()[0] if message.text.split() else ""
        if word == "slow":
            await self.gate.wait()
        if word == "boom":
            raise RuntimeError(f"secret detail: {message.text}")
        if word == "disk":
            raise StoreError("disk full")
        session = self._session(message)
        self.finished.append(message.session_id)
        decision = Decision("echo", "handler", "other", None, session.state, session, (), (), Reasons())
        return TurnResult(session, self._reply(word, message.text), decision, self._outcomes(word), None)

    def at_once(self, asked: Asked, over: Over) -> bool:
        return False

    async def answer(
        self,
        message: Message,
        request_id: str,
        render: Render,
        *,
        greets: bool = False,
        delivery: Delivery | None = None,
    ) -> Answer:
        result = await (self.begin(message, request_id) if greets else self.take(message, request_id))
        if delivery is not None and not delivery.settle() and delivery.push is not None:
            await delivery.push(result.session, result.reply)
        return Answer(render(result), result)

    async def aside(
        self, message: Message, steps: Sequence[Step], request_id: str = "", delivery: Delivery | None = None
    ) -> TurnResult:
        return TurnResult(self._session(message), says("Nobody is free"), None, (), None)

    async def reset(self, session_id: str) -> bool:
        return self.sessions.pop(session_id, None) is not None

    def _session(self, message: Message) -> Session:
        now = datetime.now(UTC)
        known = self.sessions.get(message.session_id) or Session(message.session_id, "greeting", now, now)
        session = replace(known, turns=known.turns + 1, category="other")
        self.sessions[message.session_id] = session
        return session

    def _reply(self, word: str, text: str) -> Reply:
        if word == "person":
            return Reply((Suggested("Connecting", ("Never mind",)),), Handing("3465000000005"))
        if word == "anyone":
            return Reply((), Handing())
        if word == "bye":
            return Reply((Suggested("Goodbye then"),), closed=True)
        if word == "mute":
            return Reply(())
        if word == "two":
            return Reply((Suggested("First", ("a",)), Suggested("Second")))
        return says(f"You said: {text}", "Yes", "No")

    def _outcomes(self, word: str) -> tuple[Outcome, ...]:
        if word == "llm":
            return (Outcome(CallModel("other"), True, "ok", model="openai/test", tokens_in=40, tokens_out=2),)
        if word == "llmfail":
            return (Outcome(CallModel("other"), False, error="timeout"),)
        if word == "ticket":
            return (Outcome(CallAction("create_ticket"), True),)
        if word == "ticketfail":
            return (Outcome(CallAction("create_ticket"), False, error="failed"),)
        return ()


def says(text: str, *suggestions: str) -> Reply:
    return Reply((Suggested(text, suggestions),))


@dataclass
class World:
    """A running server: its conversations, its port, and a client that keeps no cookies."""

    conversations: FakeConversations
    app: web.Application
    port: int
    client: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def chat(self, message: object, **more: object) -> dict[str, Any]:
        async with self.client.post(f"{self.url}/chat", json={"message": message, **more}) as answer:
            data: dict[str, Any] = await answer.json()
            assert answer.status == 200, data
            return data

    async def salesiq(self, payload: object) -> dict[str, Any]:
        async with self.client.post(f"{self.url}/webhook/salesiq", json=payload) as answer:
            data: dict[str, Any] = await answer.json()
            assert answer.status == 200, data
            return data


@asynccontextmanager
async def serving(options: ServerOptions | None = None) -> AsyncIterator[World]:
    conversations = FakeConversations()
    chosen = options or ServerOptions()
    app = create_app(conversations, chosen)
    async with listening(app, chosen) as (port, client):
        try:
            yield World(conversations, app, port, client)
        finally:
            conversations.gate.set()


@asynccontextmanager
async def listening(app: web.Application, options: ServerOptions) -> AsyncIterator[tuple[int, aiohttp.ClientSession]]:
    """The app on a free port of loopback, and a client for it."""
    runner = Runner(app, options.limits)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession() as client:
            yield runner.addresses[0][1], client
    finally:
        await runner.cleanup()


def run(test: Callable[[World], Awaitable[None]], options: ServerOptions | None = None) -> None:
    """Run a test's coroutine against a server of its own."""

    async def inside() -> None:
        async with serving(options) as world:
            await test(world)

    asyncio.run(inside())
    logs.flush()


async def raw(port: int, data: bytes) -> bytes:
    """Send bytes as they are and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        await writer.drain()
        return await reader.read()
    finally:
        writer.close()


def quick(**more: Any) -> ServerOptions:
    """Options under which nothing is waited for longer than a moment."""
    short = ServerLimits(
        body_seconds=0.2,
        chat_seconds=0.2,
        salesiq_seconds=0.2,
        health_seconds=0.2,
        linger_seconds=0.2,
        drain=0.0,
        grace=5.0,
    )
    return ServerOptions(limits=short, **more)
