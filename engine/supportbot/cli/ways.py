"""The transitions of a graph as a person would draw them: "from anywhere" once, not once for every state."""

from __future__ import annotations

from dataclasses import dataclass

from supportbot.model.bot import Graph, Transition

ANY = "any_open_state"
STAY = "="


@dataclass(frozen=True, slots=True)
class Way:
    """A transition; ``source`` is a state or ANY, ``dest`` a state or STAY."""

    source: str
    dest: str
    trigger: str
    conditions: tuple[str, ...]

    @property
    def label(self) -> str:
        return self.trigger + (f" [{' and '.join(self.conditions)}]" if self.conditions else "")


def ways_of(graph: Graph) -> list[Way]:
    """Every way out, in order; what leaves every state that is not final is one way from ANY."""
    everywhere = {state.id for state in graph.states.values() if not state.final}
    sources: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for item in graph.transitions:
        dest = STAY if item.dest == item.source else item.dest
        sources.setdefault((item.trigger, dest, item.conditions), []).extend(_expanded(item, everywhere))
    ways: list[Way] = []
    for (trigger, dest, conditions), found in sources.items():
        # A state's way to itself was folded into STAY above, so "everywhere" may lack the destination.
        if len(everywhere) > 1 and everywhere - set(found) <= {dest}:
            ways.append(Way(ANY, dest, trigger, conditions))
        else:
            ways += [Way(source, dest, trigger, conditions) for source in dict.fromkeys(found)]
    return _without_own_way(ways)


def _expanded(item: Transition, everywhere: set[str]) -> list[str]:
    return sorted(everywhere) if item.source == "*" else [item.source]


def _without_own_way(ways: list[Way]) -> list[Way]:
    """Drop "stays" of one state where the same trigger leads there from anywhere: it says the same."""
    led = {(way.dest, way.trigger, way.conditions) for way in ways if way.source == ANY}
    return [way for way in ways if way.dest != STAY or (way.source, way.trigger, way.conditions) not in led]
