"""Findings about a bot: a place, a stable code, a severity, a message and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A span in a file of the bot folder. Lines and columns count characters from 1; the end is exclusive."""

    file: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that belongs to a finding, e.g. where an id was defined first."""

    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. ``code`` is stable and documented in docs/checks.md."""

    code: str
    severity: Severity
    place: Place
    message: str
    hint: str = ""
    related: tuple[Related, ...] = ()

    def __str__(self) -> str:
        where = f"{self.place.file}:{self.place.line}:{self.place.column}"
        return f"{where}: {self.severity} [{self.code}] {self.message}"


def error(code: str, place: Place, message: str, hint: str = "", *related: Related) -> Diagnostic:
    return Diagnostic(code, "error", place, message, hint, related)


def warning(code: str, place: Place, message: str, hint: str = "", *related: Related) -> Diagnostic:
    return Diagnostic(code, "warning", place, message, hint, related)


def info(code: str, place: Place, message: str, hint: str = "", *related: Related) -> Diagnostic:
    return Diagnostic(code, "info", place, message, hint, related)


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted by file and place, each finding once."""
    unique = dict.fromkeys(diagnostics)
    return tuple(sorted(unique, key=lambda item: (item.place, SEVERITIES.index(item.severity), item.code)))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known id, or the known ones when none is near."""
    names: Sequence[str] = sorted({item for item in known if item})
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    if not names:
        return ""
    shown = ", ".join(names[:12])
    return f"known: {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")
