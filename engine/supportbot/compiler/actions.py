"""rules/actions.yaml, ``actions``: the calls that are made over connections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType

from supportbot.compiler.action_chains import check_chains
from supportbot.compiler.action_promises import check_promises, templates_in
from supportbot.compiler.connections import compile_check
from supportbot.compiler.context import Context
from supportbot.compiler.graph import duration
from supportbot.compiler.nodes import maps, named, section, text, texts, value_place, whole
from supportbot.compiler.pointers import is_pointer
from supportbot.compiler.steps import compile_steps
from supportbot.compiler.templates import CALL_EXTRAS
from supportbot.compiler.variables import variable_text
from supportbot.config.yaml_nodes import YamlList, YamlMap
from supportbot.diagnostics import Place
from supportbot.model.bot import Action, BodyMap, Find, Reconcile, Where
from supportbot.model.steps import Expression, Step, Template

MAX_DEPTH = 60
RECONCILE_AFTER = 60.0  # seconds; longer than a service works on a call that its caller gave up


def define_actions(documents: Sequence[YamlMap], context: Context) -> None:
    for document in documents:
        for name, _, place in named(section(document, "connections")):
            context.refs.define("connection", name, place)
        for node in maps(document, "actions"):
            for name, place in texts(node, "id"):
                context.refs.define("action", name, place)


def compile_actions(documents: Sequence[YamlMap], context: Context) -> dict[str, Action]:
    made: dict[str, Action] = {}
    nodes: dict[str, YamlMap] = {}
    for document in documents:
        for node in maps(document, "actions"):
            action = _action(node, context)
            if context.refs.known("action").get(action.id) == action.place:
                made[action.id], nodes[action.id] = action, node
    check_chains(made, nodes, context)
    check_promises(made, nodes, context)
    return made


def _action(node: YamlMap, context: Context) -> Action:
    for name, place in texts(node, "connection"):
        context.refs.use("connection", name, place)
    context.refs.only_one(node, "json", "form", "action")
    body_key = "form" if node.get("form") is not None else "json"
    path = _text(node, "path", context)
    query = tuple(_query(section(node, "query"), context))
    body = _tree(node.get(body_key), value_place(node, body_key), context, 0)
    find = _find(section(node, "find"), context)
    once_for = _text(node, "once_for", context) if text(node, "once_for") else None
    save = tuple(_save(section(node, "save"), context))
    result = {"result": frozenset(slot for slot, _ in save)}
    found = (item.value for item in find.where) if find else ()
    every = (path, *(item for _, item in query), *templates_in(body), *found, *((once_for,) if once_for else ()))
    return Action(
        id=text(node, "id"),
        connection=text(node, "connection"),
        method=text(node, "method", "POST").upper(),
        path=path,
        body=body,
        save=save,
        inputs=frozenset[str]().union(*(context.slots_in(template) for template in every)),
        on_success=compile_steps(node, "on_success", context, result),
        on_failure=compile_steps(node, "on_failure", context, result),
        when_off=compile_steps(node, "when_off", context),
        place=value_place(node, "id"),
        title=text(node, "title") or text(node, "id"),
        query=query,
        form=body_key == "form",
        on_error=MappingProxyType(dict(_on_error(section(node, "on_error"), context))),
        while_pending=compile_steps(node, "while_pending", context),
        before=tuple(name for name, place in texts(node, "before") if context.refs.use("action", name, place)),
        condition=_condition(node, context),
        find=find,
        reconcile=_reconcile(node, context),
        once_for=once_for,
        ok=compile_check(section(node, "ok"), context),
    )


def _text(node: YamlMap, key: str, context: Context) -> Template:
    """A template of a call: it may read the environment as well."""
    return _template(text(node, key), value_place(node, key), context)


def _template(source: str, place: Place, context: Context) -> Template:
    return context.template(variable_text(source, place, context), place, CALL_EXTRAS)


def _condition(node: YamlMap, context: Context) -> Expression | None:
    source = text(node, "if")
    return context.expression(source, value_place(node, "if"), CALL_EXTRAS) if source else None


def _query(node: YamlMap | None, context: Context) -> Iterator[tuple[str, Template]]:
    for name, value, _ in named(node):
        if node is not None and isinstance(value, str | int | float):
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            yield name, _template(shown, value_place(node, name), context)


def _find(node: YamlMap | None, context: Context) -> Find | None:
    if node is None:
        return None
    pointer = text(node, "in")
    is_pointer(pointer, value_place(node, "in"), context)
    return Find(pointer, tuple(_wheres(section(node, "where"), context)), whole(node, "full", 0))


def _wheres(node: YamlMap | None, context: Context) -> Iterator[Where]:
    for pointer, value, place in named(node):
        if node is None or not is_pointer(pointer, place, context):
            continue
        if isinstance(value, YamlMap):
            yield Where(pointer, _text(value, "ends", context), ends=True)
        elif isinstance(value, str | int | float):
            yield Where(pointer, _template(str(value), value_place(node, pointer), context))


def _reconcile(node: YamlMap, context: Context) -> Reconcile | None:
    found = section(node, "reconcile")
    holder, key = (found, "action") if found is not None else (node, "reconcile")
    for name, place in texts(holder, key):
        if context.refs.use("action", name, place):
            return Reconcile(name, duration(found, "after", RECONCILE_AFTER, context))
    return None


def _on_error(node: YamlMap | None, context: Context) -> Iterator[tuple[str, tuple[Step, ...]]]:
    for kind, _, _ in named(node):
        yield kind, compile_steps(node, kind, context)


def _tree(value: object, place: Place, context: Context, depth: int) -> object:
    """A body: strings become templates, numbers and booleans stay what they are."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, str):
        return _template(value, place, context)
    if isinstance(value, YamlMap):
        entries = ((name, item, value_place(value, name)) for name, item in value.items())
        return BodyMap(tuple((name, _tree(item, at, context, depth + 1)) for name, item, at in entries))
    if isinstance(value, YamlList):
        pairs = zip(value, value.items_at, strict=False)
        return tuple(_tree(item, at, context, depth + 1) for item, at in pairs)
    return value


def _save(node: YamlMap | None, context: Context) -> Iterator[tuple[str, str]]:
    for slot, pointer, place in named(node):
        if node is None or not isinstance(pointer, str):
            continue
        context.fill(slot, place)
        if is_pointer(pointer, value_place(node, slot), context):
            yield slot, pointer
