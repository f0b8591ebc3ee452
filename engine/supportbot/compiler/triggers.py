"""Whether a rule's triggers can fire at all in the states where the rule may answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from supportbot.compiler.context import Context
from supportbot.compiler.nodes import maps
from supportbot.compiler.steps import fired_triggers
from supportbot.config.yaml_nodes import YamlMap
from supportbot.diagnostics import Place
from supportbot.model.graph import Graph

MAX_SHOWN = 6


@dataclass(slots=True)
class Firing:
    """Follows triggers through the graph. Answers are kept, because many rules share their states."""

    graph: Graph
    guide_start: str | None
    context: Context
    ways: dict[str, dict[str, frozenset[str]]] = field(default_factory=dict)  # trigger -> source -> dests
    known: dict[tuple[frozenset[str], str], frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for (source, trigger), rows in self.graph.table.items():
            self.ways.setdefault(trigger, {})[source] = frozenset(row.dest for row in rows)

    def check(self, node: YamlMap, key: str, states: frozenset[str]) -> None:
        """Report the first trigger of a list of steps that can fire in none of the states (empty: in any)."""
        here = states or frozenset(self.graph.states)
        for trigger, place in fired_triggers(node, key):
            if trigger not in self.ways:
                return
            after = self.after(here, trigger)
            if not after:
                self._report(trigger, place, here)
                return
            here = after

    def check_start(self, place: Place, states: frozenset[str]) -> None:
        """The same for a guide with steps, which fires a trigger that it does not name."""
        here = states or frozenset(self.graph.states)
        if self.guide_start in self.ways and not self.after(here, self.guide_start):
            self._report(self.guide_start, place, here)

    def check_timeouts(self, documents: list[YamlMap]) -> None:
        for document in documents:
            for state in maps(document, "states"):
                name = state.get("id")
                if isinstance(name, str) and name in self.graph.states:
                    for timeout in maps(state, "timeouts"):
                        self.check(timeout, "do", frozenset({name}))

    def after(self, states: frozenset[str], trigger: str) -> frozenset[str]:
        """The states that a trigger can lead to from any of these."""
        found = self.known.get((states, trigger))
        if found is None:
            ways = self.ways[trigger]
            found = frozenset[str]().union(*(ways[state] for state in states & ways.keys()))
            self.known[states, trigger] = found
        return found

    def _report(self, trigger: str, place: Place, states: frozenset[str]) -> None:
        where = f"in the state {_shown(states)}" if len(states) == 1 else f"in any of the states {_shown(states)}"
        hint = f"it leaves {_shown(frozenset(self.ways[trigger]))}: change the rule's states or add a transition"
        self.context.refs.error("illegal-trigger", place, f"the trigger '{trigger}' cannot fire {where}", hint)


def _shown(states: frozenset[str]) -> str:
    names = sorted(states)
    more = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
    return ", ".join(names[:MAX_SHOWN]) + more
