"""What becomes of a message."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from supportbot.model.decision import Decision, Outcome, Reply
from supportbot.model.session import Session
from supportbot.runtime.ports import Record


class TurnResult(Struct, frozen=True, gc=False):
    """``decision`` is None for a greeting, ``record`` None where nothing was said by the visitor.

    ``stages``: name and seconds of each part of the turn. ``revision``: of the bot that answered.
    """

    session: Session
    reply: Reply
    decision: Decision | None
    outcomes: tuple[Outcome, ...]
    record: Record | None
    stages: Sequence[tuple[str, float]] = ()
    revision: str = ""


Render = Callable[[TurnResult], bytes]


class Answer(Struct, frozen=True, gc=False):
    """The body for the channel. ``result`` is None for a message that was answered before: the body is that answer."""

    body: bytes
    result: TurnResult | None
