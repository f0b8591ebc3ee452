"""The transitions of a graph as a person would draw them: "from anywhere" once, not once for every state."""

from __future__ import annotations

from dataclasses import dataclass

from supportbot.model.graph import Graph, Transition

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
    folded: set[Way] = set()
    for (trigger, dest, conditions), found in sources.items():
        # A state's way to itself stands under STAY; "from everywhere" is whole with it.
        own = {dest} & set(sources.get((trigger, STAY, conditions), ()))
        if len(everywhere) > 1 and everywhere <= set(found) | own:
            ways.append(Way(ANY, dest, trigger, conditions))
            folded |= {Way(state, STAY, trigger, conditions) for state in own}
        else:
            ways += [Way(source, dest, trigger, conditions) for source in dict.fromkeys(found)]
    return [way for way in ways if way not in folded]


def _expanded(item: Transition, everywhere: set[str]) -> list[str]:
    return sorted(everywhere) if item.source == "*" else [item.source]
