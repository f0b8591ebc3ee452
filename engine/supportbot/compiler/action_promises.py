"""What one action must have by itself: a path, and the reference that it is looked for by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from supportbot.compiler.context import Context
from supportbot.compiler.nodes import value_place
from supportbot.compiler.template_places import Spot
from supportbot.compiler.templates import read_template
from supportbot.config.yaml_nodes import YamlMap
from supportbot.model.bot import Action, BodyMap
from supportbot.model.steps import Template

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
REFERENCE = "reference"


def templates_in(tree: object) -> Iterator[Template]:
    """All templates of a body."""
    if isinstance(tree, Template):
        yield tree
    elif isinstance(tree, BodyMap):
        for _, item in tree.items:
            yield from templates_in(item)
    elif isinstance(tree, tuple):
        for item in tree:
            yield from templates_in(item)


def check_promises(actions: Mapping[str, Action], nodes: Mapping[str, YamlMap], context: Context) -> None:
    """Report what is wrong in each action; ``nodes`` has the YAML of each."""
    for action in actions.values():
        _check_path(action, nodes[action.id], context)
        _check_reference(action, actions, context)


def _check_path(action: Action, node: YamlMap, context: Context) -> None:
    path = action.path.source
    if path and (not path.startswith("/") or path.startswith("//") or _SCHEME.match(path.lstrip("/"))):
        message = f"the path of '{action.id}' is not a path of its connection"
        hint = "begin it with one /, as in /tickets; the address of the service stands in base_url of the connection"
        context.refs.error("bad-request", value_place(node, "path"), message, hint)


def _check_reference(action: Action, actions: Mapping[str, Action], context: Context) -> None:
    """A search for a reference that was never written finds nothing, and so the write is made again."""
    read = actions.get(action.reconcile.action) if action.reconcile else None
    if read is None or read.find is None:
        return
    searched = [item.value for item in read.find.where] + [value for _, value in read.query] + [read.path]
    written = [action.path, *(value for _, value in action.query), *templates_in(action.body)]
    if _names(searched) and not _names(written):
        message = f"'{read.id}' looks for the reference, which '{action.id}' never sends: it would be done twice"
        hint = f"write {{{{ reference }}}} into a field of '{action.id}' that '{read.id}' can find it in"
        context.refs.error("double-write", action.place, message, hint)


def _names(templates: Iterable[Template]) -> bool:
    """Whether any of them reads the reference."""
    return any(
        name.path[0] == REFERENCE
        for item in templates
        if not item.literal
        for name in read_template(item.source, Spot(item.source, item.place)).content.names
    )
