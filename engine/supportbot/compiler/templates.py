"""Jinja2 texts and expressions: parsed, walked against an allow-list, their names checked.

Reading and checking are two steps, because a template may use a slot that a later file fills:
``read_template`` finds what is wrong in itself and lists the names it uses, ``check_names``
compares those with a scope. Nothing is ever evaluated here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from jinja2 import TemplateSyntaxError, nodes
from jinja2.parser import Parser

from supportbot.compiler.template_nodes import ALLOWED, TESTS, forbidden, path_of
from supportbot.compiler.template_places import Spot
from supportbot.diagnostics import Diagnostic, Place, correction, did_you_mean, error
from supportbot.model.steps import Expression, Template
from supportbot.model.templating import FILTERS, environment

MARKS: Final = ("{{", "{%", "{#")
FILLING: Final = "a slot is filled by a form, a {slot:type} pattern, `set` or an action's `save`"
SYNTAX_HINT: Final = "a value is written {{ slots.name }}, a condition {% if hours.open %}...{% endif %}"
TOO_DEEP: Final = ("this template nests too deeply", "write it in simpler parts")
MAX_CHARS: Final = 20_000  # of a text with markup; one without may have any length
MAX_PROMPT_CHARS: Final = 200_000
MAX_DEPTH: Final = 40

# Keys of the names that every template sees; None stands for "any key".
Roots = Mapping[str, frozenset[str] | None]
COMMON: Final[Roots] = {
    "visitor": frozenset({"name", "email", "phone", "language"}),
    "session": frozenset({"attempts", "turns", "state", "category", "guide", "step"}),
    "hours": frozenset({"open", "next_open", "week"}),
    "form": frozenset({"wanted", "possible"}),
    "now": frozenset({"date", "time", "weekday", "hour"}),
    "bot": frozenset({"name", "time_zone"}),
}
CALL_EXTRAS: Final[Roots] = {
    "conversation": frozenset({"id", "channel", "preview", "transcript", "summary"}),
    "reference": frozenset(),
}
PROMPT_EXTRAS: Final[Roots] = {"category": frozenset({"title"}), "state": frozenset(), "knowledge": frozenset()}
GROUPS: Final = frozenset({"slots", "result"})  # have parts even when they have none
NOTHING: Final[Roots] = {}

Visit = tuple[nodes.Node, int, frozenset[str]]  # a node, its depth, the names that loops bind there


@dataclass(frozen=True, slots=True)
class Scope:
    """What a template may name. A root without keys (``frozenset()``) is a plain value."""

    roots: Roots

    def plus(self, extras: Roots) -> Scope:
        return Scope({**self.roots, **extras})


def scope_of(slots: frozenset[str], extras: Roots | None = None) -> Scope:
    """The scope of a bot with these slots."""
    return Scope({"slots": slots, **COMMON, **(extras or {})})


@dataclass(frozen=True, slots=True)
class Name:
    """``slots.summary`` as used: its path and its line in the template."""

    path: tuple[str, ...]
    lineno: int


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding that does not know its file yet. ``word`` is what to point at, else the whole line."""

    code: str
    lineno: int
    message: str
    hint: str
    word: str = ""
    known: Iterable[str] = ()  # what may stand in its place


@dataclass(slots=True)
class Content:
    """What a text uses, and what is wrong with it whatever the scope."""

    names: list[Name] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reading:
    """A template that was read, and where it stands."""

    content: Content
    spot: Spot

    @property
    def slots(self) -> frozenset[str]:
        """The slots that it reads."""
        paths = (name.path for name in self.content.names)
        return frozenset(path[1] for path in paths if path[0] == "slots" and len(path) > 1)

    @property
    def findings(self) -> list[Diagnostic]:
        return [_placed(problem, self.spot) for problem in self.content.problems]


def is_literal(source: str) -> bool:
    """Whether a text holds no markup at all, so that Jinja2 need not see it."""
    return not any(mark in source for mark in MARKS)


def read_template(source: str, spot: Spot) -> Reading:
    if is_literal(source):
        return Reading(Content(), spot)
    limit = MAX_PROMPT_CHARS if spot.place.file.startswith("prompts/") else MAX_CHARS
    return Reading(_too_long(source, limit) or _content(source, expression=False), spot)


def read_expression(source: str, spot: Spot) -> Reading:
    return Reading(_too_long(source, MAX_CHARS) or _content(source, expression=True), spot)


def check_names(reading: Reading, scope: Scope) -> list[Diagnostic]:
    """Findings about names that the scope does not hold."""
    findings = (_check_name(name, scope, reading.spot) for name in dict.fromkeys(reading.content.names))
    return [item for item in findings if item is not None]


def compile_template(
    source: str, place: Place, scope: Scope, file_source: str = ""
) -> tuple[Template, list[Diagnostic]]:
    """A template and what is wrong with it. ``file_source`` sharpens the places of the findings."""
    reading = read_template(source, Spot(source, place, file_source))
    return Template(source, is_literal(source), place), reading.findings + check_names(reading, scope)


def compile_expression(
    source: str, place: Place, scope: Scope, file_source: str = ""
) -> tuple[Expression, list[Diagnostic]]:
    """Like ``compile_template`` for an expression such as ``session.attempts >= 3``."""
    reading = read_expression(source, Spot(source, place, file_source))
    return Expression(source, place), reading.findings + check_names(reading, scope)


# --- reading --------------------------------------------------------------------------------


def _too_long(source: str, limit: int) -> Content | None:
    if len(source) <= limit:
        return None
    message = f"this text has {len(source)} characters; with {{{{ }}}} or {{% %}} in it at most {limit} are possible"
    return Content(problems=[Problem("template-syntax", 1, message, "split it, or write it without markup")])


# Rules repeat their conditions, so each distinct text is parsed once.
@lru_cache(maxsize=4096)
def _content(source: str, expression: bool) -> Content:
    try:
        return _walk(_parse_expression(source) if expression else environment().parse(source))
    except TemplateSyntaxError as problem:
        message = f"the template cannot be read: {_spoken(problem.message or 'syntax error')}"
        hint = _expression_hint(source) if expression else _template_hint(source)
        word = "" if expression else _misread(source, problem.message or "")
        return Content(problems=[Problem("template-syntax", problem.lineno, message, hint, word)])
    except (RecursionError, ValueError, OverflowError):
        message = "this template nests too deeply or holds a number that is too long"
        return Content(problems=[Problem("template-syntax", 1, message, TOO_DEEP[1])])


def _misread(source: str, problem: str) -> str:
    """The word to point at: a tag that there is not, or what begins a value that has no end; empty when unsure."""
    unknown = re.match(r"Encountered unknown tag '(\w+)'", problem)
    if unknown:
        once = (
            len(re.findall(rf"\{{%-?\s*{unknown[1]}\b", source)) == len(re.findall(rf"\b{unknown[1]}\b", source)) == 1
        )
        return unknown[1] if once else ""
    unclosed = re.search(r"\{\{(?!\w)[^{}]*\}(?!\})|\{\{(?!\w)[^}]*$", source)
    return "{{" if unclosed and source.count("{{") == 1 else ""


def _template_hint(source: str) -> str:
    if re.search(r"\{%[^%{}]*\}|\{%[^%}]*$", source):
        return "what begins with {% ends with %}"
    if re.search(r"\{\{[^{}]*\}(?!\})|\{\{[^}]*$", source):
        return "what begins with {{ ends with }}"
    return SYNTAX_HINT


def _expression_hint(source: str) -> str:
    if re.search(r"(?<![=!<>])=(?!=)", source):
        return "two values are compared with ==, for example session.state == 'greeting'"
    if "{{" in source or "{%" in source:
        return "this is an expression already: write it without {{ }} and {% %}"
    if re.search(r"&&|\|\||!(?!=)", source):
        return "write and, or, not instead of &&, || and !"
    return "an expression is written like hours.open and session.attempts >= 2"


def _spoken(problem: str) -> str:
    """What Jinja says, as people would."""
    open_block = re.search(r"block that needs to be closed is '(\w+)'", problem)
    unknown = re.match(r"Encountered unknown tag '(\w+)'", problem)
    if unknown and open_block:
        outer = open_block[1]
        return f"{{% {unknown[1]} %}} is not possible inside {{% {outer} ... %}}, which {{% end{outer} %}} ends"
    if open_block:
        return f"a {{% {open_block[1]} ... %}} is not closed by {{% end{open_block[1]} %}}"
    return f"{{% {unknown[1]} ... %}} is not possible here" if unknown else problem.rstrip(".")


def _parse_expression(source: str) -> nodes.Node:
    parser = Parser(environment(), source, state="variable")
    tree = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateSyntaxError("there is something after the end of the expression", parser.stream.current.lineno)
    return tree


def _walk(tree: nodes.Node) -> Content:
    """Visit every node without recursion, so that a deep tree is a finding and not a crash."""
    content = Content()
    stack: list[Visit] = [(tree, 0, frozenset())]
    while stack:
        node, depth, bound = stack.pop()
        if depth > MAX_DEPTH:
            content.problems.append(Problem("template-forbidden", node.lineno, *TOO_DEEP))
            return content
        content.problems += _problems(node)
        path = path_of(node)
        if path is None:
            stack += reversed(_children(node, depth + 1, bound))
        elif path[0] not in bound:
            content.names.append(Name(path, node.lineno))
    return content


def _children(node: nodes.Node, depth: int, bound: frozenset[str]) -> list[Visit]:
    if isinstance(node, nodes.For):
        return _inside_loop(node, depth, bound)
    if type(node) not in ALLOWED:
        return []
    return [(child, depth, bound) for child in node.iter_child_nodes()]


def _inside_loop(node: nodes.For, depth: int, bound: frozenset[str]) -> list[Visit]:
    names = frozenset({node.target.name}) if isinstance(node.target, nodes.Name) else frozenset()
    inner = bound | names | {"loop"}
    outside: list[Visit] = [(child, depth, bound) for child in (node.iter, *node.else_)]
    return outside + [(child, depth, inner) for child in node.body]


def _problems(node: nodes.Node) -> list[Problem]:
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        message, hint = f"there is no filter '{node.name}'", did_you_mean(node.name, FILTERS)
        return [Problem("unknown-filter", node.lineno, message, hint, node.name, FILTERS)]
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        message, hint = f"there is no test '{node.name}'", "only 'is defined' and 'is none' (and 'is not ...') exist"
        return [Problem("template-forbidden", node.lineno, message, hint, node.name)]
    why = forbidden(node)
    return [] if why is None else [Problem("template-forbidden", node.lineno, *why)]


def _placed(problem: Problem, spot: Spot) -> Diagnostic:
    place = spot.find((problem.word,), problem.lineno) if problem.word else spot.line(problem.lineno)
    return error(problem.code, place, problem.message, problem.hint, fix=correction(place, problem.word, problem.known))


# --- names ----------------------------------------------------------------------------------


_LIKELIEST_LAST = ("bot", "now", "hours", "session", "visitor", "slots")


def _whole_name(key: str, scope: Scope) -> str:
    """``slots.phone`` for a bare ``phone``."""
    found = {item: root for root in _LIKELIEST_LAST for item in scope.roots.get(root) or ()}
    near = difflib.get_close_matches(key, found, n=1, cutoff=0.7)
    return f"did you mean '{found[near[0]]}.{near[0]}'?" if near else ""


def _check_name(name: Name, scope: Scope, spot: Spot) -> Diagnostic | None:
    root, *rest = name.path
    if root not in scope.roots:
        hint = _whole_name(root, scope) or did_you_mean(root, scope.roots)
        return _undefined(name, spot, 1, f"'{root}' is not known here", hint, scope.roots)
    keys = scope.roots[root]
    if not rest:
        plain = keys is not None and not keys and root not in GROUPS
        return None if plain else _not_a_value(name, spot, keys)
    if keys is None:
        return None
    if rest[0] not in keys:
        return _unknown_key(name, spot, keys)
    if len(rest) == 1:
        return None
    whole = f"{root}.{rest[0]}"
    return _undefined(name, spot, 3, f"'{whole}' is a single value and has no parts", f"write {whole}")


def _unknown_key(name: Name, spot: Spot, keys: frozenset[str]) -> Diagnostic:
    root, key = name.path[:2]
    hint = did_you_mean(key, keys)
    if root == "slots":
        message = f"nothing in this bot fills the slot '{key}'"
        place = spot.find(name.path, name.lineno, 2)
        return error("unknown-slot", place, message, hint or FILLING, fix=correction(place, key, keys))
    if not keys and root not in GROUPS:
        return _undefined(name, spot, 2, f"'{root}' is a single value and has no parts", f"write {root}")
    if root == "result":
        hint = hint or "an action's `save` says which parts of its answer are kept"
    return _undefined(name, spot, 2, f"'{root}' has no '{key}'", hint, keys)


def _not_a_value(name: Name, spot: Spot, keys: frozenset[str] | None) -> Diagnostic:
    root = name.path[0]
    parts = ", ".join(f"{root}.{key}" for key in sorted(keys or ())[:6]) or f"{root}.name"
    return _undefined(name, spot, 1, f"'{root}' is a group of values, not a value", f"name one of its parts: {parts}")


def _undefined(name: Name, spot: Spot, part: int, message: str, hint: str, known: Iterable[str] = ()) -> Diagnostic:
    place = spot.find(name.path, name.lineno, part)
    return error("undefined-variable", place, message, hint, fix=correction(place, name.path[part - 1], known))
