"""The one Jinja2 environment: what templates and expressions may use, and how they are run.

Compiling a template runs nothing and folds nothing (``optimized=False``: constant folding would let
``{{ 'a' * 10**9 }}`` hang the compiler). Names that are not given are errors, not empty text.
"""

from __future__ import annotations

from functools import cache

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

FILTERS = ("default", "lower", "upper", "title", "trim", "truncate", "replace", "join", "length", "round", "int")
OUTPUT_CHARS = 8_000


@cache
def environment() -> ImmutableSandboxedEnvironment:
    """The sandbox, with only the filters and tests of the language and no globals at all."""
    sandbox = ImmutableSandboxedEnvironment(
        optimized=False, undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
    )
    sandbox.globals = {}
    sandbox.filters = {name: sandbox.filters[name] for name in FILTERS}
    sandbox.tests = {name: sandbox.tests[name] for name in ("defined", "none", "undefined")}
    return sandbox
