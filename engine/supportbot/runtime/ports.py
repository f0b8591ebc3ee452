"""What the runtime needs from the outside world. Adapters implement these; tests have fakes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

from supportbot.errors import StoreError
from supportbot.model.bot import Action, Bot
from supportbot.model.session import Session, SlotValue
from supportbot.runtime.figures import Figures
from supportbot.runtime.queued import NO_CHANGES, CallChanges


class ChatMessage(Struct, frozen=True):
    """One message of a prompt, as chat models take it."""

    role: Literal["system", "user", "assistant"]
    content: str


class ModelAnswer(Struct, frozen=True):
    """A model's answer. ``error``: empty when it is usable, else a word of Outcome's."""

    text: str = ""
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    error: str = ""
    cost: float = 0.0


class Model(Protocol):
    """Any LLM. Never raises: whatever goes wrong is an ``error`` of the answer."""

    @property
    def configured(self) -> bool: ...

    async def answer(self, messages: Sequence[ChatMessage]) -> ModelAnswer:
        """Answer within the settings' deadline."""
        ...

    async def close(self) -> None: ...


class ActionResult(Struct, frozen=True):
    """What a declared call gave. ``values``: slots saved from the answer. ``error`` as in ModelAnswer."""

    ok: bool
    values: Mapping[str, SlotValue]
    error: str = ""


class Actions(Protocol):
    """Runs declared actions. Never raises."""

    async def run(self, bot: Bot, action: Action, scope: Mapping[str, object]) -> ActionResult: ...

    async def close(self) -> None: ...


class Record(Struct, frozen=True, gc=False):
    """The decision record of one turn, as kept in the store and written to the log."""

    id: str
    session_id: str
    message_id: str
    request_id: str
    at: datetime
    revision: str
    channel: str
    text: str  # masked
    reply: str  # masked
    state: str
    next_state: str
    category: str
    handler: str
    kind: str
    actions: tuple[str, ...] = ()
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    error: str = ""
    elapsed: float = 0.0  # seconds
    day: str = ""  # in the bot's time zone, e.g. 2026-11-23
    conversation: str = ""  # of the session: when it began; a session that was closed begins a new one
    opening: bool = False  # the first message of its conversation
    result: str = ""  # of a conversation that ends here: person, resolved, closed or abandoned
    cost: float = 0.0  # money that the model took
    saved: int = 0  # tokens that were not spent, against sending the whole knowledge


class StoredReply(Struct, frozen=True, gc=False):
    """The body that answered a message, kept under the message's id so that a repeated delivery gets the same.

    A reply under the same key that is not older than ``since`` makes the commit a Conflict.
    """

    key: str
    body: bytes
    at: datetime
    since: datetime


class Spent(Struct, frozen=True):
    """What the model took so far."""

    tokens: int = 0
    cost: float = 0.0


class SessionLine(Struct, frozen=True):
    """A session in a list. Nothing that the visitor said is in it."""

    id: str
    state: str
    category: str
    channel: str
    turns: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, session: Session) -> SessionLine:
        return cls(
            session.id,
            session.state,
            session.category,
            session.channel,
            session.turns,
            session.created_at,
            session.updated_at,
        )


class Conflict(StoreError):
    """Somebody else went on with the session since it was loaded; nothing was written."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id!r} was changed by another process meanwhile; send the message again")


Then = Callable[[Exception | None], None]  # told what went wrong, None for nothing


class Store(Protocol):
    """Sessions and decision records. Raises StoreError only.

    A committed session carries the loaded one's ``version`` plus one; any other version is a Conflict.
    A session that the store does not know yet may carry any version.
    """

    async def load(self, session_id: str) -> Session | None: ...

    async def commit(
        self,
        session: Session,
        record: Record | None,
        reply: StoredReply | None = None,
        ended: Record | None = None,
        changes: CallChanges = NO_CHANGES,
    ) -> None:
        """Write all of it in one transaction; on return it survives a crash.

        ``ended``: of the conversation before, when silence ended it since the last turn.
        """
        ...

    async def reply(self, session_id: str, key: str, since: datetime) -> bytes | None:
        """The body that answered that message of the session, when it was answered since then."""
        ...

    def at_hand(self, session_id: str, key: str) -> Session | None:
        """The session without waiting, when it is in memory and surely no reply is kept under ``key``."""
        ...

    def hand_in(
        self, session: Session, record: Record | None, reply: StoredReply, ended: Record | None, then: Then
    ) -> None:
        """Like ``commit``, of a session that was at hand. ``then`` is called in the event loop when it is over."""
        ...

    async def delete(self, session_id: str) -> bool:
        """Forget a session and its records."""
        ...

    async def active(self, since: datetime) -> int:
        """Sessions with a turn since then that are not closed."""
        ...

    async def sessions(self, since: datetime, limit: int) -> Sequence[SessionLine]:
        """Those sessions, the newest first."""
        ...

    async def idle(self, before: datetime, limit: int) -> Sequence[str]:
        """Ids of sessions that are not closed and had no turn since then, the oldest first."""
        ...

    async def purge(self, before: datetime, replies_before: datetime) -> int:
        """Remove some records and sessions from before the one moment, replies from before the other.

        How many; it is called again until it returns 0.
        """
        ...

    async def records(self, session_id: str) -> Sequence[Record]:
        """The decision records of one session, the oldest first."""
        ...

    async def figures(self, since: datetime | None = None) -> Figures:
        """The records since then, counted."""
        ...

    async def tallies(self) -> Mapping[tuple[str, str], float]:
        """The counters of runtime/tallies.py since the store was made."""
        ...

    async def spent(self, day: str, session_id: str) -> tuple[Spent, Spent]:
        """What the model took on that day (of all sessions), and for that session."""
        ...

    async def save_snapshot(self, revision: str, at: datetime, files: bytes) -> None:
        """Keep the files of a bot that works."""
        ...

    async def last_snapshot(self) -> bytes | None: ...

    async def close(self) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime:
        """The current moment, aware, in UTC."""
        ...
