"""rules/actions.yaml: connections to services and the calls made over them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from supportbot.compiler.context import Context
from supportbot.compiler.graph import duration
from supportbot.compiler.nodes import maps, named, section, text, texts, value_place
from supportbot.compiler.steps import compile_steps
from supportbot.compiler.variables import secret_text, variable_text
from supportbot.config.yaml_nodes import YamlList, YamlMap
from supportbot.diagnostics import Place
from supportbot.model.bot import Action, BodyMap, Connection, Template

TIMEOUT = 10.0  # seconds
MAX_DEPTH = 60
SECRET_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "cookie"})

_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")


def define_actions(documents: Sequence[YamlMap], context: Context) -> None:
    for document in documents:
        for name, _, place in named(section(document, "connections")):
            context.refs.define("connection", name, place)
        for node in maps(document, "actions"):
            for name, place in texts(node, "id"):
                context.refs.define("action", name, place)


def compile_connections(documents: Sequence[YamlMap], context: Context) -> dict[str, Connection]:
    made: dict[str, Connection] = {}
    for document in documents:
        for name, node, place in named(section(document, "connections")):
            if isinstance(node, YamlMap) and context.refs.known("connection").get(name) == place:
                made[name] = Connection(
                    id=name,
                    base_url=variable_text(text(node, "base_url"), value_place(node, "base_url"), context),
                    headers=_headers(section(node, "headers"), context),
                    bearer=secret_text(text(node, "bearer"), value_place(node, "bearer"), context) or None,
                    timeout=duration(node, "timeout", TIMEOUT, context),
                    place=place,
                )
    return made


def compile_actions(documents: Sequence[YamlMap], context: Context) -> dict[str, Action]:
    made: dict[str, Action] = {}
    for document in documents:
        for node in maps(document, "actions"):
            action = _action(node, context)
            if context.refs.known("action").get(action.id) == action.place:
                made[action.id] = action
    return made


def _headers(node: YamlMap | None, context: Context) -> Mapping[str, str]:
    made: dict[str, str] = {}
    for name, value, _ in named(node):
        if node is not None and isinstance(value, str | int | float):
            check = secret_text if name.lower() in SECRET_HEADERS else variable_text
            made[name] = check(str(value), value_place(node, name), context)
    return MappingProxyType(made)


def _action(node: YamlMap, context: Context) -> Action:
    for name, place in texts(node, "connection"):
        context.refs.use("connection", name, place)
    path = context.template(text(node, "path"), value_place(node, "path"))
    body = _tree(node.get("json"), value_place(node, "json"), context, 0)
    save = tuple(_save(section(node, "save"), context))
    result = {"result": frozenset(slot for slot, _ in save)}
    read = [context.slots_in(template) for template in (path, *_templates(body))]
    return Action(
        id=text(node, "id"),
        connection=text(node, "connection"),
        method=text(node, "method", "POST").upper(),
        path=path,
        body=body,
        save=save,
        inputs=frozenset[str]().union(*read),
        on_success=compile_steps(node, "on_success", context, result),
        on_failure=compile_steps(node, "on_failure", context, result),
        when_off=compile_steps(node, "when_off", context),
        place=value_place(node, "id"),
    )


def _tree(value: object, place: Place, context: Context, depth: int) -> object:
    """A body: strings become templates, numbers and booleans stay what they are."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, str):
        return context.template(value, place)
    if isinstance(value, YamlMap):
        entries = ((name, item, value_place(value, name)) for name, item in value.items())
        return BodyMap(tuple((name, _tree(item, at, context, depth + 1)) for name, item, at in entries))
    if isinstance(value, YamlList):
        pairs = zip(value, value.items_at, strict=False)
        return tuple(_tree(item, at, context, depth + 1) for item, at in pairs)
    return value


def _templates(tree: object) -> Iterator[Template]:
    if isinstance(tree, Template):
        yield tree
    elif isinstance(tree, BodyMap):
        for _, item in tree.items:
            yield from _templates(item)
    elif isinstance(tree, tuple):
        for item in tree:
            yield from _templates(item)


def _save(node: YamlMap | None, context: Context) -> Iterator[tuple[str, str]]:
    for slot, pointer, place in named(node):
        if node is None or not isinstance(pointer, str):
            continue
        context.fill(slot, place)
        if _POINTER.fullmatch(pointer):
            yield slot, pointer
        else:
            hint = "write the way through the answer: /ticketNumber or /data/0/id"
            context.refs.error("bad-pointer", value_place(node, slot), f"{pointer!r} is not a JSON pointer", hint)
