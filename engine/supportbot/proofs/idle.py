"""Triggers and conditions that nothing uses, and rules that only ask for states in which nobody answers."""

from __future__ import annotations

from collections.abc import Iterator

from supportbot.diagnostics import Diagnostic, correction, error, warning
from supportbot.model.bot import Bot
from supportbot.model.steps import FireTrigger
from supportbot.proofs.steps import all_steps
from supportbot.proofs.texts import rules_of


def find_idle_parts(bot: Bot) -> list[Diagnostic]:
    return [*_triggers(bot), *_conditions(bot), *_after_the_end(bot)]


def _triggers(bot: Bot) -> Iterator[Diagnostic]:
    fired = {step.trigger for steps in all_steps(bot) for step in steps if isinstance(step, FireTrigger)}
    fired |= {bot.settings.guides.start or "", bot.settings.guides.next or ""}
    reported = set(fired)
    for way in bot.graph.transitions:
        if way.trigger not in reported:
            reported.add(way.trigger)
            near = correction(way.place, way.trigger, fired)
            meant = f"did you mean '{near.new}'? Otherwise " if near else ""
            yield warning(
                "unused-trigger",
                way.place,
                f"the trigger '{way.trigger}' is never fired: no rule, form, action or time-out has it",
                f"{meant}let a rule do {{trigger: {way.trigger}}}, or remove the transition",
            )


def _conditions(bot: Bot) -> Iterator[Diagnostic]:
    used = {name for way in bot.graph.transitions for name in way.conditions}
    for name, expression in bot.graph.conditions.items():
        if name not in used:
            yield warning(
                "unused-condition",
                expression.place,
                f"the condition '{name}' is never used: no transition asks for it",
                "name it in the conditions of a transition, or remove it",
            )


def _after_the_end(bot: Bot) -> Iterator[Diagnostic]:
    """A conversation in a final state is over: the next message begins a new one."""
    final = {state.id for state in bot.graph.states.values() if state.final}
    for rule in rules_of(bot):
        if rule.when and all(when.states and when.states <= final for when in rule.when):
            names = ", ".join(sorted(state for when in rule.when for state in when.states))
            yield error(
                "rule-after-end",
                rule.place,
                f"'{rule.id}' can never answer: it asks for the state {names}, which is final, so nobody talks on",
                "ask for another state, or take `final: true` off this one",
            )
