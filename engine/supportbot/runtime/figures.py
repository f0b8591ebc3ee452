"""The decision records, counted: what a store gives, and what every report is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TurnLine:
    """Turns that are alike. ``buckets``: by duration, one count for each of tallies.SECONDS and one for longer."""

    day: str
    channel: str
    category: str
    handler: str
    kind: str
    answered: bool  # False: the model was needed and gave nothing
    state: str  # in which they ended
    turns: int
    opened: int  # conversations that began with them
    model_turns: int  # that asked a model
    tokens: int
    cost: float
    saved: int
    seconds: float
    buckets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EndLine:
    """Conversations that ended alike. ``result``: person, resolved, closed or abandoned."""

    day: str
    category: str
    result: str
    conversations: int


@dataclass(frozen=True, slots=True)
class ModelLine:
    model: str
    calls: int
    failures: int
    tokens_in: int
    tokens_out: int
    cost: float


@dataclass(frozen=True, slots=True)
class Miss:
    """A text, masked, that no rule knew."""

    text: str
    count: int
    category: str


@dataclass(frozen=True, slots=True)
class Figures:
    """``misses``: the most frequent ones only; ``missed`` counts all."""

    turns: tuple[TurnLine, ...] = ()
    ends: tuple[EndLine, ...] = ()
    models: tuple[ModelLine, ...] = ()
    misses: tuple[Miss, ...] = ()
