"""What all views share: the conversations, the options, and the turns in work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextvars import copy_context
from datetime import datetime
from typing import Protocol, TypeVar

from aiohttp import web

from supportbot.decision.conclude import GREETING, start_session, welcome
from supportbot.errors import SettingsError
from supportbot.model.bot import Bot
from supportbot.model.decision import CallAction, CallModel, Reply
from supportbot.model.session import Message, Turn
from supportbot.model.steps import Step
from supportbot.runtime.attempt import Asked
from supportbot.runtime.conversation import Over
from supportbot.runtime.delivery import Delivery, Push
from supportbot.runtime.metrics import Metrics
from supportbot.runtime.ports import Clock, Conflict, Model, Store
from supportbot.runtime.rates import Rates
from supportbot.runtime.results import Answer, Render, TurnResult
from supportbot.server import logs
from supportbot.server.deadlines import Deadlines
from supportbot.server.observing import Beside
from supportbot.server.options import ServerOptions, is_loopback
from supportbot.server.salesiq_channel import Channel, read_channel

T = TypeVar("T")
GOES_ON = "turn goes on without its caller"
MOMENT = 0.01  # seconds


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
    """Turns run as tasks of their own, so that neither a deadline nor a caller who hangs up cuts one in half."""

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
        self._at_once = 0  # turns in work without a task
        self._deadlines = Deadlines()

    @property
    def bot(self) -> Bot:
        return self.conversations.bot

    @property
    def metrics(self) -> Metrics:
        return self.beside.metrics

    @property
    def in_work(self) -> int:
        return len(self._work) + self._at_once

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
            self.beside.turn_failed(message.channel, failure)
            raise
        self._note(message.channel, answer)
        return answer

    def _note(self, channel: str, answer: Answer) -> None:
        self.beside.answered(channel, answer)
        if answer.result is not None:
            self.observe(answer.result)
        else:
            logs.log(logging.INFO, "repeated message")

    async def turn(self, message: Message, render: Render, deadline: float, *, greets: bool = False) -> Answer:
        """One turn, noted and logged. Raises TimeoutError at ``deadline`` (loop time); the turn goes on.

        Most turns wait for their commit only, and then there is no task to be made for them.
        """
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        context = copy_context()

        def over(answered: Answer, failure: Exception | None) -> None:
            self._at_once -= 1
            context.run(self._over, message.channel, answered, failure, waiter)

        try:
            begun = self.conversations.at_once(Asked(message, logs.REQUEST_ID.get(), greets, None, render), over)
        except Exception as failure:
            self.beside.turn_failed(message.channel, failure)
            raise
        if not begun:
            return await self.wait(self.start(self.answer(message, render, greets=greets)), deadline)
        self._at_once += 1
        try:
            return await self._deadlines.wait(waiter, deadline)
        except Conflict:  # another process went on with the session meanwhile
            return await self.wait(self.start(self.answer(message, render, greets=greets)), deadline)
        except (TimeoutError, asyncio.CancelledError):
            logs.log(logging.WARNING, GOES_ON)
            raise

    def _over(self, channel: str, answer: Answer, failure: Exception | None, waiter: asyncio.Future[Answer]) -> None:
        """A turn that was begun at once is committed, or not."""
        if failure is None:
            self._note(channel, answer)
            if not waiter.done():
                waiter.set_result(answer)
            return
        if not isinstance(failure, Conflict):
            self.beside.turn_failed(channel, failure)
        if waiter.done():
            logs.log_failure("late turn failed", failure)
        else:
            waiter.set_exception(failure)

    def start(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """Work that is finished even when nobody waits for it any more."""
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def wait(self, task: asyncio.Task[T], deadline: float) -> T:
        """The result of started work. Raises TimeoutError at ``deadline`` (loop time); the work goes on."""
        try:
            await self._deadlines.wait_for_task(task, deadline)
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
        while self._at_once and seconds() < ends:
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
    decision, record = result.decision, result.record
    facts: dict[str, object] = {
        "handler": decision.handler if decision else GREETING,
        "kind": decision.kind if decision else "",
        "category": result.session.category,
        "state": record.state if record else "",
        "next_state": result.session.state,
        "actions": called_actions(result),
        "turn": result.session.turns,
    }
    for outcome in result.outcomes:
        if isinstance(outcome.effect, CallModel):
            facts |= {"model": outcome.model, "tokens": outcome.tokens_in + outcome.tokens_out}
    errors = [outcome.error for outcome in result.outcomes if outcome.error]
    if errors:
        facts["errors"] = errors
    if record:
        facts["seconds"] = round(record.elapsed, 4)
    logs.log(logging.INFO, "decided", **facts)


def called_actions(result: TurnResult) -> list[str]:
    return [outcome.effect.action for outcome in result.outcomes if isinstance(outcome.effect, CallAction)]
