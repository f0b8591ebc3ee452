"""Which type an unquoted scalar has: the small, safe part of YAML 1.2's core schema.

Only ``true``, ``false``, ``null``, ``~``, nothing, decimal integers and decimal fractions are
typed. Everything that older YAML versions turn into something else (``yes``, ``010``, ``10:30``,
``1_000``, dates) and everything that loses characters as a number (``+44...``) stays text.
"""

from __future__ import annotations

import math
import re

WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
NUMBER_STARTS = frozenset("-.0123456789")
MAX_DIGITS = 18  # what fits into 64 bits; longer digit strings are ids or mistakes, not quantities

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_FRACTION = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF|nan|NaN|NAN)\Z")


class NumberProblem(ValueError):
    """A number that cannot be kept; the text says why. ``code`` is the diagnostic's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def typed(text: str) -> str | int | float | bool | None:
    """Value of an unquoted scalar. Raises NumberProblem for numbers that are too long or not finite."""
    if text in WORDS:
        return WORDS[text]
    if text[0] not in NUMBER_STARTS and text[0] != "+":
        return text
    if _INTEGER.match(text):
        digits = len(text.lstrip("-"))
        if digits > MAX_DIGITS:
            raise NumberProblem("number-too-long", f"this number has {digits} digits, too many to count with")
        return int(text)
    if _FRACTION.match(text):
        value = float(text) if len(text) <= 400 else math.inf
        if not math.isfinite(value):
            raise NumberProblem("number-too-long", "this number is too large")
        return value
    if _NOT_FINITE.match(text):
        raise NumberProblem("not-a-number", f"{text} stands for infinity or 'not a number', which means nothing here")
    return text
