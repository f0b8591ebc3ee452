"""The table says what the state machine does, and the machine runs nothing that YAML names."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
import transitions
from tests.compiler.conftest import Load

from supportbot.compiler.compile import Compiled
from supportbot.compiler.graph import Condition, Cursor, machine_of
from supportbot.model.graph import Graph

STATES = """\
initial: a
states: [{id: a}, {id: b}, {id: c}, {id: d, final: true}]
conditions: {one: hours.open, two: session.attempts > 1}
transitions:
  - {trigger: begin, source: "*", dest: b, conditions: [one, two]}
  - {trigger: begin, source: [a, b], dest: c, conditions: one}
  - {trigger: begin, source: a, dest: "="}
  - {trigger: offer, source: [b, a], dest: c, conditions: [two]}
  - {trigger: offer, source: "*", dest: d}
  - {trigger: finish, source: c, dest: a}
"""
RULES = """\
handlers:
  - {id: person, do: [{trigger: offer}, {set: {topic: x, model: y}}, {form: callback}]}
  - {id: llm_fallback, do: [{trigger: finish}, {llm: true}]}
"""
GUIDES = (
    "category: printing\ntitle: Printing\nguides: [{id: a_guide, match: [offline], steps: [step_1, step_2, welcome]}]\n"
)


def graph_of(load: Load) -> Graph:
    compiled = load({"states.yaml": STATES, "handlers.yaml": RULES, "rules/categories/printing.yaml": GUIDES})
    assert compiled.bot is not None, compiled.diagnostics
    return compiled.bot.graph


def holding(names: tuple[str, ...]) -> list[frozenset[str]]:
    return [frozenset(some) for some in chain.from_iterable(combinations(names, n) for n in range(len(names) + 1))]


def by_table(graph: Graph, state: str, trigger: str, held: frozenset[str]) -> str | None:
    ways = graph.table.get((state, trigger), ())
    return next((way.dest for way in ways if held.issuperset(way.conditions)), None)


def by_machine(machine: transitions.Machine, state: str, trigger: str, held: frozenset[str]) -> str | None:
    cursor = Cursor(state, held)
    try:
        moved = machine.events[trigger].trigger(cursor)
    except transitions.MachineError:
        return None
    return cursor.state if moved else None


def test_table_and_machine_agree_everywhere(load: Load) -> None:
    graph = graph_of(load)
    machine = machine_of(graph)
    asked = 0
    for state in graph.states:
        for trigger in ("begin", "offer", "finish"):
            for held in holding(("one", "two")):
                assert by_table(graph, state, trigger, held) == by_machine(machine, state, trigger, held)
                asked += 1
    assert asked == 4 * 3 * 4


def test_the_first_way_whose_conditions_hold_is_taken(load: Load) -> None:
    graph = graph_of(load)
    assert by_table(graph, "a", "begin", frozenset({"one", "two"})) == "b"
    assert by_table(graph, "a", "begin", frozenset({"one"})) == "c"
    assert by_table(graph, "a", "begin", frozenset()) == "a"
    assert by_table(graph, "c", "begin", frozenset()) is None


def test_a_star_is_every_state_that_is_not_final(load: Load) -> None:
    graph = graph_of(load)
    assert {state for state, trigger in graph.table if trigger == "offer"} == {"a", "b", "c"}
    assert not [state for state, _ in graph.table if state == "d"]


def test_the_machine_has_only_declared_triggers_and_our_own_conditions(load: Load) -> None:
    machine = machine_of(graph_of(load))
    assert set(machine.events) == {"begin", "offer", "finish"}
    assert machine.models == []
    ways = [way for event in machine.events.values() for some in event.transitions.values() for way in some]
    assert {type(check.func) for way in ways for check in way.conditions} == {Condition}
    assert not any(way.before or way.after or way.prepare for way in ways)


def broken(load: Load, old: str, new: str) -> Compiled:
    assert old in STATES
    return load(
        {"states.yaml": STATES.replace(old, new), "handlers.yaml": RULES, "rules/categories/printing.yaml": GUIDES}
    )


@pytest.mark.parametrize("name", ["os.system", "__class__", "To-State", "9lives", "trigger", "ü", "a" * 81, "a b", ""])
@pytest.mark.parametrize("where", ["{id: d,", "trigger: finish", "two:"])
def test_no_other_name_reaches_the_machine(load: Load, name: str, where: str) -> None:
    new = {"{id: d,": f'{{id: "{name}",', "trigger: finish": f'trigger: "{name}"', "two:": f'"{name}":'}[where]
    compiled = broken(load, where, new)
    assert compiled.bot is None
    line = 2 if "id" in new else 3 if new.endswith(":") else 10
    assert [item for item in compiled.diagnostics if item.place.line == line and item.place.file == "states.yaml"]


def codes(compiled: Compiled, line: int) -> list[str]:
    return [item.code for item in compiled.diagnostics if item.place.file == "states.yaml" and item.place.line == line]


def test_a_state_without_a_way_out(load: Load) -> None:
    compiled = broken(load, "{id: d, final: true}", "{id: d, final: true}, {id: e}")
    assert codes(compiled, 2) == ["unreachable-state"]

    lonely = STATES.replace("{trigger: finish, source: c, dest: a}", "{trigger: finish, source: b, dest: a}")
    lonely = lonely.replace('source: "*", dest: d', "source: [a, b], dest: d").replace('source: "*"', "source: [a, b]")
    compiled = load({"states.yaml": lonely})
    found = [item for item in compiled.diagnostics if item.code == "dead-end-state"]
    assert [(item.place.line, item.place.column, item.severity) for item in found] == [(2, 33, "warning")]


def test_staying_is_no_way_out(load: Load) -> None:
    lonely = STATES.replace("{trigger: finish, source: c, dest: a}", '{trigger: finish, source: c, dest: "="}')
    lonely = lonely.replace('source: "*", dest: d', "source: [a, b], dest: d").replace('source: "*"', "source: [a, b]")
    assert "dead-end-state" in {item.code for item in load({"states.yaml": lonely}).diagnostics}


def test_a_way_behind_an_unconditional_one(load: Load) -> None:
    compiled = broken(load, "{trigger: finish, source: c, dest: a}", "{trigger: offer, source: [a, b], dest: c}")
    assert codes(compiled, 10) == ["shadowed-transition"]
    assert codes(compiled, 7) == []


def test_an_initial_state_is_needed(load: Load) -> None:
    compiled = broken(load, "initial: a\n", "")
    found = [item for item in compiled.diagnostics if item.place.file == "states.yaml" and item.severity == "error"]
    assert [item.code for item in found] == ["no-initial"]
    misspelt = broken(load, "initial: a", "inital: a")
    found = [item for item in misspelt.diagnostics if item.place.file == "states.yaml" and item.severity == "error"]
    assert [item.code for item in found] == ["unknown-key"]
