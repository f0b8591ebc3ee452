"""The sections of docs/checks.md, which ships with the package: what each code of a finding means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from supportbot.resources import checks_page

_FENCE = re.compile(r"^(```|~~~)")


@dataclass(frozen=True, slots=True)
class Section:
    """``chapter``: the part of the page it stands in. ``text``: Markdown without the heading."""

    code: str
    chapter: str
    text: str

    @property
    def severity(self) -> str:
        found = re.match(r"\*(\w+)\*", self.text)
        return found[1] if found else ""

    @property
    def summary(self) -> str:
        """The first sentence, without its severity."""
        first = self.text.partition("\n")[0].partition("·")[2].strip() or self.text.partition("\n")[0]
        return re.split(r"(?<=[.:])\s", first, maxsplit=1)[0].rstrip(":")


@cache
def sections() -> Mapping[str, Section]:
    """By code, in the order of the page."""
    found: dict[str, Section] = {}
    chapter, code, fenced = "", "", False
    lines: list[str] = []
    for line in [*checks_page().read_text("utf-8").split("\n"), "## "]:
        if _FENCE.match(line):
            fenced = not fenced
        heading = not fenced and re.match(r"(#{1,3}) ", line)
        if heading:
            if code:
                found[code] = Section(code, chapter, "\n".join(lines).strip())
            code, lines = "", []
            if heading[1] == "##":
                chapter = line[3:].strip()
            elif heading[1] == "###":
                code = line[4:].strip()
        else:
            lines.append(line)
    return MappingProxyType(found)
