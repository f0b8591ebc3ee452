"""The values that names of conditions can have, and which of them can be together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from jinja2 import nodes

from supportbot.decision.hours import is_open
from supportbot.model.bot import Bot
from supportbot.model.steps import Expression, SetSlots
from supportbot.model.templating import environment
from supportbot.proofs.steps import all_steps

Name = tuple[str, str]  # ("session", "attempts")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONDAY = datetime(2026, 11, 23)


def domain_of(bot: Bot, name: Name, states: frozenset[str], expression: Expression) -> tuple[object, ...] | None:
    """All values that can make a difference, or None when there are too many kinds."""
    match name:
        case ("hours", "open"):
            return (True, False)
        case ("session", "attempts" | "turns" | "step"):
            return tuple(range(max(_numbers(expression), default=0) + 2))
        case ("session", "state"):
            final = {state.id for state in bot.graph.states.values() if state.final}  # nobody talks on there
            return tuple(sorted((states or bot.graph.states.keys()) - final))
        case ("session", "category"):
            return tuple(bot.categories)
        case ("session", "guide"):
            return ("", *bot.guides)
        case ("now", "hour"):
            return tuple(range(24))
        case ("now", "weekday"):
            return WEEKDAYS
        case ("bot", "name"):
            return (bot.settings.name,)
        case ("slots", slot):
            return _choices(bot, slot)
    return None


def is_possible(bot: Bot, world: Mapping[Name, object]) -> bool:
    """Whether it can be open, or closed, in such an hour of such a day."""
    opened = world.get(("hours", "open"))
    hour, weekday = world.get(("now", "hour")), world.get(("now", "weekday"))
    hours = bot.settings.hours
    if opened is not True or not hours.days or (hour is None and weekday is None):
        return True
    days = [number for number, day in enumerate(WEEKDAYS) if weekday in (None, day)]
    clock = range(24) if hour is None else (hour,)
    return any(
        is_open(hours, (MONDAY + timedelta(days=day, hours=int(str(at)), minutes=minute)).replace(tzinfo=hours.zone))
        for day in days
        for at in clock
        for minute in range(60)
    )


def _choices(bot: Bot, slot: str) -> tuple[object, ...] | None:
    """The values of a slot that nothing but forms fills, and only with a choice of theirs."""
    asked = [item for form in bot.forms.values() for item in form.slots if item.name == slot]
    if not asked or any(not item.choices or item.prefill for item in asked):
        return None
    setting = [step for steps in all_steps(bot) for step in steps if isinstance(step, SetSlots)]
    given = {name for step in setting for name, _ in step.values}
    saved = {name for action in bot.actions.values() for name, _ in action.save}
    if slot in given | saved | captured(bot):
        return None
    return ("", *dict.fromkeys(value for item in asked for value, _ in item.choices))


def _numbers(expression: Expression) -> list[int]:
    tree = environment().parse("{{ " + expression.source + " }}")
    return [node.value for node in tree.find_all(nodes.Const) if type(node.value) is int and 0 <= node.value < 1000]


def captured(bot: Bot) -> set[str]:
    """The slots that phrases fill."""
    found: set[str] = set()
    waiting = [bot.index.root]
    while waiting:
        node = waiting.pop()
        waiting.extend(node.edges.values())
        for slot, _, following in node.captures:
            found.add(slot)
            waiting.append(following)
        if node.gap is not None:
            waiting.append(node.gap)
    return found
