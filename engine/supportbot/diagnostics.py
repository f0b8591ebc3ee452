"""Findings about a bot: a place, a stable code, a severity, a message and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
MAX_MESSAGE = 300  # characters
MAX_HINT = 600
_MAX_NAME = 200  # characters of a name that is compared with others; comparing is quadratic


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

    def __post_init__(self) -> None:
        _shorten(self)


@dataclass(frozen=True, slots=True)
class Fix:
    """The one safe edit that mends a finding: inside ``place``, the text ``old`` becomes ``new``.

    ``old`` must stand there exactly once, whatever quotes are around it; an edit that no longer fits is not made.
    Without ``old`` the whole of ``place`` is replaced. With neither, it is an entry of a list, or a comment, and goes
    with its dash or comma.
    """

    place: Place
    old: str = ""
    new: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. ``code`` is stable and documented in docs/checks.md.

    ``fix``: only where one edit is surely right.
    """

    code: str
    severity: Severity
    place: Place
    message: str
    hint: str = ""
    related: tuple[Related, ...] = ()
    fix: Fix | None = None

    def __post_init__(self) -> None:
        _shorten(self)

    def __str__(self) -> str:
        where = f"{self.place.file}:{self.place.line}:{self.place.column}"
        return f"{where}: {self.severity} [{self.code}] {self.message}"


def _shorten(item: Diagnostic | Related) -> None:
    """Findings repeat texts of the bot, which may have any length; both ends of what is said stay."""
    if len(item.message) > MAX_MESSAGE:
        object.__setattr__(item, "message", _cut(item.message, MAX_MESSAGE))
    if isinstance(item, Diagnostic) and len(item.hint) > MAX_HINT:
        object.__setattr__(item, "hint", _cut(item.hint, MAX_HINT))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit * 2 // 3] + "…" + text[-(limit // 3 - 1) :]


def error(
    code: str, place: Place, message: str, hint: str = "", *related: Related, fix: Fix | None = None
) -> Diagnostic:
    return Diagnostic(code, "error", place, message, hint, related, fix)


def warning(
    code: str, place: Place, message: str, hint: str = "", *related: Related, fix: Fix | None = None
) -> Diagnostic:
    return Diagnostic(code, "warning", place, message, hint, related, fix)


def info(
    code: str, place: Place, message: str, hint: str = "", *related: Related, fix: Fix | None = None
) -> Diagnostic:
    return Diagnostic(code, "info", place, message, hint, related, fix)


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted by file and place, each finding once."""
    unique = dict.fromkeys(diagnostics)
    return tuple(sorted(unique, key=lambda item: (item.place, SEVERITIES.index(item.severity), item.code)))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known id, or the known ones when none is near."""
    names: Sequence[str] = sorted({item for item in known if item})
    compared = [item for item in names if len(item) <= _MAX_NAME] if len(name) <= _MAX_NAME else []
    near = difflib.get_close_matches(name, compared, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    if not names:
        return ""
    shown = ", ".join(_cut(item, 60) for item in names[:12])
    return f"known: {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def correction(place: Place, name: str, known: Iterable[str]) -> Fix | None:
    """The edit that turns a misspelt name into the known one, when no other is as near and no digit changes.

    Names that differ in their digits (``step_1``, ``step_2``) are not misspelt: something is missing. Nor are very
    short ones, where one letter is half of the word.
    """
    allowed = 0 if not 4 <= len(name) <= _MAX_NAME else 1 if len(name) < 8 else 2
    digits = _digits(name)
    near = [
        (_distance(name, other), other)
        for other in set(known)
        if len(other) > 2 and abs(len(other) - len(name)) <= allowed and _digits(other) == digits
    ]
    best = min((distance for distance, _ in near), default=0)
    nearest = [other for distance, other in near if distance == best]
    return Fix(place, name, nearest[0]) if 0 < best <= allowed and len(nearest) == 1 else None


def _digits(name: str) -> list[str]:
    return [character for character in name if character.isdigit()]


def _distance(left: str, right: str) -> int:
    """Letters left out, added, changed or swapped with their neighbor; capitals count for nothing."""
    left, right = left.lower(), right.lower()
    if left == right:
        return 1  # only the case differs, which is one edit
    before: list[int] = []
    row = list(range(len(right) + 1))
    for line, letter in enumerate(left, start=1):
        earlier, before, row = before, row, [line]
        for column, other in enumerate(right, start=1):
            best = min(row[-1] + 1, before[column] + 1, before[column - 1] + (letter != other))
            if line > 1 and column > 1 and letter == right[column - 2] and left[line - 2] == other:
                best = min(best, earlier[column - 2] + 1)
            row.append(best)
    return row[-1]
