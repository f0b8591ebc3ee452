"""handlers.yaml: the rules that are asked by priority."""

from __future__ import annotations

from collections.abc import Sequence

from supportbot.compiler.context import Context
from supportbot.compiler.nodes import flag, maps, text, texts, value_place, whole
from supportbot.compiler.steps import compile_steps
from supportbot.compiler.triggers import Firing
from supportbot.compiler.when import allowed_states, compile_examples, compile_when
from supportbot.config.yaml_nodes import YamlMap
from supportbot.model.bot import Handler
from supportbot.model.steps import AskModel

DEFAULT_PRIORITY = 50


def define_handlers(documents: Sequence[YamlMap], context: Context) -> None:
    for document in documents:
        for node in maps(document, "handlers"):
            for name, place in texts(node, "id"):
                context.refs.define("handler", name, place)


def compile_handlers(documents: Sequence[YamlMap], firing: Firing, context: Context) -> tuple[Handler, ...]:
    """All handlers in the order in which they are asked."""
    made: list[Handler] = []
    known = context.refs.known("handler")
    for document in documents:
        for node in maps(document, "handlers"):
            handler = _handler(node, len(made), context)
            firing.check(node, "do", allowed_states(handler.when))
            if known.get(handler.id) == handler.place:
                made.append(handler)
    return tuple(sorted(made, key=lambda item: (item.priority, item.order)))


def asks_model(handlers: Sequence[Handler]) -> bool:
    return any(isinstance(step, AskModel) for handler in handlers for step in handler.do)


def _handler(node: YamlMap, order: int, context: Context) -> Handler:
    name = text(node, "id")
    return Handler(
        id=name,
        priority=whole(node, "priority", DEFAULT_PRIORITY),
        order=order,
        when=compile_when(node, ("handler", name), context),
        do=compile_steps(node, "do", context),
        interrupts=flag(node, "interrupts"),
        examples=compile_examples(node, context),
        place=value_place(node, "id"),
        title=text(node, "title") or name,
    )
