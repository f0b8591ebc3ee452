"""Where a YAML parser stopped, and what is said about it; shared by the explanations of broken YAML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_VALUE = re.compile(
    r"""^(?P<lead>[ ]*(?:-[ ]+)*)                                             # indentation and dashes
        (?:(?P<key>'[^']*' | "[^"]*" | [^\s'"\[\]{}#&*!|>%@`,?-][^#]*?):[ ]+)?  # a key
        (?P<value>\S.*?)(?:\s+\#.*)?$""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Stop:
    """Where and why the parser stopped. Lines and columns count from 0."""

    lines: tuple[str, ...]
    line: int
    column: int
    problem: str
    context: str
    context_line: int
    context_column: int

    @property
    def text(self) -> str:
        return self.line_at(self.line)

    def line_at(self, number: int) -> str:
        """A line, or nothing past the last one, where the parser stops when something is not closed."""
        return self.lines[number] if number < len(self.lines) else ""

    @property
    def letter(self) -> str:
        return self.text[self.column : self.column + 1]

    @property
    def indent(self) -> int:
        return len(self.text) - len(self.text.lstrip(" "))

    def above(self) -> int | None:
        """Number of the nearest line above that is neither blank nor a comment."""
        for number in range(min(self.line, len(self.lines)) - 1, -1, -1):
            line = self.lines[number].strip()
            if line and not line.startswith("#"):
                return number
        return None

    def value(self) -> tuple[str, int]:
        """The value that this line begins, and its column."""
        found = _VALUE.match(self.text)
        return (found["value"], found.start("value")) if found else ("", 0)


@dataclass(frozen=True, slots=True)
class Finding:
    message: str
    hint: str
    line: int
    start: int
    end: int
    mended: str | None = None  # what must stand there, when nothing else can be meant


def quoted(text: str) -> str:
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def quote_hint(text: str) -> str:
    """The hint to quote a text, with the text when it is short."""
    return f"put the text in quotes: {quoted(text)}" if len(text) <= 80 else "put the text in quotes"


def goes_on(lines: Sequence[str], number: int, column: int, value: str) -> str:
    """A hint when a text without quotes is more than ``value``, which begins in this line (from 0) and column.

    Quotes around ``value`` alone would make the rest of the text a comment, or no YAML.
    """
    text = lines[number]
    rest = text[column + len(value) :].rstrip()
    if re.match(r"\s{2,}# ", rest):  # surely a comment
        rest = ""
    rest = rest.lstrip()
    if " #" in value or rest.startswith("#"):
        return "put the whole text in quotes; if the # begins a comment, the quotes end before it"
    if rest and rest[0] not in ",]}":
        return "put the whole text in quotes"
    following = next((line for line in lines[number + 1 :] if line.strip()), "")
    indent = len(following) - len(following.lstrip(" "))
    if not rest and indent > _outer(text) and not following.lstrip().startswith("#"):
        return "put the whole text in quotes, with the lines below that belong to it"
    return ""


def _outer(text: str) -> int:
    """Where the key or the dash stands whose value the line begins: what is indented more belongs to the value."""
    found = _VALUE.match(text)
    if found is None:
        return len(text) - len(text.lstrip(" "))
    return found.start("key") if found["key"] else max(found["lead"].rfind("-"), 0)


def is_one_text(value: str) -> bool:
    """Whether quotes around all of it are surely meant: no quotes in it, no bracket or brace that is left open."""
    if "'" in (value[:1], value[-1:]) or '"' in value:
        return False
    return all(value.count(pair[0]) == value.count(pair[1]) for pair in ("()", "[]", "{}"))


def one_text(text: str) -> str:
    """What of the rest of a line is one value: inside brackets it ends at their comma or end."""
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter in "{[") - (letter in "]}")
        if depth < 0:
            return text[:at].rstrip()
        if letter == "," and not depth and text.count("}") + text.count("]") > text.count("{") + text.count("["):
            return text[:at].rstrip()
    return text
