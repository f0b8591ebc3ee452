"""The state graph together with the rules: where a conversation can go, and where it is trapped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from supportbot.diagnostics import Diagnostic, correction, did_you_mean, error, warning
from supportbot.model.bot import Bot, Guide, Invariant
from supportbot.model.steps import FireTrigger, Handoff, StartGuide, Step
from supportbot.proofs.steps import steps_in
from supportbot.proofs.texts import Rule, rules_of

MOST_NAMED = 4  # states in a message
Edges = Mapping[str, Mapping[str, str]]  # state -> next state -> what leads there


def find_traps(bot: Bot) -> list[Diagnostic]:
    """Findings about states, by what rules, guides, forms, actions and time-outs can do in them."""
    return list(_Flow(bot).findings())


class _Flow:
    def __init__(self, bot: Bot) -> None:
        self.bot = bot
        self.settled = tuple(steps_in(bot.settings))
        self.edges: dict[str, dict[str, str]] = {state: {} for state in bot.graph.states}
        for state in bot.graph.states:
            for label, steps in self._steps_in(state):
                for trigger in _triggers(bot, steps):
                    for way in bot.graph.table.get((state, trigger), ()):
                        self.edges[state].setdefault(way.dest, label)

    def _steps_in(self, state: str) -> Iterator[tuple[str, Iterable[Step]]]:
        """Everything that may run in a state, with a name for messages."""
        bot = self.bot
        for rule in rules_of(bot):
            if any(not when.states or state in when.states for when in rule.when) or not rule.when:
                yield rule.id, self._steps_of(rule)
        for steps in self.settled:
            yield "supportbot.yaml", steps
        for form in bot.forms.values():
            yield f"form.{form.id}", (*form.done, *form.cancelled, *form.gave_up)
        for action in bot.actions.values():
            for steps in steps_in(action):
                yield action.id, steps
        for timeout in bot.graph.states[state].timeouts:
            yield "a time-out", timeout.do

    def _steps_of(self, rule: Rule) -> tuple[Step, ...]:
        flow = self.bot.settings.guides
        if isinstance(rule, Guide) and rule.steps:
            return tuple(FireTrigger(trigger) for trigger in (flow.start, flow.next) if trigger)
        return rule.do

    def findings(self) -> Iterator[Diagnostic]:
        yield from self._never_entered()
        yield from self._trapped()
        yield from self._silent_timeouts()
        yield from self._invariants()

    def _never_entered(self) -> Iterator[Diagnostic]:
        """States that transitions reach on paper, but no rule ever does."""
        graph = self.bot.graph
        entered = reachable(self.edges, graph.initial)
        on_paper = reachable(_paper_edges(self.bot), graph.initial)
        for state in graph.states.values():
            if state.id in on_paper and state.id not in entered:
                yield warning(
                    "state-never-entered",
                    state.place,
                    f"no conversation ever gets to the state '{state.id}': no rule fires a trigger that leads there",
                    "let a rule fire such a trigger, or remove the state",
                )

    def _trapped(self) -> Iterator[Diagnostic]:
        """States from which neither an end nor a person can be reached any more."""
        graph = self.bot.graph
        goals = {state.id for state in graph.states.values() if state.final} | self._with_a_person()
        if not goals:
            return
        for state in sorted(reachable(self.edges, graph.initial)):
            if not goals.intersection(reachable(self.edges, state)):
                yield error(
                    "trapped-state",
                    graph.states[state].place,
                    f"a conversation that gets to '{state}' never ends and never reaches a person",
                    "add a transition and a rule that lead on to a person or to a final state",
                )

    def _with_a_person(self) -> set[str]:
        """States in which a rule hands over, or that such a rule leads to."""
        return {state for state in self.bot.graph.states if self._hands_over(state)}

    def _hands_over(self, state: str) -> bool:
        return any(_has_handoff(self.bot, steps) for _, steps in self._steps_in(state))

    def _silent_timeouts(self) -> Iterator[Diagnostic]:
        for state in self.bot.graph.states.values():
            if state.timeouts and state.final:
                yield warning(
                    "timeout-never-fires",
                    state.place,
                    f"the time-outs of '{state.id}' never fire: a conversation in a final state is over",
                    "move them to the state before it",
                )
            seen: set[float] = set()
            for timeout in state.timeouts:
                if timeout.after in seen:
                    yield warning(
                        "timeout-never-fires",
                        state.place,
                        f"two time-outs of '{state.id}' come after the same {timeout.after:g} seconds",
                        "join their steps, or give them different times",
                    )
                seen.add(timeout.after)

    def _invariants(self) -> Iterator[Diagnostic]:
        """``invariants`` of supportbot.yaml: from every state, a person or a state within so many turns."""
        for invariant in self.bot.settings.invariants:
            goals = self._with_a_person() if invariant.reach == "person" else {invariant.reach}
            if invariant.reach != "person" and invariant.reach not in self.bot.graph.states:
                yield error(
                    "unknown-state",
                    invariant.place,
                    f"there is no state '{invariant.reach}'",
                    did_you_mean(invariant.reach, [*self.bot.graph.states, "person"]),
                    fix=correction(invariant.place, invariant.reach, [*self.bot.graph.states, "person"]),
                )
                continue
            yield from self._broken(invariant, goals)

    def _broken(self, invariant: Invariant, goals: set[str]) -> Iterator[Diagnostic]:
        """One finding for all states that are as far away."""
        by_distance: dict[int | None, list[str]] = {}
        for state in sorted(reachable(self.edges, self.bot.graph.initial)):
            if not self.bot.graph.states[state].final:
                turns = _distance(self.edges, state, goals, first=1 if invariant.reach == "person" else 0)
                if turns is None or turns > invariant.turns:
                    by_distance.setdefault(turns, []).append(state)
        what = "a person" if invariant.reach == "person" else f"'{invariant.reach}'"
        step = "{handoff: true}" if invariant.reach == "person" else f"a trigger that leads to '{invariant.reach}'"
        for turns, states in by_distance.items():
            far = "cannot be reached at all" if turns is None else f"takes {turns} turns"
            allowed = "1 turn is" if invariant.turns == 1 else f"{invariant.turns} turns are"
            yield error(
                "invariant-broken",
                invariant.place,
                f"from {_states(states)}, {what} {far}; at most {allowed} promised here",
                f"add a rule for {_states(states)} that does {step}",
            )


def _states(names: list[str]) -> str:
    if len(names) == 1:
        return f"the state '{names[0]}'"
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"the states {', '.join(names[:MOST_NAMED])}{more}"


def _triggers(bot: Bot, steps: Iterable[Step]) -> Iterator[str]:
    for step in steps:
        if isinstance(step, FireTrigger):
            yield step.trigger
        elif isinstance(step, StartGuide) and bot.settings.guides.start:
            yield bot.settings.guides.start


def _has_handoff(bot: Bot, steps: Iterable[Step]) -> bool:
    return any(isinstance(step, Handoff) for step in steps)


def _paper_edges(bot: Bot) -> Edges:
    edges: dict[str, dict[str, str]] = {state: {} for state in bot.graph.states}
    for transition in bot.graph.transitions:
        edges[transition.source].setdefault(transition.dest, transition.trigger)
    return edges


def reachable(edges: Edges, start: str) -> set[str]:
    """States that can be reached, the start among them."""
    found = {start}
    waiting = [start]
    while waiting:
        for following in edges.get(waiting.pop(), ()):
            if following not in found:
                found.add(following)
                waiting.append(following)
    return found


def _distance(edges: Edges, start: str, goals: set[str], first: int) -> int | None:
    """Turns from a state to the nearest goal; in a goal itself ``first``."""
    distance = {start: 0}
    queue = [start]
    for state in queue:
        if state in goals:
            return distance[state] + first
        for following in edges.get(state, ()):
            if following not in distance:
                distance[following] = distance[state] + 1
                queue.append(following)
    return None
