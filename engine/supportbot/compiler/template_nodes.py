"""The part of Jinja2's syntax that a bot may use, as a list of its tree nodes.

What is not listed is refused, so a new kind of node in a later Jinja2 is refused too. Beyond
the list, three things are bounded, because the length of a result must stay near the length of
what was put in: repeated ``replace`` and ``join``, the digits of ``round``, and loops.
"""

from __future__ import annotations

from typing import Final

from jinja2 import nodes

TESTS: Final = frozenset({"defined", "none", "undefined"})
LOOP_PARTS: Final = frozenset({"index", "index0", "first", "last", "length"})
GROWING: Final = frozenset({"replace", "join"})
# Jinja2 finds these on the mapping itself before it looks for a key.
METHODS: Final = frozenset(name for name in dir(dict) if not name.startswith("_"))
MAX_GROWING: Final = 2
MAX_INSERTED: Final = 40

ALLOWED: Final[frozenset[type[nodes.Node]]] = frozenset(
    {
        nodes.Template,
        nodes.Output,
        nodes.TemplateData,
        nodes.Name,
        nodes.Getattr,
        nodes.Getitem,
        nodes.Filter,
        nodes.Keyword,
        nodes.If,
        nodes.CondExpr,
        nodes.Compare,
        nodes.Operand,
        nodes.And,
        nodes.Or,
        nodes.Not,
        nodes.Neg,
        nodes.Const,
        nodes.For,
        nodes.Concat,
        nodes.Test,
        nodes.Add,
        nodes.Sub,
        nodes.List,
        nodes.Tuple,
    }
)

NAMES: Final[dict[type[nodes.Node], str]] = {
    nodes.Call: "calling something",
    nodes.Assign: "{% set %}",
    nodes.AssignBlock: "{% set %}",
    nodes.Macro: "{% macro %}",
    nodes.Include: "{% include %}",
    nodes.Import: "{% import %}",
    nodes.FromImport: "{% import %}",
    nodes.Extends: "{% extends %}",
    nodes.Block: "{% block %}",
    nodes.Mul: "multiplication",
    nodes.Pow: "powers",
    nodes.Div: "division",
    nodes.FloorDiv: "division",
    nodes.Mod: "%",
    nodes.Dict: "a {...} literal",
    nodes.Slice: "a [from:to] part",
}

USE: Final = "allowed are {{ names }}, filters, if, comparisons, and/or/not, ~, + and -, and for over a result's list"

Why = tuple[str, str]


def path_of(node: nodes.Node) -> tuple[str, ...] | None:
    """``slots.summary`` or ``slots["summary"]`` as a path; None when it does not begin with a name."""
    parts: list[str] = []
    while not isinstance(node, nodes.Name):
        if isinstance(node, nodes.Getattr):
            parts.append(node.attr)
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            parts.append(str(node.arg.value))
        else:
            return None
        node = node.node
    return (node.name, *reversed(parts))


def forbidden(node: nodes.Node) -> Why | None:
    """Why a node is refused (what, how to mend it), or None."""
    if type(node) not in ALLOWED:
        what = NAMES.get(type(node), type(node).__name__)
        return f"{what} is not allowed in a template", USE
    if isinstance(node, nodes.Getattr | nodes.Getitem):
        return _path_problem(node)
    if isinstance(node, nodes.Filter):
        return _filter_problem(node)
    if isinstance(node, nodes.For):
        return _loop_problem(node)
    if isinstance(node, nodes.List | nodes.Tuple) and not all(isinstance(item, nodes.Const) for item in node.items):
        return "a list in a template may hold only texts and numbers", 'e.g. {% if session.state in ["a", "b"] %}'
    return None


def _path_problem(node: nodes.Getattr | nodes.Getitem) -> Why | None:
    path = path_of(node)
    if path is None:
        return "only a part of a known name can be taken, with a fixed key", "write e.g. slots.name"
    if any(part.startswith("_") for part in path):
        return f"'{'.'.join(path)}' is not allowed: no part may begin with _", "write e.g. slots.name"
    if isinstance(node, nodes.Getattr) and node.attr in METHODS:
        return f"'{node.attr}' cannot be read with a dot", f'write {path[0]}["{node.attr}"]'
    if path[0] == "loop" and path[1:] and path[1] not in LOOP_PARTS:
        return f"loop has no '{path[1]}'", "use loop.index, loop.first or loop.last"
    return None


def _loop_problem(node: nodes.For) -> Why | None:
    path = path_of(node.iter)
    if path is None or path[0] != "result":
        return "for may only go over a list of an action's result", "write e.g. {% for item in result.rows %}"
    if node.recursive or node.test is not None or not isinstance(node.target, nodes.Name):
        return "this form of for is not allowed", "write {% for item in result.rows %}...{% endfor %}"
    if any(True for _ in node.find_all(nodes.For)):
        return "a for inside a for is not allowed", "put the inner list into a response of its own"
    return None


def _filter_problem(node: nodes.Filter) -> Why | None:
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return "* and ** are not allowed in a filter", "write the values one by one"
    if node.name in GROWING:
        return _growth_problem(node)
    if node.name in {"round", "int"}:
        return _digits_problem(node)
    return None


def _growth_problem(node: nodes.Filter) -> Why | None:
    values = [item.value if isinstance(item, nodes.Const) else None for item in node.args]
    if node.kwargs or not all(isinstance(value, str) and len(value) <= MAX_INSERTED for value in values):
        return f"{node.name} takes fixed texts of at most {MAX_INSERTED} characters", 'e.g. replace("a", "b")'
    if node.name == "replace" and (len(values) != 2 or not values[0]):
        return "replace takes the text to look for and the text to put there", 'e.g. replace("a", "b")'
    if sum(_grows(item) for item in (node, *node.find_all(nodes.Filter))) > MAX_GROWING:
        return f"at most {MAX_GROWING} joins and replacements by longer texts may be chained", "do less in one template"
    return None


def _grows(node: nodes.Filter) -> bool:
    """Whether the result can be many times as long as the text that is filtered."""
    if node.name != "replace":
        return node.name == "join"
    lengths = [len(str(item.value)) for item in node.args if isinstance(item, nodes.Const)]
    return len(lengths) == 2 and lengths[1] > lengths[0]


def _digits_problem(node: nodes.Filter) -> Why | None:
    values = [item.value if isinstance(item, nodes.Const) else None for item in node.args]
    small = all(isinstance(value, int) and abs(value) <= 10 for value in values)
    if node.kwargs or len(values) > 1 or not small:
        return f"{node.name} takes at most one whole number up to 10", f"write {node.name} or {node.name}(2)"
    return None
