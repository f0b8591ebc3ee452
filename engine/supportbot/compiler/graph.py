"""The state graph: states, transitions, the ``transitions`` machine and the table derived from it.

The library resolves strings: a callback given by name is looked up on a model, or even imported
when it has dots. So no text of the YAML reaches it unchecked: ids must be plain identifiers, and
conditions are objects of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final

import transitions

from supportbot.compiler.context import Context
from supportbot.compiler.nodes import flag, items, maps, named, section, text, texts, value_place
from supportbot.compiler.quantities import seconds
from supportbot.compiler.steps import compile_steps
from supportbot.compiler.when import expression_at
from supportbot.config.yaml_nodes import YamlMap
from supportbot.diagnostics import Place
from supportbot.model.graph import Graph, State, TimeOut, Transition
from supportbot.model.steps import Expression

ALL: Final = "*"
STAY: Final = "="
DURATION_HINT: Final = "write a number and a unit, at most a year: 8s, 30m, 2h, 1d"

Table = Mapping[tuple[str, str], tuple[Transition, ...]]


@dataclass(frozen=True, slots=True)
class Condition:
    """A named condition of the graph, as the machine calls it.

    The cursor that the machine moves says which conditions hold: ``cursor.holding`` is a set of names.
    """

    name: str

    def __call__(self, event: Any) -> bool:
        return self.name in event.model.holding


@dataclass(slots=True)
class Cursor:
    """A position in the graph that the machine can move; light, and not registered with it."""

    state: str
    holding: frozenset[str] = frozenset()


def define_graph(documents: Sequence[YamlMap], context: Context) -> None:
    """Note the ids of states, conditions and triggers."""
    refs = context.refs
    for document in documents:
        for state in maps(document, "states"):
            for name, place in texts(state, "id"):
                refs.define("state", name, place)
        for name, _ in texts(document, "states"):  # `- greeting` without its id:, which is reported where it stands
            refs.refused.add(("state", name))
        for name, _, place in named(section(document, "conditions")):
            refs.define("condition", name, place)
        for item in maps(document, "transitions"):
            for name, place in texts(item, "trigger"):
                if name not in refs.known("trigger"):
                    refs.define("trigger", name, place)


def compile_graph(documents: Sequence[YamlMap], context: Context) -> Graph:
    """The checked graph. With mistakes in it the rest is still usable for further checks."""
    states = {state.id: state for document in documents for state in _states(document, context)}
    conditions = {name: made for document in documents for name, made in _conditions(document, context)}
    rows = [row for document in documents for row in _transitions(document, states, context)]
    initial = _initial(documents, states, context)
    machine = _machine(initial, states, rows)
    graph = Graph(
        initial=initial,
        states=MappingProxyType(states),
        transitions=tuple(rows),
        table=_table(machine, rows),
        conditions=MappingProxyType(conditions),
    )
    _check_shadowed(graph, context)
    _check_reach(graph, context)
    return graph


def machine_of(graph: Graph) -> transitions.Machine:
    """The ``transitions`` machine of a graph: no model, no automatic triggers.

    Fire a trigger with ``machine.events[trigger].trigger(Cursor(state, holding))``.
    """
    return _machine(graph.initial, graph.states, graph.transitions)


def _machine(initial: str, states: Mapping[str, State], rows: Sequence[Transition]) -> transitions.Machine:
    machine = transitions.Machine(
        model=None,
        states=list(states),
        initial=initial if initial in states else None,
        auto_transitions=False,
        send_event=True,
        ignore_invalid_triggers=False,
    )
    for row in rows:
        conditions: list[str | Callable[..., bool | None]] = [Condition(name) for name in row.conditions]
        machine.add_transition(row.trigger, row.source, row.dest, conditions=conditions)
    return machine


def _table(machine: transitions.Machine, rows: Sequence[Transition]) -> Table:
    """Read back from the machine what can fire where; only the places come from the rows."""
    places: dict[tuple[str, str], list[Place]] = {}
    for row in rows:
        places.setdefault((row.source, row.trigger), []).append(row.place)
    table: dict[tuple[str, str], tuple[Transition, ...]] = {}
    for trigger, event in machine.events.items():
        for source, ways in event.transitions.items():
            table[source, trigger] = tuple(
                Transition(trigger, way.source, way.dest or way.source, _conditions_of(way), place)
                for way, place in zip(ways, places[source, trigger], strict=True)
            )
    return MappingProxyType(table)


def _conditions_of(way: transitions.Transition) -> tuple[str, ...]:
    return tuple(check.func.name for check in way.conditions if isinstance(check.func, Condition))


# --- reading --------------------------------------------------------------------------------


def _states(document: YamlMap, context: Context) -> Iterator[State]:
    for node in maps(document, "states"):
        name = text(node, "id")
        if context.refs.known("state").get(name) != value_place(node, "id"):
            continue
        timeouts = tuple(made for item in maps(node, "timeouts") if (made := _timeout(item, context)))
        ordered = tuple(sorted(timeouts, key=lambda item: item.after))
        yield State(name, text(node, "title") or name, flag(node, "final"), ordered, value_place(node, "id"))


def _timeout(node: YamlMap, context: Context) -> TimeOut | None:
    after = duration(node, "after", 0.0, context)
    do = compile_steps(node, "do", context)
    return TimeOut(after, do) if after else None


def duration(node: YamlMap | None, key: str, default: float, context: Context) -> float:
    """Seconds of a duration such as ``30m`` (a number alone counts seconds); what is none is reported."""
    value = node.get(key) if node is not None else None
    if node is None or isinstance(value, bool) or not isinstance(value, str | int | float):
        return default
    length = seconds(value if isinstance(value, str) else f"{value}s")
    if length is None:
        context.refs.error("bad-duration", value_place(node, key), f"{value!r} is not a duration", DURATION_HINT)
    return default if length is None else length


def _conditions(document: YamlMap, context: Context) -> Iterator[tuple[str, Expression]]:
    node = section(document, "conditions")
    for name, value, place in named(node):
        if node is not None and isinstance(value, str | bool):
            made = expression_at(value, value_place(node, name), context)
            if context.refs.known("condition").get(name) == place:
                yield name, made


def _initial(documents: Sequence[YamlMap], states: Mapping[str, State], context: Context) -> str:
    for document in documents:
        for name, place in texts(document, "initial"):
            return name if context.refs.use("state", name, place) and name in states else ""
    if "state" not in context.refs.lost:
        place = documents[0].place if documents else Place("states.yaml")
        hint = f"write e.g. initial: {next(iter(states), 'greeting')}"
        context.refs.error("no-initial", place, "no state is named as the initial one", hint)
    return ""


def _transitions(document: YamlMap, states: Mapping[str, State], context: Context) -> Iterator[Transition]:
    refs = context.refs
    for node in maps(document, "transitions"):
        trigger, dest = text(node, "trigger"), text(node, "dest")
        sources = [name for name, place in items(node, "source") for name in _sources(name, place, states, context)]
        conditions = [name for name, place in texts(node, "conditions") if refs.use("condition", name, place)]
        if dest and dest != STAY and not refs.use("state", dest, value_place(node, "dest")):
            continue
        if dest and trigger in refs.known("trigger"):
            for source in dict.fromkeys(sources):
                to = source if dest == STAY else dest
                yield Transition(trigger, source, to, tuple(conditions), value_place(node, "trigger"))


def _sources(name: Any, place: Place, states: Mapping[str, State], context: Context) -> list[str]:
    if not isinstance(name, str):
        return []
    if name == ALL:
        return [state.id for state in states.values() if not state.final]
    if not context.refs.use("state", name, place) or name not in states:
        return []
    if states[name].final:
        hint = f"remove `final: true` of '{name}', or this way out"
        context.refs.error("final-with-exit", place, f"the state '{name}' is final, so nothing can leave it", hint)
        return []
    return [name]


# --- checks ---------------------------------------------------------------------------------


def _check_shadowed(graph: Graph, context: Context) -> None:
    """A way out that stands behind an unconditional one of the same trigger is never taken."""
    live: set[Place] = set()
    for ways in graph.table.values():
        for way in ways:
            live.add(way.place)
            if not way.conditions:
                break
    for place, rows in groupby(graph.transitions, key=lambda row: row.place):
        row = next(rows)
        if place not in live:
            message = f"this way of '{row.trigger}' is never taken: an earlier one without conditions comes first"
            context.refs.warn("shadowed-transition", place, message, "move it up, or give the earlier one a condition")


def _check_reach(graph: Graph, context: Context) -> None:
    ways: dict[str, set[str]] = {}
    for row in graph.transitions:
        ways.setdefault(row.source, set()).add(row.dest)
    reached, queue = {graph.initial}, [graph.initial]
    for name in queue:
        fresh = ways.get(name, set()) - reached
        reached |= fresh
        queue += sorted(fresh)
    for name, state in graph.states.items():
        if graph.initial and name not in reached:
            hint = "add a transition with this dest, or remove the state"
            context.refs.warn("unreachable-state", state.place, f"no way leads to the state '{name}'", hint)
        if not state.final and not ways.get(name, set()) - {name}:
            hint = "add a transition from it, or mark it final: true"
            context.refs.warn("dead-end-state", state.place, f"no way leads out of the state '{name}'", hint)
