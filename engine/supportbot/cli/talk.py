"""One conversation in the terminal: what is said, what is answered, and why."""

from __future__ import annotations

import itertools
import re
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from supportbot.adapters.clock import SystemClock
from supportbot.adapters.local_actions import LocalActions
from supportbot.adapters.memory_store import MemoryStore
from supportbot.cli.terminal import Paint, columns, safe
from supportbot.model.bot import Bot
from supportbot.model.decision import CallAction, Candidate, Decision, Reply
from supportbot.model.session import Message
from supportbot.runtime.conversation import Conversations
from supportbot.runtime.ports import ChatMessage, Model, ModelAnswer
from supportbot.runtime.results import TurnResult

SESSION = "terminal"
YOU, BOT = "you> ", "bot> "
WIDEST = 100  # columns of running text
SHOWN_CANDIDATES = 6
_LIST_MARK = re.compile(r" *(?:[0-9]{1,2}[.)]|[-*\u2022]) ")  # of the bot's own texts only


class MovableClock:
    """The wall clock, moved by what ``/wait`` asked for."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return SystemClock().now() + self.ahead


class NoModel:
    """No model at all: the rules answer alone."""

    @property
    def configured(self) -> bool:
        return False

    async def answer(self, _messages: Sequence[ChatMessage]) -> ModelAnswer:
        return ModelAnswer(error="off")

    async def close(self) -> None:
        return None


@dataclass(slots=True)
class Talk:
    """A conversation with a bot whose store and actions live in memory only."""

    bot: Bot
    model: Model
    clock: MovableClock = field(default_factory=MovableClock)
    conversations: Conversations = field(init=False)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.conversations = Conversations(self.bot, MemoryStore(), self.model, LocalActions(), self.clock)

    def _message(self, text: str) -> Message:
        return Message(f"terminal-{next(self._numbers)}", SESSION, text, "terminal", self.clock.now())

    async def greet(self) -> TurnResult:
        return await self.conversations.begin(self._message(""))

    async def say(self, text: str) -> tuple[TurnResult, float]:
        """The turn, and how many seconds it took."""
        started = time.perf_counter()
        result = await self.conversations.take(self._message(text))
        return result, time.perf_counter() - started

    async def wait(self, seconds: float) -> TurnResult | None:
        """Let time pass; what the bot says to the silence, or None."""
        self.clock.ahead += timedelta(seconds=seconds)
        return await self.conversations.silence(SESSION)

    async def reset(self) -> None:
        await self.conversations.reset(SESSION)


# --- how it looks -------------------------------------------------------------------------


def show_reply(reply: Reply, paint: Paint) -> str:
    """The bot's side of a turn: texts, buttons, and what else happens."""
    blocks = []
    for part in reply.texts:
        blocks.append(_speech(part.text, paint))
        if part.suggestions:
            buttons = "   ".join(f"[ {safe(text)} ]" for text in part.suggestions)
            blocks.append(" " * len(BOT) + paint.note(buttons))
    if reply.handoff is not None:
        where = f" ({safe(reply.handoff.department)})" if reply.handoff.department else ""
        blocks.append(" " * len(BOT) + paint.doubtful(f"a person takes over{where}"))
    if reply.closed:
        blocks.append(" " * len(BOT) + paint.faint("the conversation is closed"))
    return "\n".join(blocks) or paint.faint(BOT + "(says nothing)")


def _speech(text: str, paint: Paint) -> str:
    room = max(30, min(columns(), WIDEST) - len(BOT))
    lines = [piece for line in safe(text, lines=True).split("\n") for piece in _wrapped(line, room)]
    first, *others = lines
    return "\n".join([paint.good(BOT) + first, *((" " * len(BOT) + line).rstrip() for line in others)])


def _wrapped(line: str, room: int) -> list[str]:
    """The line in pieces that fit; under a list's number or dash the text stands in a column of its own."""
    marker = _LIST_MARK.match(line)
    indent = " " * (marker.end() if marker else len(line) - len(line.lstrip()))
    return textwrap.wrap(line, room, subsequent_indent=indent, break_on_hyphens=False) or [""]


def show_why(decision: Decision, before: str, after: str, seconds: float, paint: Paint) -> str:
    """One faint line: which rule answered, and where the conversation went."""
    rule = f"{decision.kind} {decision.handler.removeprefix('form.')}"
    moved = before if before == after else f"{before} → {after}"
    return paint.faint(" " * len(BOT) + f"— {rule} · {decision.category} · {moved} · {seconds * 1000:.1f} ms")


def show_trace(result: TurnResult, paint: Paint) -> str:
    """Everything that led to the answer: how the message was read, the categories, the rules, the effects."""
    decision = result.decision
    if decision is None:
        return ""
    trace = decision.trace
    rows = [("read as", " ".join(trace.tokens) or "(no words)")]
    rows += [("typo", f"{typed} → {meant}") for typed, meant in trace.corrections]
    for score in trace.categories[:4]:
        rows.append(("category", f"{score.id}  {score.score:g}  {_words(score.evidence)}"))
    fired = [item for item in trace.candidates if item.fired]
    others = [item for item in trace.candidates if not item.fired and item.matched]
    rows += [("rule", _candidate(item)) for item in fired]
    rows += [("not", _candidate(item)) for item in others[:SHOWN_CANDIDATES]]
    if len(others) > SHOWN_CANDIDATES:
        rows.append(("not", f"and {len(others) - SHOWN_CANDIDATES} more"))
    for outcome in result.outcomes:
        name = f"action {outcome.effect.action}" if isinstance(outcome.effect, CallAction) else "model"
        rows.append(("effect", f"{name}: {'done' if outcome.ok else outcome.error}"))
    if trace.note:
        rows.append(("note", trace.note))
    return "\n".join(paint.faint(f"     {label:>8}  {safe(text)}") for label, text in rows)


def _candidate(item: Candidate) -> str:
    parts = [item.id, f"({item.kind}, priority {item.priority})", _words(item.matched)]
    if item.rejected:
        parts.append(f"— {item.rejected}")
    return " ".join(part for part in parts if part)


def _words(found: tuple[str, ...]) -> str:
    return " ".join(f'"{text}"' for text in found)
