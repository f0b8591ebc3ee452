"""What is said when an action ended: nothing after a failure, or something that this action never learns."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import TemplateError, nodes

from supportbot.diagnostics import Diagnostic, Place, warning
from supportbot.model.bot import Action, Bot
from supportbot.model.chains import chain_of
from supportbot.model.steps import SayResponse, Template
from supportbot.model.templating import environment


def find_unsaved_outputs(bot: Bot, filled: set[str]) -> Iterator[Diagnostic]:
    """``filled``: slots that forms, phrases and rules fill, whatever actions do."""
    savers: dict[str, list[str]] = {}
    for action in bot.actions.values():
        for slot, _ in action.save:
            savers.setdefault(slot, []).append(action.id)
    for action in bot.actions.values():
        chain = chain_of(action, bot.actions) or (action.id,)
        for slot, place in _read_after(bot, action):
            by = savers.get(slot, [])
            if by and slot not in filled and not set(by) & set(chain):
                others = ", ".join(f"'{name}'" for name in by)
                yield warning(
                    "output-not-saved",
                    place,
                    f"slots.{slot} can be empty when '{action.id}' says this: only {others} saves it",
                    f"add save: {{{slot}: /...}} to '{action.id}', or take the slot out of the text",
                )


def find_silent_failures(bot: Bot) -> Iterator[Diagnostic]:
    """Actions that write, and say nothing when that fails."""
    helping = {name for action in bot.actions.values() for name in action.before}
    for action in bot.actions.values():
        if action.writes and not action.on_failure and not action.on_error and action.id not in helping:
            yield warning(
                "missing-failure",
                action.place,
                f"nothing is said when '{action.id}' fails",
                "add on_failure: [{reply: ...}] with a response that says what to do instead",
            )


def _read_after(bot: Bot, action: Action) -> Iterator[tuple[str, Place]]:
    seen: set[str] = set()
    for step in action.on_success:
        response = bot.responses.get(step.response) if isinstance(step, SayResponse) else None
        for wording in response.wordings.values() if response else ():
            for template in wording.variants:
                for slot in sorted(_slots(template) - seen):
                    seen.add(slot)
                    yield slot, template.place


def _slots(template: Template) -> set[str]:
    if template.literal:
        return set()
    try:
        tree = environment().parse(template.source)
    except TemplateError:
        return set()
    return {
        node.attr
        for node in tree.find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name) and node.node.name == "slots"
    }
