"""Where in a file a part of a template is written.

YAML folds, escapes and indents, so a template's own line numbers are not the file's. The words
of a template survive all that: the third ``summary`` of the text is the third of the file's span.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from supportbot.config.yaml_place import lines_of
from supportbot.diagnostics import Place

_BREAK = re.compile(r"\r\n|\r|\n")  # as Jinja2 counts lines
_MARKUP = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_BETWEEN = r"""\s*(?:\.\s*|\[\s*\\?["'])"""  # slots.name or slots["name"], whose quotes YAML may escape


@dataclass(frozen=True, slots=True)
class Spot:
    """A template's text, its place, and the lines of the file that it stands in (may be empty)."""

    text: str
    place: Place
    file_source: str = ""

    def line(self, lineno: int) -> Place:
        """The place of a line of the template (from 1); the whole scalar when it has only one."""
        raw = self._lines()
        first, last = self.place.line, self.place.end_line
        if not raw or first == last:
            return self.place
        head = raw[first - 1][self.place.column - 1 :].lstrip() if first <= len(raw) else ""
        number = min(first + lineno - (0 if head[:1] in ("|", ">") else 1), last, len(raw))
        content = raw[number - 1]
        start = len(content) - len(content.lstrip()) + 1
        return Place(self.place.file, number, start, number, max(len(content.rstrip()), start) + 1)

    def find(self, path: tuple[str, ...], lineno: int, part: int = 1) -> Place:
        """The place of a part (from 1) of a name such as ``slots.summary`` on a line of the template."""
        pattern = re.compile(r"(?<![\w.])" + _BETWEEN.join(f"({re.escape(name)})" for name in path) + r"(?!\w)")
        before = _ends(pattern, self.text, part)
        wanted = next((at for at, end in enumerate(before) if _line_of(self.text, end) >= lineno), None)
        first, raw = self._span()
        written = _ends(pattern, raw, part)
        if wanted is None or wanted >= len(written):
            return self.line(lineno)
        end = written[wanted]
        line = raw.count("\n", 0, end)
        column = end - (raw.rfind("\n", 0, end) + 1) + (first if line == 0 else 1)
        number = self.place.line + line
        return Place(self.place.file, number, column - len(path[part - 1]), number, column)

    def _lines(self) -> Sequence[str]:
        return lines_of(self.file_source) if self.file_source else ()

    def _span(self) -> tuple[int, str]:
        """Column of the first character of the scalar, and the scalar as the file has it."""
        place = self.place
        lines = list(self._lines()[place.line - 1 : place.end_line])
        if not lines:
            return place.column, ""
        if len(lines) == place.end_line - place.line + 1:
            lines[-1] = lines[-1][: place.end_column - 1]
        lines[0] = lines[0][place.column - 1 :]
        return place.column, "\n".join(lines)


def _ends(pattern: re.Pattern[str], text: str, part: int) -> list[int]:
    """Where a part of the matches ends; those outside of the markup are plain words and do not count."""
    marked = list(_MARKUP.finditer(text))
    if not marked:
        return [found.end(part) for found in pattern.finditer(text)]
    return [found.end(part) for mark in marked for found in pattern.finditer(text, mark.start(), mark.end())]


def _line_of(text: str, offset: int) -> int:
    return len(_BREAK.findall(text, 0, offset)) + 1
