"""A turn for a caller who is told how it ended, at the latest at a deadline. The turn itself always goes on to its end.

Most turns wait for their commit only (``Conversations.at_once``): for those there is neither a task nor a future.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, Protocol

from supportbot.runtime.attempt import Asked
from supportbot.runtime.conversation import Over
from supportbot.runtime.ports import Conflict
from supportbot.runtime.results import Answer
from supportbot.server import logs
from supportbot.server.deadlines import Deadlines

GOES_ON = "turn goes on without its caller"

Told = Callable[[Answer | BaseException], None]  # TimeoutError: at the deadline; CancelledError: the server stops


class Work(Protocol):
    """What turns need of the service."""

    deadlines: Deadlines
    at_once: int  # turns in work without a task

    def begin_at_once(self, asked: Asked, over: Over) -> bool: ...
    def start(self, work: Coroutine[None, None, Answer]) -> asyncio.Task[Answer]: ...
    def answer_slowly(self, asked: Asked) -> Coroutine[None, None, Answer]: ...
    def note(self, channel: str, answer: Answer) -> None: ...
    def failed(self, channel: str, failure: Exception) -> None: ...


class CallersTurn:
    """``told`` is called once, in the context in which this was made."""

    __slots__ = ("_asked", "_context", "_told", "_work")

    def __init__(self, work: Work, asked: Asked, told: Told) -> None:
        self._work = work
        self._asked = asked
        self._told: Told | None = told
        self._context = copy_context()

    def begin(self, deadline: float) -> None:
        """``deadline``: in loop time."""
        work = self._work
        try:
            begun = work.begin_at_once(self._asked, self._over)
        except Exception as failure:
            work.failed(self._asked.message.channel, failure)
            self._tell(failure)
            return
        if begun:
            work.at_once += 1
        else:
            self._start_task()
        work.deadlines.add(self, deadline)

    def late(self) -> None:
        self._context.run(self._leave)

    def _leave(self) -> None:
        if self._told is None:  # it ended in the moment of its deadline
            return
        logs.log(logging.WARNING, GOES_ON)
        self._tell(TimeoutError())

    def _over(self, answer: Answer, failure: Exception | None) -> None:
        self._work.at_once -= 1
        self._context.run(self._committed, answer, failure)

    def _committed(self, answer: Answer, failure: Exception | None) -> None:
        if failure is None:
            self._tell(answer)  # it is stored: whatever becomes of the notes, the caller has it
            self._work.note(self._asked.message.channel, answer)
        elif isinstance(failure, Conflict):  # another process went on with the session meanwhile
            self._start_task()
        else:
            self._work.failed(self._asked.message.channel, failure)
            self._tell(failure)

    def _start_task(self) -> None:
        self._work.start(self._work.answer_slowly(self._asked)).add_done_callback(self._task_over)

    def _task_over(self, task: asyncio.Task[Answer]) -> None:
        failure = asyncio.CancelledError() if task.cancelled() else task.exception()
        self._tell(task.result() if failure is None else failure)

    def _tell(self, end: Answer | BaseException) -> None:
        told, self._told = self._told, None
        if told is not None:
            self._work.deadlines.remove(self)
            told(end)
        elif isinstance(end, Exception):  # a turn that nobody waits for any more must not fail in silence
            logs.log_failure("late turn failed", end)


def settle(future: asyncio.Future[Any], end: object) -> None:
    """The end of a turn, for who waits for a future instead."""
    if future.done():
        return
    if isinstance(end, asyncio.CancelledError):
        future.cancel()
    elif isinstance(end, BaseException):
        future.set_exception(end)
    else:
        future.set_result(end)
