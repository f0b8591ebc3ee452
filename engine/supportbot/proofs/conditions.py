"""Conditions (``if``) that can never hold, or always do: decided by trying every value that matters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

from jinja2 import TemplateError, nodes

from supportbot.decision.render import holds
from supportbot.diagnostics import Diagnostic, did_you_mean, error, warning
from supportbot.model.bot import Bot
from supportbot.model.steps import Expression
from supportbot.model.templating import environment
from supportbot.proofs.domains import WEEKDAYS, Name, captured, domain_of, is_possible
from supportbot.proofs.outputs import find_silent_failures, find_unsaved_outputs
from supportbot.proofs.texts import rules_of
from supportbot.proofs.truths import impossible_values, possible_verdicts

MOST_WORLDS = 60_000


def find_constant_conditions(bot: Bot) -> list[Diagnostic]:
    """Findings about conditions over names with few values; others are left alone."""
    return list(_findings(bot))


def _findings(bot: Bot) -> Iterator[Diagnostic]:
    for owner, expression, states in _conditions(bot):
        verdicts = _verdicts(bot, expression, states)
        if verdicts == {False}:
            yield error(
                "condition-never-holds",
                expression.place,
                f"the condition of {owner} can never hold: {expression.source}",
                _hint(bot, expression, states),
            )
        elif verdicts == {True}:
            yield warning(
                "condition-always-holds",
                expression.place,
                f"the condition of {owner} always holds: {expression.source}",
                "remove the condition",
            )


def _verdicts(bot: Bot, expression: Expression, states: frozenset[str]) -> set[bool]:
    """What the condition can be, as far as it can be said."""
    names = _names(expression)
    domains = [domain_of(bot, name, states, expression) for name in names or ()]
    if names is None or any(domain is None for domain in domains):
        return possible_verdicts(expression, lambda name: domain_of(bot, name, states, expression))
    values = [domain or () for domain in domains]
    if prod(map(len, values)) > MOST_WORLDS:
        return set()
    worlds = (world for world in product(*values) if is_possible(bot, dict(zip(names, world, strict=True))))
    return {holds(expression, _world(names, world)) for world in worlds}


def _hint(bot: Bot, expression: Expression, states: frozenset[str]) -> str:
    """What a text that nothing is ever equal to may stand for."""
    for value, known in impossible_values(expression, lambda name: domain_of(bot, name, states, expression)):
        if known == WEEKDAYS:
            return f"weekdays are written {', '.join(WEEKDAYS)}"
        return did_you_mean(value, known)
    return "change the condition, or remove the rule"


def _conditions(bot: Bot) -> Iterator[tuple[str, Expression, frozenset[str]]]:
    for rule in rules_of(bot):
        for when in rule.when:
            if when.condition is not None:
                yield f"'{rule.id}'", when.condition, when.states
    for name, expression in bot.graph.conditions.items():
        yield f"transitions, '{name}',", expression, frozenset()


def _names(expression: Expression) -> tuple[Name, ...] | None:
    """The ``root.key`` names of an expression; None when it uses anything else, e.g. a filter."""
    try:
        tree = environment().parse("{{ " + expression.source + " }}")
    except TemplateError:
        return None
    if next(tree.find_all((nodes.Filter, nodes.Test, nodes.Getitem, nodes.Call)), None) is not None:
        return None
    found: dict[Name, None] = {}
    for attribute in tree.find_all(nodes.Getattr):
        if not isinstance(attribute.node, nodes.Name):
            return None
        found[(attribute.node.name, attribute.attr)] = None
    roots = {root for root, _ in found}
    if any(name.name not in roots for name in tree.find_all(nodes.Name)):
        return None
    return tuple(found)


def _world(names: tuple[Name, ...], values: tuple[object, ...]) -> dict[str, object]:
    world: dict[str, dict[str, object]] = {}
    for (root, key), value in zip(names, values, strict=True):
        world.setdefault(root, {})[key] = value
    return dict(world)


def find_form_traps(bot: Bot) -> list[Diagnostic]:
    """Forms and actions that cannot do their work."""
    filled = {slot for rule in rules_of(bot) for slot in _set_by(rule.do)} | captured(bot)
    filled |= {slot.name for form in bot.forms.values() for slot in form.slots}
    return [*_asked_twice(bot), *_unfilled(bot), *find_unsaved_outputs(bot, filled), *find_silent_failures(bot)]


def _asked_twice(bot: Bot) -> Iterator[Diagnostic]:
    for form in bot.forms.values():
        asked: dict[str, str] = {}
        for slot in form.slots:
            first = asked.setdefault(slot.ask, slot.name)
            if first != slot.name and not slot.optional:
                yield warning(
                    "asked-twice",
                    slot.place,
                    f"'{slot.name}' is asked with the words of '{first}': visitors get the same question twice",
                    "give it a response of its own",
                )
        if form.retries < 1:
            yield error(
                "form-cannot-finish",
                form.place,
                f"the form '{form.id}' gives up before the first answer: retries is {form.retries}",
                "set retries to 1 or more",
            )


def _unfilled(bot: Bot) -> Iterator[Diagnostic]:
    """Actions that read slots which nothing fills before they run."""
    from_anywhere = {slot for rule in rules_of(bot) for slot in _set_by(rule.do)}
    for form in bot.forms.values():
        filled = {slot.name for slot in form.slots} | from_anywhere | captured(bot)
        for step in form.done:
            action = bot.actions.get(getattr(step, "action", ""))
            if action is None:
                continue
            for missing in sorted(action.inputs - filled - _saved(bot, action.id)):
                yield warning(
                    "action-input-unfilled",
                    action.place,
                    f"the action '{action.id}' sends slots.{missing}, but the form '{form.id}' never asks for it",
                    f"add a slot '{missing}' to the form, or take it out of the action",
                )


def _set_by(steps: tuple[object, ...]) -> Iterator[str]:
    for step in steps:
        for slot, _ in getattr(step, "values", ()):
            yield slot


def _saved(bot: Bot, but: str) -> set[str]:
    return {slot for action in bot.actions.values() if action.id != but for slot, _ in action.save}
