"""One turn from end to end: session and message in, committed session, record and reply out."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime

from supportbot.decision.conclude import conclude, reset, welcome
from supportbot.decision.decide import decide
from supportbot.decision.timeouts import elapse
from supportbot.errors import StoreError
from supportbot.model.bot import Bot
from supportbot.model.decision import Conclusion, Decision, Outcome, Reply
from supportbot.model.session import Message, Session, Turn
from supportbot.runtime.effects import run_effects
from supportbot.runtime.locks import SessionLocks
from supportbot.runtime.opening import open_session
from supportbot.runtime.ports import Actions, Clock, Conflict, Model, Record, Store
from supportbot.runtime.records import build_record

_TRIES = 3  # when another process went on with the same session meanwhile


@dataclass(frozen=True, slots=True)
class TurnResult:
    """``decision`` is None for a greeting, ``record`` None where nothing was said by the visitor."""

    session: Session
    reply: Reply
    decision: Decision | None
    outcomes: tuple[Outcome, ...]
    record: Record | None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A session ready for a turn, and the version that the store knows."""

    session: Session
    version: int


class Conversations:
    """Takes messages, one at a time for each session. Raises StoreError only; then nothing of the turn was kept."""

    def __init__(self, bot: Bot, store: Store, model: Model, actions: Actions, clock: Clock) -> None:
        self.bot = bot  # may be exchanged between two turns; a turn reads it once
        self.store = store
        self.model = model
        self.actions = actions
        self.clock = clock
        self._locks = SessionLocks()

    async def take(self, message: Message, request_id: str = "") -> TurnResult:
        """Answer a message. On return the turn is stored."""
        bot = self.bot
        tries = 1
        async with self._locks.hold(message.session_id):
            while True:
                try:
                    return await self._take(bot, message, request_id)
                except Conflict:
                    if tries == _TRIES:
                        raise
                    tries += 1

    async def begin(self, message: Message, request_id: str = "") -> TurnResult:
        """Open a conversation without a question: the greeting."""
        bot = self.bot
        async with self._locks.hold(message.session_id):
            started, now = time.perf_counter(), self.clock.now()
            opened = await self._open(bot, message, now)
            turn = Turn(opened.session, _fitted(bot, message), now)
            conclusion = welcome(bot, turn)
            elapsed = time.perf_counter() - started
            record = build_record(bot, turn, None, (), conclusion, request_id, elapsed)
            return await self._keep(opened, conclusion, None, (), record)

    async def silence(self, session_id: str) -> TurnResult | None:
        """Let time-outs happen that are due now, and say what they say; None when none is."""
        bot = self.bot
        async with self._locks.hold(session_id):
            session = await self.store.load(session_id)
            passed = elapse(bot, session, self.clock.now()) if session is not None else None
            if session is None or passed is None:
                return None
            return await self._keep(_Opened(session, session.version), passed, None, (), None)

    async def reset(self, session_id: str) -> bool:
        """Start that conversation again; False when there is none."""
        bot = self.bot
        async with self._locks.hold(session_id):
            session = await self.store.load(session_id)
            if session is None:
                return False
            fresh = reset(bot, session, self.clock.now())
            await self.store.commit(replace(fresh, version=session.version + 1), None)
            return True

    async def _take(self, bot: Bot, message: Message, request_id: str) -> TurnResult:
        started, now = time.perf_counter(), self.clock.now()
        opened = await self._open(bot, message, now)
        turn = Turn(opened.session, _fitted(bot, message), now)
        decision = decide(bot, turn)
        outcomes = await run_effects(bot, turn, decision, self.model, self.actions)
        conclusion = conclude(bot, turn, decision, outcomes)
        record = build_record(bot, turn, decision, outcomes, conclusion, request_id, time.perf_counter() - started)
        try:
            return await self._keep(opened, conclusion, decision, outcomes, record)
        except Conflict as conflict:
            if decision.effects:  # done once already: the turn must not be tried again
                raise StoreError(f"session {message.session_id!r} was changed while its actions ran") from conflict
            raise

    async def _open(self, bot: Bot, message: Message, now: datetime) -> _Opened:
        """The stored session after what silence did to it, or a new one; a closed one begins anew under its id."""
        stored = await self.store.load(message.session_id)
        session = open_session(bot, stored, message.session_id, message.channel, now)
        return _Opened(session, stored.version if stored is not None else 0)

    async def _keep(
        self,
        opened: _Opened,
        conclusion: Conclusion,
        decision: Decision | None,
        outcomes: tuple[Outcome, ...],
        record: Record | None,
    ) -> TurnResult:
        session = replace(conclusion.session, version=opened.version + 1)
        await self.store.commit(session, record)
        return TurnResult(session, conclusion.reply, decision, outcomes, record)


def _fitted(bot: Bot, message: Message) -> Message:
    """The message cut to what is matched, with every text storable: lone surrogates cannot be written as UTF-8."""
    text = _storable(message.text[: bot.settings.limits.message_chars])
    visitor = {_storable(name): _storable(value) for name, value in message.visitor.items()}
    return replace(message, text=text, visitor=visitor)


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
