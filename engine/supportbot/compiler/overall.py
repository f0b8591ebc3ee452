"""Checks that need more than one part of a bot: steps and limits, slots and their types, prompts and their uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from supportbot.compiler.context import Context
from supportbot.compiler.nodes import maps, section, text, texts
from supportbot.config.yaml_nodes import YamlMap
from supportbot.diagnostics import Place, Related
from supportbot.model.bot import Form


def check_guide_steps(categories: Sequence[YamlMap], attempts: int, context: Context) -> None:
    """A guide's next step is an attempt that failed: past the limit a person is offered instead."""
    for document in categories:
        for guide in maps(document, "guides"):
            steps = list(texts(guide, "steps"))
            if 0 < attempts < len(steps):
                first, place = steps[attempts]
                context.refs.warn(
                    "steps-never-said",
                    place,
                    f"the step '{first}' is never said: a person is offered after {attempts} answers that did not help",
                    f"join steps, so that there are at most {attempts}, or raise limits: {{attempts: {len(steps)}}}",
                )


def check_slot_types(forms: Mapping[str, Form], context: Context) -> None:
    """One slot, one type: a phone number in one rule and a text in another is two slots."""
    types = {slot: dict(found) for slot, found in context.builder.captures.items()}
    for form in forms.values():
        for spec in form.slots:
            kind = {"choice": "text", "rating": "number"}.get(spec.type, spec.type)
            types.setdefault(spec.name, {}).setdefault(kind, spec.place)
    for slot, found in types.items():
        (first, first_place), *others = found.items()
        for kind, place in others:
            context.refs.warn(
                "slot-types",
                place,
                f"the slot '{slot}' is a {kind} here and a {first} elsewhere: one overwrites the other",
                f"give one of them another name, or write the same type: {{{slot}:{first}}}",
                Related(first_place, f"'{slot}' is a {first} here"),
            )


def check_prompts(
    prompts: Mapping[str, str], settings: YamlMap, categories: Sequence[YamlMap], context: Context
) -> None:
    """A prompt file that nothing names is never sent to the model."""
    if context.refs.lost & {"settings", "category"}:
        return
    used = {text(document, "prompt") for document in categories}
    used.add(text(section(settings, "llm") or settings, "system"))
    for name in prompts:
        if name not in used:
            context.refs.warn(
                "unused-prompt",
                Place(f"prompts/{name}"),
                f"the model never gets prompts/{name}: no category and no `llm: system` names it",
                f"write prompt: {name} into a category, or delete the file",
            )
