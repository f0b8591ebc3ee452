"""Fakes that mirror the ports."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from supportbot.adapters.local_actions import LocalActions
from supportbot.adapters.memory_store import MemoryStore
from supportbot.model.bot import Action, Bot
from supportbot.model.session import Message
from supportbot.runtime.conversation import Conversations
from supportbot.runtime.ports import ActionResult, Actions, ChatMessage, Model, ModelAnswer, Store

MONDAY = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)


class FakeClock:
    def __init__(self) -> None:
        self.moment = MONDAY

    def now(self) -> datetime:
        return self.moment

    def wait(self, **length: float) -> None:
        self.moment += timedelta(**length)


class FakeModel:
    """Gives ``answers`` in their order, the last one again and again; an exception is raised, a number slept."""

    def __init__(self, *answers: ModelAnswer | Exception | float) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[ChatMessage, ...]] = []

    @property
    def configured(self) -> bool:
        return bool(self.answers)

    async def answer(self, messages: Sequence[ChatMessage]) -> ModelAnswer:
        self.asked.append(tuple(messages))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return ModelAnswer("late")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        return None


class FakeActions:
    def __init__(self, result: ActionResult | Exception | float) -> None:
        self.result = result
        self.scopes: list[Mapping[str, object]] = []

    async def run(self, bot: Bot, action: Action, scope: Mapping[str, object]) -> ActionResult:
        self.scopes.append(scope)
        if isinstance(self.result, float):
            await asyncio.sleep(self.result)
            return ActionResult(True, {})
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    async def close(self) -> None:
        return None


def conversations(
    bot: Bot,
    store: Store | None = None,
    model: Model | None = None,
    actions: Actions | None = None,
    clock: FakeClock | None = None,
) -> Conversations:
    return Conversations(
        bot, store or MemoryStore(), model or FakeModel(), actions or LocalActions(), clock or FakeClock()
    )


def message(text: str, session_id: str = "s1", **visitor: str) -> Message:
    return Message("m1", session_id, text, "chat", MONDAY, visitor)
