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

    def find(self, word: str, lineno: int) -> Place:
        """The place of a word that the template holds on a line (from 1)."""
        pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
        lines = _BREAK.split(self.text)
        before = sum(len(pattern.findall(line)) for line in lines[: lineno - 1])
        for number, start, content in self._span():
            for found in pattern.finditer(content):
                if before == 0:
                    column = start + found.start()
                    return Place(self.place.file, number, column, number, column + len(word))
                before -= 1
        return self.line(lineno)

    def _lines(self) -> Sequence[str]:
        return lines_of(self.file_source) if self.file_source else ()

    def _span(self) -> list[tuple[int, int, str]]:
        """The file's lines of the scalar: number, column of the first character, text."""
        raw, place = self._lines(), self.place
        span: list[tuple[int, int, str]] = []
        for number in range(place.line, min(place.end_line, len(raw)) + 1):
            content = raw[number - 1]
            if number == place.end_line:
                content = content[: place.end_column - 1]
            start = place.column if number == place.line else 1
            span.append((number, start, content[start - 1 :]))
        return span
