"""Texts that a pattern matches, made from the trie itself: the shortest ones, and ones no other rule knows.

"Contains" is monotone: every message on which a rule could win holds one of these texts, so a rule that
loses all of them (see shadows.py) loses every message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from supportbot.model.bot import Bot, Guide, Handler
from supportbot.model.index import Index, Node, Symbol

Rule = Handler | Guide

FRESH = "x7x"  # a word that no rule knows and that is no typing mistake (it holds a digit)
MOST_TEXTS = 48  # of one pattern
SAMPLES = {
    "text": "jane",
    "number": "7",
    "email": "jane@example.com",
    "phone": "02071234567",
    "date": "tomorrow",
    "time": "tomorrow at 15:00",
}


@dataclass(frozen=True, slots=True)
class Gap:
    pass


@dataclass(frozen=True, slots=True)
class Value:
    type: str


Item = Symbol | Gap | Value
Path = tuple[Item, ...]


def rules_of(bot: Bot) -> tuple[Rule, ...]:
    """All rules that can answer, handlers first."""
    rules: list[Rule] = [*bot.handlers, *bot.guides.values()]
    return tuple(rules)


class Texts:
    """Reads an index backwards: from patterns and symbols to the words that make them."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._of_pattern: dict[int, list[Path]] = {}
        self._of_symbol: dict[int, list[Path]] = {}
        self._stems = {symbol: prefix for _, prefixes in index.prefixes for prefix, symbol in prefixes.items()}
        self._shortest: dict[int, str] = {}
        for path, node in _paths(index.root):
            for pattern in node.patterns:
                self._of_pattern.setdefault(pattern, []).append(path)
            for symbol in node.symbols:
                self._of_symbol.setdefault(symbol, []).append(path)

    def of(self, pattern: int) -> list[str]:
        """Texts of a pattern, shortest wording first; at most MOST_TEXTS. None for a regex."""
        found: dict[str, None] = {}
        for path in self._of_pattern.get(pattern, ()):
            for text in islice(self._wordings(path), MOST_TEXTS):
                found[text] = None
            if len(found) >= MOST_TEXTS:
                break
        return list(found)[:MOST_TEXTS]

    def complete(self, pattern: int) -> bool:
        """Whether ``of`` holds every alternative, so that losing all of them is a proof."""
        return 0 < len(self.of(pattern)) < MOST_TEXTS and self._is_exact(pattern)

    def _is_exact(self, pattern: int) -> bool:
        """No gaps or captures, whose in-between words could bring up other rules or keep them away, no anchor."""
        return pattern not in self._index.anchors and not any(isinstance(item, Gap | Value) for path in self._of_pattern.get(pattern, ()) for item in path)

    def _wordings(self, path: Path) -> Iterator[str]:
        """The shortest wording, then each alternative of each part in turn, the others at their shortest."""
        shortest = [self._shortest_of(item) for item in path]
        yield _joined(shortest)
        for at, item in enumerate(path):
            for other in self._alternatives(item, 0):
                if other != shortest[at]:
                    yield _joined([*shortest[:at], other, *shortest[at + 1 :]])

    def _shortest_of(self, item: Item) -> str:
        if isinstance(item, str):
            return item
        if isinstance(item, Gap):
            return ""
        if isinstance(item, Value):
            return SAMPLES[item.type]
        known = self._shortest.get(item)
        if known is None:
            self._shortest[item] = ""  # lists are not circular once they compiled; never loop all the same
            known = self._stems.get(item) or min(
                (_joined([self._shortest_of(part) for part in path]) for path in self._of_symbol.get(item, ())),
                key=lambda text: (text.count(" "), len(text), text),
                default="",
            )
            self._shortest[item] = known
        return known

    def _alternatives(self, item: Item, depth: int) -> Iterator[str]:
        if not isinstance(item, int):
            return
        stem = self._stems.get(item)
        if stem is not None:
            yield stem + FRESH  # only what asks for the beginning knows this word
            return
        for path in self._of_symbol.get(item, ()):
            if depth < 3:
                yield from self._wordings_within(path, depth + 1)

    def _wordings_within(self, path: Path, depth: int) -> Iterator[str]:
        shortest = [self._shortest_of(item) for item in path]
        yield _joined(shortest)
        for at, item in enumerate(path):
            for other in self._alternatives(item, depth):
                yield _joined([*shortest[:at], other, *shortest[at + 1 :]])


def _joined(parts: Sequence[str]) -> str:
    return " ".join(part for part in parts if part)


def _paths(root: Node) -> Iterator[tuple[Path, Node]]:
    """Every node with an output, and the one way to it."""
    waiting: list[tuple[Path, Node]] = [((), root)]
    while waiting:
        path, node = waiting.pop()
        if node.patterns or node.symbols:
            yield path, node
        waiting.extend(((*path, symbol), following) for symbol, following in node.edges.items())
        waiting.extend(((*path, Value(type_)), following) for _, type_, following in node.captures)
        if node.gap is not None:
            waiting.append(((*path, Gap()), node.gap))
