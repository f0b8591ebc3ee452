"""Check a document against its JSON Schema, with findings that a person can act on."""

from __future__ import annotations

from typing import Any

from supportbot.diagnostics import Diagnostic


def check(kind: str, data: Any, file: str) -> list[Diagnostic]:
    """What is wrong with the shape of a document of this kind, all of it."""
    return []
