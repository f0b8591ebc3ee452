"""Conditions (``if``) that can never hold, or always do: decided by trying every value that matters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

from jinja2 import TemplateError, nodes

from supportbot.decision.render import holds
from supportbot.diagnostics import Diagnostic, error, warning
from supportbot.model.bot import Bot
from supportbot.model.steps import Expression
from supportbot.model.templating import environment
from supportbot.proofs.outputs import find_silent_failures, find_unsaved_outputs
from supportbot.proofs.texts import rules_of

MOST_WORLDS = 60_000
Name = tuple[str, str]  # ("session", "attempts")


def find_constant_conditions(bot: Bot) -> list[Diagnostic]:
    """Findings about conditions over names with few values; others are left alone."""
    return list(_findings(bot))


def _findings(bot: Bot) -> Iterator[Diagnostic]:
    for owner, expression, states in _conditions(bot):
        names = _names(expression)
        if names is None:
            continue
        domains = [_domain(bot, name, states, expression) for name in names]
        if any(domain is None for domain in domains):
            continue
        values = [domain or () for domain in domains]
        if prod(map(len, values)) > MOST_WORLDS:
            continue
        verdicts = {holds(expression, _world(names, world)) for world in product(*values)}
        if verdicts == {False}:
            yield error(
                "condition-never-holds",
                expression.place,
                f"the condition of {owner} can never hold: {expression.source}",
                "change the condition, or remove the rule",
            )
        elif verdicts == {True}:
            yield warning(
                "condition-always-holds",
                expression.place,
                f"the condition of {owner} always holds: {expression.source}",
                "remove the condition",
            )


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


def _domain(bot: Bot, name: Name, states: frozenset[str], expression: Expression) -> tuple[object, ...] | None:
    """All values that can make a difference, or None when there are too many kinds."""
    match name:
        case ("hours", "open"):
            return (True, False)
        case ("session", "attempts" | "turns" | "step"):
            return tuple(range(max(_numbers(expression), default=0) + 2))
        case ("session", "state"):
            return tuple(sorted(states or bot.graph.states))
        case ("session", "category"):
            return tuple(bot.categories)
        case ("session", "guide"):
            return ("", *bot.guides)
        case ("now", "hour"):
            return tuple(range(24))
        case ("now", "weekday"):
            return ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    return None


def _numbers(expression: Expression) -> list[int]:
    tree = environment().parse("{{ " + expression.source + " }}")
    return [node.value for node in tree.find_all(nodes.Const) if type(node.value) is int and 0 <= node.value < 1000]


def _world(names: tuple[Name, ...], values: tuple[object, ...]) -> dict[str, object]:
    world: dict[str, dict[str, object]] = {}
    for (root, key), value in zip(names, values, strict=True):
        world.setdefault(root, {})[key] = value
    return dict(world)


def find_form_traps(bot: Bot) -> list[Diagnostic]:
    """Forms and actions that cannot do their work."""
    filled = {slot for rule in rules_of(bot) for slot in _set_by(rule.do)} | _captured(bot)
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
        filled = {slot.name for slot in form.slots} | from_anywhere | _captured(bot)
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


def _captured(bot: Bot) -> set[str]:
    found: set[str] = set()
    waiting = [bot.index.root]
    while waiting:
        node = waiting.pop()
        found.update(slot for slot, _, _ in node.captures)
        waiting.extend(node.edges.values())
        waiting.extend(following for _, _, following in node.captures)
        if node.gap is not None:
            waiting.append(node.gap)
    return found


def _saved(bot: Bot, but: str) -> set[str]:
    return {slot for action in bot.actions.values() if action.id != but for slot, _ in action.save}
