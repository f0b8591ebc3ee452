"""From an offset inside a scalar's value back to its place in the source."""

from __future__ import annotations

import re
from functools import lru_cache

from supportbot.diagnostics import Place

_BREAK = re.compile(r"\r\n|\n|\r")
_SIMPLE_ESCAPES = frozenset('0abtnvfre "/\\N_LP\t')
_CODED_ESCAPES = {"x": 2, "u": 4, "U": 8}


@lru_cache(maxsize=8)
def lines_of(source: str) -> tuple[str, ...]:
    """The lines as editors count them. ``str.splitlines`` also splits at form feeds and more."""
    return tuple(_BREAK.split(source))


def locate(source: str, place: Place, offset: int, length: int) -> Place:
    """Place of ``length`` characters at ``offset`` of the scalar's value, whose whole place is ``place``.

    Exact for plain and quoted texts on one line and for lines of ``|`` blocks; the whole place for the rest.
    """
    lines = lines_of(source)
    if not 1 <= place.line <= len(lines):
        return place
    line = lines[place.line - 1]
    first = line[place.column - 1 : place.column]
    if first == "|":
        return _in_block(lines, place, offset, length)
    if place.line != place.end_line or first == ">":
        return place
    raw = line[place.column - 1 : place.end_column - 1]
    if first == "'":
        columns = _single_quoted(raw)
    elif first == '"':
        columns = _double_quoted(raw)
    else:
        columns = list(range(len(raw) + 1))
    start, end = offset, offset + max(length, 0)
    if not 0 <= start <= end < len(columns):
        return place
    at = place.column
    return Place(place.file, place.line, at + columns[start], place.line, at + columns[end])


def _single_quoted(raw: str) -> list[int]:
    """Raw column of each character of the value, and of its end."""
    columns = []
    at = 1
    while at < len(raw) - 1:
        columns.append(at)
        at += 2 if raw[at : at + 2] == "''" else 1
    return [*columns, at]


def _double_quoted(raw: str) -> list[int]:
    columns = []
    at = 1
    while at < len(raw) - 1:
        columns.append(at)
        if raw[at] != "\\":
            at += 1
        elif raw[at + 1] in _CODED_ESCAPES:
            at += 2 + _CODED_ESCAPES[raw[at + 1]]
        elif raw[at + 1] in _SIMPLE_ESCAPES:
            at += 2
        else:
            return []
    return [*columns, at]


def _in_block(lines: tuple[str, ...], place: Place, offset: int, length: int) -> Place:
    """In a literal block each line of the value is a line of the source, less the indentation."""
    header = lines[place.line - 1][place.column - 1 :]
    if re.match(r"\|[-+]?[1-9]", header):
        return place  # the indentation is relative to a parent that is not known here
    body = lines[place.line : place.end_line]
    indent = next((len(line) - len(line.lstrip(" ")) for line in body if line.strip(" ")), 0)
    left = offset
    for number, line in enumerate(body, start=place.line + 1):
        width = max(0, len(line) - indent)
        if left <= width:
            end = min(left + max(length, 0), width)
            return Place(place.file, number, indent + left + 1, number, indent + end + 1)
        left -= width + 1
    return place
