"""The lists of steps that rules do: ``[{trigger: x}, {reply: y}]``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from supportbot.compiler.context import Context
from supportbot.compiler.nodes import maps, named, text, texts, value_place
from supportbot.compiler.templates import NOTHING, Roots
from supportbot.compiler.variables import variable_text
from supportbot.config.yaml_nodes import YamlMap
from supportbot.diagnostics import Place
from supportbot.model.steps import (
    AskModel,
    CloseConversation,
    FireTrigger,
    Handoff,
    NextStep,
    OpenForm,
    RunAction,
    SayResponse,
    SetSlots,
    StartGuide,
    Step,
    Template,
)


def compile_steps(node: YamlMap | None, key: str, context: Context, extras: Roots = NOTHING) -> tuple[Step, ...]:
    """The steps below a key; unknown ids are reported and their steps left out."""
    made = (_step(item, name, value, context, extras) for item in maps(node, key) for name, value, _ in named(item))
    return tuple(step for step in made if step is not None)


def fired_triggers(node: YamlMap | None, key: str) -> Iterator[tuple[str, Place]]:
    """The triggers that a list of steps fires, in order, with their places."""
    for item in maps(node, key):
        yield from texts(item, "trigger")


def _step(item: YamlMap, name: str, value: Any, context: Context, extras: Roots) -> Step | None:
    place = value_place(item, name)
    if isinstance(value, str):
        return _named_step(name, value, place, context)
    if name == "set" and isinstance(value, YamlMap):
        return SetSlots(tuple(_assignments(value, context, extras)))
    if name == "handoff" and isinstance(value, YamlMap):
        department = variable_text(text(value, "department"), value_place(value, "department"), context)
        return Handoff(department or None)
    if value is not True:
        return None
    simple: dict[str, Step] = {
        "next_step": NextStep(),
        "handoff": Handoff(),
        "close": CloseConversation(),
        "block": CloseConversation(block=True),
        "llm": AskModel(),
    }
    return simple.get(name)


def _named_step(name: str, value: str, place: Place, context: Context) -> Step | None:
    use = context.refs.use
    if name == "trigger":
        return FireTrigger(value) if use("trigger", value, place) else None
    if name == "reply":
        return SayResponse(value) if use("response", value, place) else None
    if name == "form":
        return OpenForm(value) if use("form", value, place) else None
    if name == "action":
        return RunAction(value) if use("action", value, place) else None
    if name == "guide":
        return StartGuide(value) if use("guide", value, place) else None
    return None


def _assignments(node: YamlMap, context: Context, extras: Roots) -> Iterator[tuple[str, Template]]:
    for slot, value, place in named(node):
        context.fill(slot, place)
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, str | int | float):
            yield slot, context.template(str(value), value_place(node, slot), extras)
