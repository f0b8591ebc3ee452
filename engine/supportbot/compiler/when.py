"""The parts that handlers and guides share: their ``when`` and their examples."""

from __future__ import annotations

from collections.abc import Iterator

from supportbot.compiler.context import Context
from supportbot.compiler.nodes import items, maps, section, text, texts, value_place
from supportbot.config.yaml_nodes import YamlMap
from supportbot.diagnostics import Place
from supportbot.model.bot import Example, Examples, When
from supportbot.model.steps import Expression


def compile_when(node: YamlMap, owner: tuple[str, str], context: Context) -> tuple[When, ...]:
    """The alternatives of a rule. Without ``when`` and ``match`` one that always holds."""
    if node.get("match") is not None:
        block = context.block(node["match"], value_place(node, "match"), owner, 0)
        return (When(block=block),)
    made = tuple(_alternative(item, owner, part, context) for part, item in enumerate(maps(node, "when")))
    return made or (When(),)


def compile_examples(node: YamlMap, context: Context) -> Examples:
    found = section(node, "examples")
    return Examples(tuple(_examples(found, "match", context)), tuple(_examples(found, "no_match", context)))


def _examples(node: YamlMap | None, key: str, context: Context) -> Iterator[Example]:
    """Examples are texts or ``{text, state}``; a ``state`` beside them holds for all that name none."""
    usual = _state(node, context) if node is not None else None
    for value, place in items(node, key):
        if isinstance(value, str):
            yield Example(value, usual, place)
        elif isinstance(value, YamlMap) and isinstance(value.get("text"), str):
            yield Example(text(value, "text"), _state(value, context) or usual, value_place(value, "text"))


def _state(node: YamlMap, context: Context) -> str | None:
    return next((name for name, place in texts(node, "state") if context.refs.use("state", name, place)), None)


def allowed_states(when: tuple[When, ...]) -> frozenset[str]:
    """The states in which one of the alternatives can hold; empty stands for all."""
    if any(not item.states for item in when):
        return frozenset()
    return frozenset().union(*(item.states for item in when))


def _alternative(node: YamlMap, owner: tuple[str, str], part: int, context: Context) -> When:
    use = context.refs.use
    message = node.get("message")
    return When(
        states=frozenset(name for name, place in texts(node, "state") if use("state", name, place)),
        categories=frozenset(name for name, place in texts(node, "category") if use("category", name, place)),
        block=None if message is None else context.block(message, value_place(node, "message"), owner, part),
        condition=_condition(node, context),
    )


def _condition(node: YamlMap, context: Context) -> Expression | None:
    value = node.get("if")
    return expression_at(value, value_place(node, "if"), context) if isinstance(value, str | bool) else None


def expression_at(value: str | bool, place: Place, context: Context) -> Expression:
    """An expression; a plain ``true`` or ``false`` is one too."""
    source = str(value).lower() if isinstance(value, bool) else value
    return context.expression(source, place)
