"""How a channel is served. Texts may hold ``${NAME}``, read from the environment when the bot is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

# A moment when a person is wanted and nobody is there: `auto` answers operator_busy where the bot offers no other way.
OutsideHours = Literal["auto", "reply", "operator_busy"]

# What the server itself says to a visitor; each may be a response of the bot.
SERVER_TEXTS = (
    *("hello", "late", "pending", "trouble", "words_please"),
    *("connecting", "nobody_free", "unattended", "preview_handover", "goodbye"),
)


@dataclass(frozen=True, slots=True)
class SalesIQ:
    """The ``channels.salesiq`` section. Durations are seconds."""

    public_keys: tuple[str, ...] = ()
    token: str = ""  # of the webhook's URL: ?token=
    reply_deadline: float = 4.0
    pending_after: float = 2.0  # half of the deadline, whatever that is
    server: str = "salesiq.zoho.com"
    screenname: str = ""
    access_token: str = ""
    connection: str = ""  # of actions.yaml, whose sign-in late answers are delivered with
    department: str = ""  # takes hand-overs that name none
    departments: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    outside_hours: OutsideHours = "auto"
    end_delay: float = 30.0
    cards: bool = True
    collect: frozenset[str] = frozenset()  # forms whose questions SalesIQ asks by itself
    reply_chars: int = 1000
    texts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # of SERVER_TEXTS -> response
