"""How the reply of a turn reaches a visitor whose channel does not wait for it.

A caller that stops waiting says so here. The reply is then stored with the turn as owed, in the same commit: whatever
happens afterwards, it is the first thing of the next reply. When the channel can be written to, the reply is
pushed once, and no longer owed when that went well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec.structs import replace

from supportbot.model.decision import Handing, Reply, Suggested
from supportbot.model.session import Owed, Session
from supportbot.runtime.ports import Store

PushReply = Callable[[Session, Reply], Awaitable[bool]]


class Push(Protocol):
    """Writes to a visitor who is waiting for a reply. Never raises."""

    async def respond(self, request_id: str, body: dict[str, object]) -> bool:
        """Deliver the answer to that request; whether the channel took it. Tried once."""
        ...

    async def close(self) -> None: ...


class Delivery:
    """Of one turn. ``push`` None: nothing can be delivered later."""

    def __init__(self, push: PushReply | None = None) -> None:
        self.push = push
        self.late = False
        self.stored_late = False  # the commit of the turn knew it
        self.offered: tuple[str, ...] = ()  # the suggestions that were shown instead of the reply
        self._settled = False

    def postpone(self, offered: Sequence[str] = ()) -> bool:
        """The caller answers without the reply. False when the reply is there already: then it is to be given."""
        if self._settled:
            return False
        self.late, self.offered = True, tuple(offered)
        return True

    def settle(self) -> bool:
        """Whether the caller still waits; from now on the reply is its to give."""
        self._settled = not self.late
        return self._settled


def owing(session: Session, reply: Reply, delivery: Delivery | None) -> Session:
    """The session as it is stored: with the reply on top of what is owed, when nobody waits for it any more."""
    if delivery is None or not delivery.late:
        return session
    delivery.stored_late = True
    owed = tuple(Owed(part.text, part.suggestions, part.response) for part in reply.texts)
    if reply.handoff is not None:
        owed += (Owed("", handoff=True, department=reply.handoff.department),)
    return replace(session, undelivered=owed, offered=delivery.offered)


def owing_more(session: Session, reply: Reply) -> Session:
    """The session with one more reply that waits for the visitor's next message."""
    owed = tuple(Owed(part.text, part.suggestions, part.response) for part in reply.texts)
    return replace(session, undelivered=(*session.undelivered, *owed))


def paid(reply: Reply, owed: Sequence[Owed]) -> Reply:
    """A reply that begins with what was owed."""
    if not owed:
        return reply
    texts = tuple(Suggested(item.text, item.suggestions, item.response) for item in owed if item.text)
    handoff = next((Handing(item.department) for item in owed if item.handoff), None)
    return replace(reply, texts=(*texts, *reply.texts), handoff=reply.handoff or handoff)


async def deliver(store: Store, session: Session, reply: Reply, delivery: Delivery | None) -> Session:
    """After the commit, still inside the session's lock: nothing while the caller waits; else the reply is pushed.

    ``session``: as committed, but without what is owed. Returns what the store now has. Raises StoreError.
    The commit is part of what the caller waits for: a caller that left during it gets its reply as owed as well.
    """
    if delivery is None or delivery.settle():
        return session
    if not delivery.stored_late:
        session = replace(session, version=session.version + 1)
        await store.commit(owing(session, reply, delivery), None)
    if delivery.push is None or not await delivery.push(session, reply):
        return owing(session, reply, delivery)
    session = replace(session, version=session.version + 1)
    await store.commit(session, None)
    return session
