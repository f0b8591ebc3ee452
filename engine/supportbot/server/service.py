"""What all views share: the conversations, the options, and the turns in work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from aiohttp import web

from supportbot.decision.conclude import GREETING, start_session, welcome
from supportbot.errors import SettingsError
from supportbot.model.bot import Bot
from supportbot.model.decision import CallAction, CallModel, Outcome, Reply
from supportbot.model.session import Message, Turn
from supportbot.model.steps import Step
from supportbot.runtime.attempt import Asked
from supportbot.runtime.conversation import Over
from supportbot.runtime.delivery import Delivery, Push
from supportbot.runtime.metrics import Metrics
from supportbot.runtime.ports import Clock, Model, Store
from supportbot.runtime.rates import Rates
from supportbot.runtime.results import Answer, Render, TurnResult
from supportbot.server import logs
from supportbot.server.deadlines import Deadlines
from supportbot.server.observing import Beside
from supportbot.server.options import ServerOptions, is_loopback
from supportbot.server.salesiq_channel import Channel, read_channel
from supportbot.server.turns import GOES_ON, CallersTurn, Told

T = TypeVar("T")
MOMENT = 0.01  # seconds between two looks whether the last turns are stored


class Conversing(Protocol):
    """What the server needs of the runtime's conversations. ``bot`` may change between two requests."""

    @property
    def bot(self) -> Bot: ...
    @property
    def store(self) -> Store: ...
    @property
    def model(self) -> Model: ...
    @property
    def clock(self) -> Clock: ...
    def at_once(self, asked: Asked, over: Over) -> bool: ...
    async def answer(
        self,
        message: Message,
        request_id: str,
        render: Render,
        *,
        greets: bool = False,
        delivery: Delivery | None = None,
    ) -> Answer: ...
    async def aside(
        self, message: Message, steps: Sequence[Step], request_id: str = "", delivery: Delivery | None = None
    ) -> TurnResult: ...
    async def reset(self, session_id: str) -> bool: ...
    async def erase(self, session_id: str) -> bool: ...


class Service:
    """Neither a deadline nor a caller who hangs up cuts a turn in half: it is the store's already (``at_once``), or a
    task of its own."""

    def __init__(
        self,
        conversations: Conversing,
        options: ServerOptions,
        push: Push | None = None,
        beside: Beside | None = None,
    ) -> None:
        """Raises SettingsError for a channel whose callers could not be told from others."""
        self.conversations = conversations
        self.options = options
        self.push = push
        self._channel = (self.bot.revision, read_channel(self.bot.settings.salesiq, options.environment))
        self.draining = False
        self.beside = beside or Beside()
        self.sessions, self.addresses = Rates(), Rates()
        self._work: set[asyncio.Task[object]] = set()
        self.at_once = 0  # turns in work without a task
        self.deadlines = Deadlines()

    @property
    def bot(self) -> Bot:
        return self.conversations.bot

    @property
    def metrics(self) -> Metrics:
        return self.beside.metrics

    @property
    def in_work(self) -> int:
        return len(self._work) + self.at_once

    @property
    def channel(self) -> Channel:
        """SalesIQ as the bot of this moment describes it. Settings that cannot be used leave the last good ones."""
        revision, known = self._channel
        bot = self.bot
        if revision != bot.revision:
            try:
                known = read_channel(bot.settings.salesiq, self.options.environment)
            except SettingsError as failure:
                logs.log(logging.ERROR, "the channel's old settings stay", channel="salesiq", detail=str(failure))
            self._channel = (bot.revision, known)
        return known

    @property
    def reply_deadline(self) -> float:
        """Seconds in which SalesIQ gets an answer."""
        return min(self.channel.settings.reply_deadline, self.options.limits.salesiq_seconds)

    def now(self) -> datetime:
        return self.conversations.clock.now()

    def greeting(self, message: Message) -> Reply:
        """What a conversation would begin with, without beginning one: nothing is stored."""
        bot, now = self.bot, self.now()
        session = start_session(bot, message.session_id, now, message.channel)
        return welcome(bot, Turn(session, message, now)).reply

    def wait_for_session(self, session_id: str) -> float:
        """Seconds after which the session may write again; 0.0 for now."""
        wait = self.sessions.wait(session_id, self.bot.settings.operations.session_rate)
        if wait:
            self.metrics.count(self.metrics.refused, "session_rate")
        return wait

    def wait_for_address(self, address: str) -> float:
        """The same for a network address. This machine's own is not counted: a proxy here speaks for everybody."""
        if not address or is_loopback(address):
            return 0.0
        wait = self.addresses.wait(address, self.bot.settings.operations.address_rate)
        if wait:
            self.metrics.count(self.metrics.refused, "address_rate")
        return wait

    def is_full(self) -> bool:
        """Whether so many turns are in work that no other should begin."""
        full = self.in_work >= self.bot.settings.operations.turns
        if full:
            self.metrics.count(self.metrics.refused, "turns")
        return full

    async def answer(
        self, message: Message, render: Render, *, greets: bool = False, delivery: Delivery | None = None
    ) -> Answer:
        """One turn, noted and logged. Started (``start``) it outlives its caller."""
        talk, request_id = self.conversations.answer, logs.REQUEST_ID.get()
        try:
            answer = await talk(message, request_id, render, greets=greets, delivery=delivery)
        except Exception as failure:
            self.failed(message.channel, failure)
            raise
        self.note(message.channel, answer)
        return answer

    def turn(self, message: Message, render: Render, deadline: float, told: Told, *, greets: bool = False) -> None:
        """One turn, noted and logged. ``told`` hears how it ended, or at ``deadline`` (loop time) that it goes on."""
        CallersTurn(self, Asked(message, logs.REQUEST_ID.get(), greets, None, render), told).begin(deadline)

    # --- what turns need (turns.py) ------------------------------------------------------------

    def begin_at_once(self, asked: Asked, over: Over) -> bool:
        return self.conversations.at_once(asked, over)

    def answer_slowly(self, asked: Asked) -> Coroutine[None, None, Answer]:
        assert asked.render is not None
        return self.answer(asked.message, asked.render, greets=asked.greets)

    def note(self, channel: str, answer: Answer) -> None:
        self.beside.answered(channel, answer)
        if answer.result is not None:
            self.observe(answer.result)
        else:
            logs.log(logging.INFO, "repeated message")

    def failed(self, channel: str, failure: Exception) -> None:
        self.beside.turn_failed(channel, failure)

    def start(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """Work that is finished even when nobody waits for it any more."""
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def wait(self, task: asyncio.Task[T], deadline: float) -> T:
        """The result of started work. Raises TimeoutError at ``deadline`` (loop time); the work goes on."""
        try:
            await self.deadlines.wait(task, deadline)
        finally:
            if not task.done():
                logs.log(logging.WARNING, GOES_ON)
                task.add_done_callback(_report)
        return task.result()

    def observe(self, result: TurnResult) -> None:
        """Note and log a turn."""
        self.beside.turn(self.bot, result)
        _log_turn(result)

    async def finish_work(self) -> None:
        """Wait for the turns in work, at most the grace time; then they are cancelled."""
        seconds = asyncio.get_running_loop().time
        ends = seconds() + self.options.limits.grace
        while self.at_once and seconds() < ends:
            await asyncio.sleep(MOMENT)
        if not self._work:
            return
        _, late = await asyncio.wait(self._work, timeout=max(0.0, ends - seconds()))
        for task in late:
            task.cancel()
        if late:
            logs.log(logging.WARNING, "turns cancelled at shutdown", count=len(late))
            await asyncio.wait(late, timeout=1)


SERVICE: web.AppKey[Service] = web.AppKey("service", Service)


def _report(task: asyncio.Task[T]) -> None:
    """A turn that nobody waits for any more must not fail in silence."""
    if not task.cancelled() and (failure := task.exception()):
        logs.log_failure("late turn failed", failure)


def _log_turn(result: TurnResult) -> None:
    decision, session, record, outcomes = result.decision, result.session, result.record, result.outcomes
    facts: dict[str, object] = {
        "handler": decision.handler if decision else GREETING,
        "kind": decision.kind if decision else "",
        "category": session.category,
        "state": record.state if record else "",
        "next_state": session.state,
        "actions": called_actions(outcomes) if outcomes else (),
        "turn": session.turns,
    }
    for outcome in outcomes:
        if isinstance(outcome.effect, CallModel):
            facts["model"] = outcome.model
            facts["tokens"] = outcome.tokens_in + outcome.tokens_out
    if errors := [outcome.error for outcome in outcomes if outcome.error]:
        facts["errors"] = errors
    if record:
        facts["seconds"] = round(record.elapsed, 4)
    logs.log(logging.INFO, "decided", **facts)


def called_actions(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.effect.action for outcome in outcomes if isinstance(outcome.effect, CallAction)]
