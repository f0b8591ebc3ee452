"""Make the edits that findings carry, on the text itself: comments and layout stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from supportbot.diagnostics import Fix, Place

_BREAK = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """``source[start:end]`` becomes ``text``."""

    start: int
    end: int
    text: str


def mend(source: str, fixes: Iterable[Fix]) -> tuple[str, int]:
    """The text with all edits that fit and do not touch each other, the first ones first, and how many those were."""
    starts = [0, *(match.end() for match in _BREAK.finditer(source))]
    wanted = {edit for fix in fixes if (edit := _edit(source, starts, fix)) is not None}
    parts: list[str] = []
    done = made = 0
    for edit in sorted(wanted):
        if edit.start < done or (made and edit.start == done):  # neighbors may depend on each other: next time
            continue
        parts += [source[done : edit.start], edit.text]
        done, made = edit.end, made + 1
    return "".join([*parts, source[done:]]), made


def _edit(source: str, starts: list[int], fix: Fix) -> Edit | None:
    span = _span(source, starts, fix.place)
    if span is None:
        return None
    start, end = span
    if not fix.old and not fix.new:
        return _removal(source, start, end)
    if fix.old:
        found = source[start:end]
        if found.count(fix.old) != 1:
            return None
        start += found.index(fix.old)
        end = start + len(fix.old)
    return None if source[start:end] == fix.new else Edit(start, end, fix.new)


def _span(source: str, starts: list[int], place: Place) -> tuple[int, int] | None:
    if not 1 <= place.line <= place.end_line <= len(starts):
        return None
    start = starts[place.line - 1] + place.column - 1
    end = starts[place.end_line - 1] + place.end_column - 1
    return (start, end) if 0 <= start < end <= len(source) else None


def _removal(source: str, start: int, end: int) -> Edit | None:
    """An entry of a list with its dash or comma, or a comment; None when anything else would go with it."""
    first = max(source.rfind("\n", 0, start), source.rfind("\r", 0, start)) + 1
    line_break = _BREAK.search(source, end)
    last = line_break.start() if line_break else len(source)
    before, after = source[first:start], source[end:last]
    if source[start] == "#":
        return _comment(source, first, start, line_break.end() if line_break else len(source), last)
    if re.fullmatch(r"[ ]*-[ ]+", before) and not after.strip():
        return Edit(first, line_break.end() if line_break else len(source), "")
    comma = re.search(r",[ ]*$", before)
    if comma and re.match(r"[ ]*[],]", after):
        return Edit(first + comma.start(), end, "")
    following = re.match(r"[ ]*,[ ]*(?=[^\s#])", after)
    if following and re.search(r"\[[ ]*$", before):
        return Edit(start, end + following.end(), "")
    return None


def _comment(source: str, first: int, start: int, next_line: int, last: int) -> Edit:
    """A comment up to the end of its line, and the line when nothing else is in it."""
    text = source[first:start].rstrip(" ")
    return Edit(first, next_line, "") if not text else Edit(first + len(text), last, "")
