"""The patterns that phrases cannot say: regular expressions, by an engine whose time grows with the text alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import re2

from supportbot.model.decision import Hit
from supportbot.model.index import Index
from supportbot.model.text import folded


def find_regexes(index: Index, text: str) -> dict[int, Hit]:
    """The regex patterns that match a text; with no span, because they see letters and not words."""
    best: dict[int, Hit] = {}
    search = folded(text)
    programs = index.memo.programs
    if not isinstance(programs, _Programs):
        programs = index.memo.programs = _programs(index.regexes)
    for number in programs.all.Match(search) or ():
        pattern, _ = index.regexes[number]
        match = programs.each[number].search(search)
        if match is None:
            continue
        captures = tuple((name, value) for name, value in match.groupdict().items() if value)
        best[pattern] = Hit(pattern, 0, 0, 1, False, captures)
    return best


@dataclass(frozen=True, slots=True)
class _Programs:
    all: re2.Set
    each: tuple[re2._Regexp, ...]


@lru_cache(maxsize=8)
def _programs(regexes: tuple[tuple[int, str], ...]) -> _Programs:
    """Linear-time programs; revisions of a bot with the same regexes share them."""
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False  # the text is folded, a pattern may be written in capitals
    together = re2.Set.SearchSet(options)
    for _, source in regexes:
        together.Add(source)
    together.Compile()
    return _Programs(together, tuple(re2.compile(source, options) for _, source in regexes))
