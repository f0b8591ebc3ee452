"""What a condition can be whatever its names mean: ``x and not x`` never holds, ``x == 'a' or x != 'a'`` always does.

Each part that is no ``and``, ``or`` or ``not`` may be true or false, but is the same wherever it is repeated; a value
that is compared with several constants is one of them, or none. What else parts have to do with each other is not
looked at, so that more is thought possible than is.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from math import prod
from typing import Any

from jinja2 import TemplateError, nodes

from supportbot.model.steps import Expression
from supportbot.model.templating import environment
from supportbot.proofs.domains import Name

MOST_WORLDS = 4_096
Domain = Callable[[Name], tuple[object, ...] | None]
_OTHER = object()  # a value that is compared with nothing
_COMPARISONS: Mapping[str, Callable[[Any, Any], object]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}


def possible_verdicts(expression: Expression, domain: Domain) -> set[bool]:
    """What the expression can be; empty when that cannot be said."""
    try:
        tree = environment().parse("{{ " + expression.source + " }}")
    except TemplateError:
        return set()
    outputs = [node for output in tree.body if isinstance(output, nodes.Output) for node in output.nodes]
    if len(outputs) != 1:
        return set()
    parts = list(_parts(outputs[0]))
    values: dict[str, dict[object, None]] = {}
    for part in parts:
        key, given = _values(part, domain)
        values.setdefault(key, {}).update(dict.fromkeys(given))
    if prod(map(len, values.values())) > MOST_WORLDS:
        return set()
    try:
        worlds = (dict(zip(values, world, strict=True)) for world in product(*values.values()))
        found = {_truth(outputs[0], world, domain) for world in worlds}
    except TypeError:  # values that cannot be compared
        return set()
    fails = any(isinstance(part, nodes.Compare) and repr(part) in values for part in parts)
    return set() if fails and found == {True} else found  # a comparison that fails makes all of it false


def _parts(node: nodes.Node) -> Iterator[nodes.Node]:
    if isinstance(node, nodes.And | nodes.Or):
        yield from _parts(node.left)
        yield from _parts(node.right)
    elif isinstance(node, nodes.Not):
        yield from _parts(node.node)
    else:
        yield node


def _compared(part: nodes.Node) -> tuple[nodes.Node, str, object] | None:
    """The value, the comparison and the constant of ``x == 'a'``; the value may be on either side of ``==``."""
    if not isinstance(part, nodes.Compare) or len(part.ops) != 1:
        return None
    left, how, right = part.expr, part.ops[0].op, part.ops[0].expr
    if isinstance(left, nodes.Const) and how in ("eq", "ne"):
        left, right = right, left
    if how not in _COMPARISONS or not isinstance(right, nodes.Const) or isinstance(left, nodes.Const):
        return None
    return left, how, right.value


def _values(part: nodes.Node, domain: Domain) -> tuple[str, tuple[object, ...]]:
    """What a part depends on, and its values."""
    compared = _compared(part)
    subject = compared[0] if compared else part
    known = _known(subject, domain)
    if known is not None:
        return repr(subject), known
    if compared and compared[1] in ("eq", "ne"):
        return f"== {subject!r}", (_OTHER, compared[2])
    return repr(part), (True, False)


def _known(node: nodes.Node, domain: Domain) -> tuple[object, ...] | None:
    if isinstance(node, nodes.Const):
        return (node.value,)
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        return domain((node.node.name, node.attr))
    return None


def _truth(node: nodes.Node, world: Mapping[str, object], domain: Domain) -> bool:
    if isinstance(node, nodes.And):
        return _truth(node.left, world, domain) and _truth(node.right, world, domain)
    if isinstance(node, nodes.Or):
        return _truth(node.left, world, domain) or _truth(node.right, world, domain)
    if isinstance(node, nodes.Not):
        return not _truth(node.node, world, domain)
    key, _ = _values(node, domain)
    compared = _compared(node)
    if compared is None or key == repr(node):
        return bool(world[key])
    return bool(_COMPARISONS[compared[1]](world[key], compared[2]))


def impossible_values(expression: Expression, domain: Domain) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Texts that a name is compared with and never has, each with all that it can have."""
    try:
        tree = environment().parse("{{ " + expression.source + " }}")
    except TemplateError:
        return
    for part in tree.find_all(nodes.Compare):
        compared = _compared(part)
        known = _known(compared[0], domain) if compared else None
        if compared and known and isinstance(compared[2], str) and compared[2] not in known:
            yield compared[2], tuple(value for value in known if isinstance(value, str) and value)
