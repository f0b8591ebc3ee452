"""A side effect that was decided and is not done yet: kept in the store, in the same transaction as its turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from supportbot.model.session import SlotValue

CallState = Literal["waiting", "done", "dead", "dropped"]


@dataclass(frozen=True, slots=True)
class QueuedCall:
    """Times are seconds since 1970.

    ``id``: the reference of the action. ``scope``: what its templates may read, as it was when it was decided.
    ``chain``: the actions that it needs, itself last; ``step``: which of them comes next, ``values``: what the earlier
    ones saved. ``sent_at``: when the write of this step was last sent without its outcome being known; 0 when it
    surely did not happen. ``told``: the conversation knows how it ended.
    """

    id: str
    session_id: str
    action: str
    slots: Mapping[str, SlotValue]
    scope: Mapping[str, Any]
    chain: tuple[str, ...]
    created_at: float
    due_at: float
    state: CallState = "waiting"
    step: int = 0
    values: Mapping[str, SlotValue] = field(default_factory=dict)
    attempts: int = 0
    sent_at: float = 0.0
    finished_at: float = 0.0
    error: str = ""
    reason: str = ""
    told: bool = False


@dataclass(frozen=True, slots=True)
class CallChanges:
    """What a turn changes in the outbox: new calls, and calls whose end it tells."""

    added: tuple[QueuedCall, ...] = ()
    told: tuple[str, ...] = ()


NO_CHANGES = CallChanges()


class Outbox(Protocol):
    """Queued calls of all processes. Raises StoreError."""

    async def take(self, owner: str, now: float, until: float, limit: int) -> Sequence[QueuedCall]:
        """Waiting calls that are due and that nobody works on; they are the owner's until then."""
        ...

    async def keep(self, call: QueuedCall, owner: str, until: float) -> bool:
        """Store how a call stands; false when it is not the owner's any more. ``until`` 0 gives it back."""
        ...

    async def extend(self, owner: str, ids: Sequence[str], until: float) -> None:
        """Go on owning these."""
        ...

    async def untold(self, before: float, limit: int) -> Sequence[QueuedCall]:
        """Calls that ended before then and that their conversation does not know of."""
        ...

    async def mark_told(self, call_id: str) -> None: ...

    async def free(self, owners: Sequence[str]) -> None:
        """Give back what these owners, who are gone, worked on."""
        ...

    async def owners(self) -> Sequence[str]: ...

    async def shared(self, action: str, key: str, since: float) -> Mapping[str, SlotValue] | None:
        """What the same call saved since then, for ``once_for``."""
        ...

    async def reserve(self, action: str, key: str, owner: str, times: tuple[float, float, float]) -> bool:
        """Be the one who makes that call; false when somebody else is, or made it since the first of the times.

        ``times``: since when an answer counts, now, until when it is reserved.
        """
        ...

    async def share(self, action: str, key: str, values: Mapping[str, SlotValue], now: float) -> None: ...

    async def listed(self, states: Sequence[str], limit: int) -> Sequence[QueuedCall]: ...

    async def find(self, call_id: str) -> QueuedCall | None: ...

    async def revive(self, call_id: str, now: float) -> bool:
        """Let a dead call be tried again, or a waiting one at once."""
        ...

    async def drop(self, call_id: str, now: float) -> bool:
        """Never try it again. Who was not told how it ended hears that it failed."""
        ...
