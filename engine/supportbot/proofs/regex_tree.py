"""A regex as a small tree: enough to see anchors that cannot hold, pointless repeats and plain words.

The engine's own parser does not show its tree. What this one does not know makes it give up (None): it never
guesses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["letter", "set", "any", "start", "end", "edge", "group"]

_CLASSES = frozenset("dDsSwWpP")
_REPEAT = re.compile(r"[*+?]\??|\{(\d*)(,?)(\d*)\}\??")
_OPENING = re.compile(r"\(\?(?:P?<\w+>|[a-zA-Z-]*:)|\((?!\?)")


@dataclass(frozen=True, slots=True)
class Item:
    """One part: ``text`` as written, the letter itself for letters. ``most`` None: any number of times."""

    kind: Kind
    text: str
    offset: int
    length: int
    least: int = 1
    most: int | None = 1
    ways: tuple[tuple[Item, ...], ...] = ()  # of a group
    named: bool = False


Ways = tuple[tuple[Item, ...], ...]


def parse(source: str) -> Ways | None:
    """The alternatives of a regex, or None when it has anything that is not known here."""
    parser = _Parser(source)
    try:
        ways = parser.ways()
    except (ValueError, RecursionError):
        return None
    return ways if parser.at == len(source) else None


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def ways(self) -> Ways:
        found: list[tuple[Item, ...]] = []
        items: list[Item] = []
        while self.at < len(self.source) and self.source[self.at] != ")":
            if self.source[self.at] == "|":
                self.at += 1
                found.append(tuple(items))
                items = []
                continue
            items.append(self._repeated(self._item()))
        return (*found, tuple(items))

    def _item(self) -> Item:
        start = self.at
        letter = self.source[start]
        if letter == "(":
            return self._group()
        if letter == "[":
            return self._set()
        if letter == "\\":
            return self._escape()
        self.at += 1
        simple: dict[str, Kind] = {"^": "start", "$": "end", ".": "any"}
        if letter in "*+?{":
            raise ValueError("nothing to repeat")
        return Item(simple.get(letter, "letter"), letter, start, 1)

    def _group(self) -> Item:
        start = self.at
        opening = _OPENING.match(self.source, start)
        if opening is None:
            raise ValueError("a group of an unknown kind")
        self.at = opening.end()
        ways = self.ways()
        if self.source[self.at : self.at + 1] != ")":
            raise ValueError("a group that is not closed")
        self.at += 1
        named = "<" in opening[0]
        return Item("group", self.source[start : self.at], start, self.at - start, ways=ways, named=named)

    def _set(self) -> Item:
        start = self.at
        end = start + 1
        if self.source[end : end + 1] == "^":
            end += 1
        if self.source[end : end + 1] == "]":
            end += 1
        while end < len(self.source) and self.source[end] != "]":
            if self.source.startswith("[:", end):
                end = self.source.index(":]", end) + 1
            end += 2 if self.source[end] == "\\" else 1
        if end >= len(self.source):
            raise ValueError("a set that is not closed")
        self.at = end + 1
        return Item("set", self.source[start : self.at], start, self.at - start)

    def _escape(self) -> Item:
        start = self.at
        letter = self.source[start + 1 : start + 2]
        self.at += 2
        edges: dict[str, Kind] = {"b": "edge", "B": "edge", "A": "start", "z": "end"}
        if letter in edges:
            return Item(edges[letter], f"\\{letter}", start, 2)
        if letter in _CLASSES:
            if letter in "pP" and self.source[self.at : self.at + 1] == "{":
                self.at = self.source.index("}", self.at) + 1
            elif letter in "pP":
                self.at += 1
            return Item("set", self.source[start : self.at], start, self.at - start)
        if letter.isalnum() or not letter:
            raise ValueError("an escape that is not known here")
        return Item("letter", letter, start, 2)

    def _repeated(self, item: Item) -> Item:
        found = _REPEAT.match(self.source, self.at)
        if found is None:
            return item
        self.at = found.end()
        sign = found[0][0]
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(sign, (0, None))
        if sign == "{":
            least = int(found[1] or 0)
            most = int(found[3]) if found[3] else (None if found[2] else least)
        length = self.at - item.offset
        return Item(item.kind, item.text, item.offset, length, least, most, item.ways, item.named)
