"""The state graph: states, transitions, and the table that turns read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from supportbot.diagnostics import Place
from supportbot.model.steps import Expression, Step


@dataclass(frozen=True, slots=True)
class TimeOut:
    """After ``after`` seconds of silence in a state, ``do`` runs once."""

    after: float
    do: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class State:
    id: str
    title: str
    final: bool
    timeouts: tuple[TimeOut, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Transition:
    trigger: str
    source: str
    dest: str
    conditions: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Graph:
    """``table`` is compiled from the ``transitions`` machine: (state, trigger) -> ways out, in order."""

    initial: str
    states: Mapping[str, State]
    transitions: tuple[Transition, ...]
    table: Mapping[tuple[str, str], tuple[Transition, ...]]
    conditions: Mapping[str, Expression]
