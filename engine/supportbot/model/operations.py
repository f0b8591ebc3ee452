"""How a bot is run, as supportbot.yaml says: limits against floods and costs, alerts, what counts in reports."""

from __future__ import annotations

from dataclasses import dataclass, field

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Rate:
    """``burst`` messages at once, then ``per_minute``."""

    per_minute: float
    burst: int


@dataclass(frozen=True, slots=True)
class Budget:
    """What the model may take; 0 is no limit. Costs are money in the currency of the prices."""

    session_tokens: int = 0
    day_tokens: int = 0
    session_cost: float = 0.0
    day_cost: float = 0.0

    @property
    def limited(self) -> bool:
        return bool(self.session_tokens or self.day_tokens or self.session_cost or self.day_cost)


@dataclass(frozen=True, slots=True)
class Price:
    """Money for a million tokens."""

    input: float
    output: float


@dataclass(frozen=True, slots=True)
class Alerts:
    """``webhook`` may hold ``${NAME}``; empty: nobody is told.

    ``body``: a tree of templates, None for ``{"text": ...}``.
    """

    webhook: str = "${ERROR_ALERT_WEBHOOK:-}"
    threshold: int = 3
    window: float = 300.0
    cooldown: float = 900.0
    body: object = None


@dataclass(frozen=True, slots=True)
class Operations:
    """``person``, ``resolved``: states that count so in reports, beside what is known anyway (a handoff)."""

    person: frozenset[str] = frozenset()
    resolved: frozenset[str] = frozenset()
    retention: float = 90 * _DAY
    session_rate: Rate = Rate(300, 120)
    address_rate: Rate = Rate(1800, 300)
    turns: int = 512  # in work at the same time
    connections: int = 2000
    model_calls: int = 8  # in work at the same time
    budget: Budget = field(default_factory=Budget)
    price: Price | None = None  # None: what the model's library knows
    alerts: Alerts = field(default_factory=Alerts)
