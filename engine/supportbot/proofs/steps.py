"""Every list of steps of a bot, wherever a record has one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from supportbot.model.bot import Bot
from supportbot.model.steps import Step
from supportbot.proofs.texts import rules_of

Steps = tuple[Step, ...]


def all_steps(bot: Bot) -> Iterator[Steps]:
    """The steps of rules, forms, actions, time-outs and settings."""
    yield from (rule.do for rule in rules_of(bot))  # there may be many
    for part in (bot.forms, bot.actions, bot.graph.states, bot.settings):
        yield from steps_in(part)


def steps_in(part: object) -> Iterator[Steps]:
    """The steps of a record, of the records in it, and of those in its collections."""
    if isinstance(part, tuple):
        if part and all(isinstance(item, Step) for item in part):
            yield part
            return
        for item in part:
            yield from steps_in(item)
    elif isinstance(part, Mapping):
        for item in part.values():
            yield from steps_in(item)
    elif (
        is_dataclass(part) and not isinstance(part, type) and part.__class__.__module__.startswith("supportbot.model.")
    ):
        for field in fields(part):
            value = getattr(part, field.name)
            if isinstance(value, tuple | Mapping) or is_dataclass(value):
                yield from steps_in(value)
