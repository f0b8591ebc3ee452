"""What the runtime needs from the outside world. Adapters implement these; tests have fakes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from supportbot.errors import StoreError
from supportbot.model.bot import Action, Bot
from supportbot.model.session import Session, SlotValue


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a prompt, as chat models take it."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A model's answer. ``error``: empty when it is usable, else off, timeout, rate_limited, failed, empty."""

    text: str = ""
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    error: str = ""


class Model(Protocol):
    """Any LLM. Never raises: whatever goes wrong is an ``error`` of the answer."""

    @property
    def configured(self) -> bool: ...

    async def answer(self, messages: Sequence[ChatMessage]) -> ModelAnswer:
        """Answer within the settings' deadline."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What a declared call gave. ``values``: slots saved from the answer. ``error`` as in ModelAnswer."""

    ok: bool
    values: Mapping[str, SlotValue]
    error: str = ""


class Actions(Protocol):
    """Runs declared actions. Never raises."""

    async def run(self, bot: Bot, action: Action, scope: Mapping[str, object]) -> ActionResult: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Record:
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


class Conflict(StoreError):
    """Somebody else went on with the session since it was loaded; nothing was written."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id!r} was changed by another process meanwhile; send the message again")


class Store(Protocol):
    """Sessions and decision records. Raises StoreError only.

    A committed session carries the loaded one's ``version`` plus one; any other version is a Conflict.
    A session that the store does not know yet may carry any version.
    """

    async def load(self, session_id: str) -> Session | None: ...

    async def commit(self, session: Session, record: Record | None) -> None:
        """Write both in one transaction; on return they survive a crash."""
        ...

    async def delete(self, session_id: str) -> bool:
        """Forget a session and its records."""
        ...

    async def active(self, since: datetime) -> int:
        """Sessions with a turn since then that are not closed."""
        ...

    async def close(self) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime:
        """The current moment, aware, in UTC."""
        ...
