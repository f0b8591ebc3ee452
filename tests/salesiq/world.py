"""The small bot of this folder behind a real server: its clock stands still unless a test moves it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from tests.runtime.fakes import FakeClock, FakeModel
from tests.server.world import listening

from supportbot.adapters.local_actions import LocalActions
from supportbot.adapters.memory_store import MemoryStore
from supportbot.compiler.compile import load_bot
from supportbot.model.bot import Bot
from supportbot.runtime.conversation import Conversations
from supportbot.runtime.delivery import Push
from supportbot.runtime.ports import Model, Store
from supportbot.server.app import create_app
from supportbot.server.options import ServerOptions

HERE = Path(__file__).parent
Post = Callable[..., Awaitable[dict[str, Any]]]


@cache
def salesiq_bot() -> Bot:
    compiled = load_bot(HERE / "bot")
    assert compiled.bot is not None, [str(item) for item in compiled.diagnostics]
    return compiled.bot


def changed(**settings: object) -> Bot:
    """The bot with other settings of the channel."""
    bot = salesiq_bot()
    channel = replace(bot.settings.salesiq, **settings)  # type: ignore[arg-type]
    return replace(bot, settings=replace(bot.settings, salesiq=channel))


def message(
    text: object, conversation: str = "430872000002553007", request: str = "", **visitor: object
) -> dict[str, Any]:
    return {
        "handler": "message",
        "operation": "message",
        "org_id": "55778119",
        "message": {"text": text},
        "attachments": [],
        "visitor": {"active_conversation_id": conversation, "channel": "Website", **visitor},
        "request": {"id": request or f"r-{conversation}-{text}"[:100].replace(" ", "-")},
    }


class World:
    """A running server. ``post`` gives the body of a 200."""

    def __init__(self, port: int, client: Any, talks: Conversations, clock: FakeClock) -> None:
        self.url = f"http://127.0.0.1:{port}/webhook/salesiq"
        self.client = client
        self.talks = talks
        self.clock = clock

    async def post(self, payload: object, **more: Any) -> dict[str, Any]:
        async with self.client.post(self.url, json=payload, **more) as answer:
            body: dict[str, Any] = await answer.json()
            assert answer.status == 200, body
            return body


def run(
    test: Callable[[World], Awaitable[None]],
    bot: Bot | None = None,
    model: Model | None = None,
    store: Store | None = None,
    push: Push | None = None,
    at: datetime | None = None,
    options: ServerOptions | None = None,
) -> None:
    """Run a test's coroutine against a server of its own."""

    async def inside() -> None:
        clock, chosen = FakeClock(), options or ServerOptions()
        clock.moment = at or clock.moment
        talks = Conversations(bot or salesiq_bot(), store or MemoryStore(), model or FakeModel(), LocalActions(), clock)
        async with AsyncExitStack() as stack:
            port, client = await stack.enter_async_context(listening(create_app(talks, chosen, push), chosen))
            await test(World(port, client, talks, clock))

    asyncio.run(inside())
