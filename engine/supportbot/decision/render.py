"""Templates and expressions at work: pure, bounded, never raising."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import Template as Program
from jinja2 import TemplateError
from jinja2.environment import TemplateExpression

from supportbot.model.steps import Expression, Template
from supportbot.model.templating import OUTPUT_CHARS, environment

Scope = Mapping[str, object]


def render(template: Template, scope: Scope) -> str:
    """The text of a template; cut at OUTPUT_CHARS. A template that fails gives an empty text."""
    if template.literal:
        return template.source
    pieces: list[str] = []
    size = 0
    try:
        for piece in _program(template.source).generate(scope):
            pieces.append(piece)
            size += len(piece)
            if size > OUTPUT_CHARS:
                break
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError):
        return ""
    return "".join(pieces)[:OUTPUT_CHARS].strip()


def holds(expression: Expression, scope: Scope) -> bool:
    """Whether an expression is true; one that fails is not."""
    try:
        return bool(_expression(expression.source)(**scope))
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError):
        return False


@lru_cache(maxsize=4096)
def _program(source: str) -> Program:
    return environment().from_string(source)


@lru_cache(maxsize=1024)
def _expression(source: str) -> TemplateExpression:
    return environment().compile_expression(source, undefined_to_none=False)
