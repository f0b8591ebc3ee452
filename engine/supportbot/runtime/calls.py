"""One declared call as the runtime sees it: what it may read, and what became of one try."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from msgspec.structs import replace

from supportbot.decision.scope import plain_scope_of
from supportbot.model.bot import Action, Bot
from supportbot.model.session import Session, SlotValue
from supportbot.runtime.masking import CARD, SECRET, mask

# done      it happened, or the answer was read
# again     nothing happened: safe to repeat after ``wait`` seconds
# unknown   it may have happened: look before repeating
# refused   repeating cannot help
# off       the connection has no settings
# lost      not sent, because whoever wanted it must not any more
Verdict = Literal["done", "again", "unknown", "refused", "off", "lost"]
Found = Literal["yes", "no", "perhaps"]
Sending = Callable[[], Awaitable[bool]]

_SALESIQ = "siq_"  # our ids of SalesIQ conversations are its own ids after this
_PREVIEW = "botpreview_"
_TRANSCRIPT_CHARS = 6_000
_SUMMARY_CHARS = 600
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # no vowels, no digits: neither a word nor a number that a desk would link


@dataclass(frozen=True, slots=True)
class CallResult:
    """``error`` as an action's on_error has it, or failed, off. ``reason`` is for logs: no secret, nothing personal."""

    verdict: Verdict
    values: Mapping[str, SlotValue] = field(default_factory=dict)
    found: Found = "yes"  # whether ``find`` found its item; "perhaps": the list was cut off before it
    error: str = ""
    wait: float = 0.0
    reason: str = ""
    counts: bool = True  # as one of the tries after which a call is given up


class Calls(Protocol):
    """Makes single calls. Never raises."""

    def missing(self, bot: Bot, action: Action) -> tuple[str, ...]:
        """Names of variables without which the action, or one before it, is off."""
        ...

    async def call(
        self, bot: Bot, action: Action, scope: Mapping[str, Any], sending: Sending | None = None
    ) -> CallResult:
        """One call, without the actions before it. A write is sent at most twice, and only when nothing happened.

        ``sending`` is asked right before a write goes out, after all waiting for room and tokens; false stops it.
        """
        ...

    async def close(self) -> None: ...


def new_reference() -> str:
    """A name for one action that nothing else in the world has, e.g. for the end of a ticket's subject."""
    return "SB-" + "".join(secrets.choice(_LETTERS) for _ in range(12))


def call_scope(
    bot: Bot, session: Session, slots: Mapping[str, SlotValue], now: datetime, reference: str
) -> dict[str, Any]:
    """Everything that the templates of a call may name. JSON-like, so that it can be kept until the call is made."""
    own_id = session.id.removeprefix(_SALESIQ)
    safe = sendable(slots)
    return {
        **plain_scope_of(bot, replace(session, slots=safe), now),
        "reference": reference,
        "conversation": {
            "id": session.visitor.get("conversation_id") or own_id,
            "channel": session.channel,
            "preview": own_id.startswith(_PREVIEW),
            "transcript": _transcript(session),
            "summary": _summary(session),
        },
    }


def with_values(scope: Mapping[str, Any], values: Mapping[str, SlotValue]) -> dict[str, Any]:
    """The scope after earlier calls of a chain have saved these slots."""
    return {**scope, "slots": {**scope.get("slots", {}), **values}}


def sendable(slots: Mapping[str, SlotValue]) -> dict[str, SlotValue]:
    """The slots as a service may have them, and as they may be kept until then."""
    return {name: _without_secrets(value) for name, value in slots.items()}


def _without_secrets(value: SlotValue) -> SlotValue:
    """What a visitor wrote, masked as a whole when a card number or a password is in it: no desk needs those."""
    if not isinstance(value, str) or not any(character.isalpha() for character in value):
        return value
    masked = mask(value)
    return masked if CARD in masked or SECRET in masked else value


def _transcript(session: Session) -> str:
    """What was said, newest last, masked; the oldest is left out when it is too long."""
    lines: list[str] = []
    for exchange in session.history:
        if exchange.said:
            lines.append(f"Visitor: {mask(exchange.said)}")
        if exchange.answered:
            lines.append(f"Bot: {mask(exchange.answered)}")
    text = "\n".join(lines)
    return text if len(text) <= _TRANSCRIPT_CHARS else "..." + text[-_TRANSCRIPT_CHARS:]


def _summary(session: Session) -> str:
    """The problem in the visitor's words, and the latest of them."""
    said = [exchange.said for exchange in session.history if exchange.said]
    problem = next((exchange.said for exchange in session.history if exchange.topic), said[0] if said else "")
    parts = [f"Topic: {session.category}"]
    if problem:
        parts.append(f"Problem: {mask(problem)[:_SUMMARY_CHARS]}")
    if said and said[-1] != problem:
        parts.append(f"Last message: {mask(said[-1])[:_SUMMARY_CHARS]}")
    return "\n".join(parts)
