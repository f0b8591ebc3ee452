"""Texts that a pattern matches, made from the trie itself: the shortest ones, and ones no other rule knows.

"Contains" is monotone: every message on which a rule could win holds one of these texts, so a rule that
loses all of them (see shadows.py) loses every message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import prod
from operator import methodcaller

from supportbot.model.bot import Bot, Guide, Handler
from supportbot.model.index import Index, Node, Symbol

Rule = Handler | Guide

FRESH = "x7x"  # a word that no rule knows and that is no typing mistake (it holds a digit)
MOST_TEXTS = 48  # of one pattern
GAP_WORDS = 3
TEXT_WORDS = 12
LONGEST_APART = 60  # words between two parts of a message
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


@dataclass(frozen=True, slots=True)
class Wordings:
    """``all``: whatever the pattern matches holds one of ``texts``, so that losing all of them is a proof."""

    texts: tuple[str, ...]
    all: bool


NO_WORDINGS = Wordings((), False)
# Between two words of a phrase: nothing, or as many words as a gap allows. What lies between says no more.
GAP = Wordings(("", " ".join([FRESH] * GAP_WORDS)), True)


def rules_of(bot: Bot) -> tuple[Rule, ...]:
    """All rules that can answer, handlers first."""
    rules: list[Rule] = [*bot.handlers, *bot.guides.values()]
    return tuple(rules)


_SPACES = methodcaller("count", " ")


class Texts:
    """Reads an index backwards: from patterns and symbols to the words that make them."""

    def __init__(self, index: Index) -> None:
        self._of_pattern: dict[int, list[Path]] = {}
        self._of_symbol: dict[int, list[Path]] = {}
        self._stems = {symbol: prefix for _, prefixes in index.prefixes for prefix, symbol in prefixes.items()}
        self._symbols: dict[int, Wordings] = {}
        self._patterns: dict[int, Wordings] = {}
        slack = 0
        for path, node in _paths(index.root):
            slack = max(slack, _slack(path))
            for pattern in node.patterns:
                self._of_pattern.setdefault(pattern, []).append(path)
            for symbol in node.symbols:
                self._of_symbol.setdefault(symbol, []).append(path)
        # So many unknown words that no gap of any phrase reaches across them.
        self.apart = " ".join([FRESH] * min(LONGEST_APART, 1 + 4 * slack))

    def of(self, pattern: int) -> tuple[str, ...]:
        """Texts of a pattern, shortest first; at most MOST_TEXTS. None for a regex."""
        return self.wordings(pattern).texts

    def complete(self, pattern: int) -> bool:
        """Whether ``of`` holds every alternative."""
        return self.wordings(pattern).all

    def has_values(self, pattern: int) -> bool:
        """Whether the pattern captures a value, of which there are only samples here."""
        return any(isinstance(item, Value) for path in self._of_pattern.get(pattern, ()) for item in path)

    def words(self, pattern: int) -> tuple[str, ...] | None:
        """The words of a pattern that is nothing but words."""
        paths = self._of_pattern.get(pattern, ())
        if len(paths) != 1:
            return None
        found = tuple(item for item in paths[0] if isinstance(item, str))
        return found if len(found) == len(paths[0]) else None

    def wordings(self, pattern: int) -> Wordings:
        known = self._patterns.get(pattern)
        if known is None:
            known = self._patterns[pattern] = self._together(self._of_pattern.get(pattern, ()))
        return known

    def _together(self, paths: Sequence[Path]) -> Wordings:
        found: dict[str, None] = {}
        complete = bool(paths)
        for path in paths:
            if all(type(item) is str for item in path):
                found[" ".join(map(str, path))] = None
                continue
            made = self._along(path)
            found.update(dict.fromkeys(made.texts))
            complete = complete and made.all
        return Wordings(tuple(_shortest_first(found))[:MOST_TEXTS], complete and len(found) <= MOST_TEXTS)

    def _along(self, path: Path) -> Wordings:
        parts = [self._of_item(item) for item in path]
        if any(not part.texts for part in parts):
            return NO_WORDINGS
        complete = all(part.all for part in parts)
        choices = [part.texts for part in parts]
        join = _joined if any("" in options for options in choices) else " ".join
        if prod(map(len, choices)) <= MOST_TEXTS:
            return Wordings(tuple(map(join, product(*choices))), complete)
        return Wordings(tuple(map(join, islice(one_at_a_time(choices), MOST_TEXTS))), False)

    def _of_item(self, item: Item) -> Wordings:
        if isinstance(item, str):
            return Wordings((item,), True)
        if isinstance(item, Gap):
            return GAP
        if isinstance(item, Value):
            return Wordings((SAMPLES[item.type],), False)
        known = self._symbols.get(item)
        if known is None:
            self._symbols[item] = NO_WORDINGS  # lists are not circular once they compiled; never loop all the same
            known = self._symbols[item] = self._of_symbol_number(item)
        return known

    def _of_symbol_number(self, symbol: int) -> Wordings:
        stem = self._stems.get(symbol)
        if stem is not None:
            return Wordings((stem, stem + FRESH), True)  # only what asks for the beginning knows the second
        return self._together(self._of_symbol.get(symbol, ()))


def one_at_a_time(choices: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """The first wording of all parts, then each other one of each part, the parts taking turns."""
    first = [options[0] for options in choices]
    yield first
    for number in range(1, max(map(len, choices))):
        for at, options in enumerate(choices):
            if number < len(options):
                yield [*first[:at], options[number], *first[at + 1 :]]


def _joined(parts: Iterable[str]) -> str:
    return " ".join(part for part in parts if part)


def _shortest_first(texts: Iterable[str]) -> list[str]:
    """By words, then letters, then alphabet: three sorts by C functions take half the time of one by triples."""
    ordered = sorted(texts)
    ordered.sort(key=len)
    ordered.sort(key=_SPACES)
    return ordered


def _slack(path: Path) -> int:
    """How many words that a phrase does not name it can reach across."""
    return sum(GAP_WORDS if isinstance(item, Gap) else TEXT_WORDS if isinstance(item, Value) else 0 for item in path)


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
