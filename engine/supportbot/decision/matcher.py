"""Finding the bot's patterns in a message: one walk over a trie, flat in the number of phrases."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import re2

from supportbot.decision.entities import Reading, read_values
from supportbot.decision.typos import correct
from supportbot.model.decision import Hit
from supportbot.model.index import Anchor, Index, Node, Symbol
from supportbot.model.session import SlotValue
from supportbot.model.text import folded, tokens

GAP_WORDS = 3
TEXT_WORDS = 12  # the most a {slot:text} takes
STRANGERS = 20_000  # unknown words that are remembered
STRANGER_LETTERS = 32
MANY_STEPS = 500  # of one start position, before steps are compared to be taken once

Captures = tuple[tuple[str, SlotValue], ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A match block that holds: matched words in all, its hits."""

    block: int
    words: int
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a message holds. ``held`` by block number; ``hits`` of all patterns, also of blocks that do not hold."""

    text: str
    tokens: tuple[str, ...]
    corrections: dict[int, str] = field(default_factory=dict)  # token position -> word understood
    hits: dict[int, Hit] = field(default_factory=dict)  # by pattern
    held: dict[int, Held] = field(default_factory=dict)


def find(index: Index, text: str, reading: Reading) -> Found:
    """Match every pattern of the bot against a text."""
    words = tokens(text)
    rows, corrections = _symbols(index, words)
    search = _Search(index, words, rows, corrections, text, reading)
    search.run()
    if index.regexes:
        _find_regexes(index, text, search.best)
    return Found(text, words, corrections, search.best, _held(index, search.best, words))


def _symbols(index: Index, words: tuple[str, ...]) -> tuple[list[tuple[Symbol, ...]], dict[int, str]]:
    """Per position, the symbols of its one word; and the words that were taken for others."""
    known, strangers = index.vocabulary, index.strangers
    corrections: dict[int, str] = {}
    rows: list[tuple[Symbol, ...]] = []
    for at, word in enumerate(words):
        found = known.get(word)
        if found is None:
            found, corrected = strangers.get(word) or _stranger(index, word)
            if corrected is not None:
                corrections[at] = corrected
        rows.append(found)
    return rows, corrections


def _stranger(index: Index, word: str) -> tuple[tuple[Symbol, ...], str | None]:
    """The symbols of a word that no rule knows, and the known word it stands for."""
    corrected = None
    found = _beginnings(index, word)
    if not found and index.deletions:
        corrected = correct(index, word)
        if corrected is not None:
            found = index.vocabulary[corrected]
    if len(word) <= STRANGER_LETTERS:
        if len(index.strangers) >= STRANGERS:
            index.strangers.clear()
        index.strangers[word] = (found, corrected)
    return found, corrected


def _beginnings(index: Index, word: str) -> tuple[Symbol, ...]:
    found: tuple[Symbol, ...] = ()
    for length, prefixes in index.prefixes:
        if length > len(word):
            break
        symbol = prefixes.get(word[:length])
        if symbol is not None:
            found = (*found, symbol)
    return found


class _Search:
    """One walk. Positions go from right to left, so that what a list may take later is known."""

    __slots__ = ("best", "corrections", "index", "lists", "reach", "reading", "rows", "text", "values", "words")

    def __init__(
        self,
        index: Index,
        words: tuple[str, ...],
        rows: list[tuple[Symbol, ...]],
        corrections: dict[int, str],
        text: str,
        reading: Reading,
    ) -> None:
        self.index = index
        self.words = words
        self.rows = rows  # symbols of the single word at a position
        self.lists: list[list[tuple[int, int]]] = [[] for _ in words]  # lists found there, with the position after
        self.reach: list[dict[Symbol, list[int]]] = [{} for _ in words]  # the same by list: few nodes ask for many
        self.corrections = corrections
        self.text = text
        self.reading = reading
        self.best: dict[int, Hit] = {}
        self.values: dict[int, list[tuple[str, int, SlotValue]]] | None = None

    def run(self) -> None:
        root = self.index.root
        edges = root.edges
        rows, lists = self.rows, self.lists
        for start in range(len(rows) - 1, -1, -1):
            after = start + 1
            for symbol in rows[start]:
                node = edges.get(symbol)
                if node is not None and not (node.plain and self._stuck(node, after)):
                    self._follow(node, start, after)
            for found, end in lists[start]:  # grows while lists are found that begin here
                node = edges.get(found)
                if node is not None and not (node.plain and self._stuck(node, end)):
                    self._follow(node, start, end)
            if root.captures:
                for node, end, captures in self._captured(root, start, ()):
                    self._follow(node, start, end, captures)

    def _stuck(self, node: Node, at: int) -> bool:
        """Whether a plain node has no edge for what comes next: most walks end after one word."""
        if at == len(self.rows):
            return True
        edges = node.edges
        for symbol in self.rows[at]:
            if symbol in edges:
                return False
        return edges.keys().isdisjoint(self.reach[at])

    def _follow(self, node: Node, start: int, end: int, captures: Captures = ()) -> None:
        count = len(self.words)
        rows, lists, reach = self.rows, self.lists, self.reach
        stack: list[tuple[Node, int, int, Captures]] = [(node, end, end - start, captures)]
        taken: set[tuple[int, int, int]] | None = None
        steps = 0
        while stack:
            node, at, matched, captures = stack.pop()
            steps += 1
            if steps > MANY_STEPS:
                taken = set() if taken is None else taken
                step = (id(node), at, matched)
                if step in taken:
                    continue
                taken.add(step)
            for found in node.symbols:
                ends = reach[start].setdefault(found, [])
                if at not in ends:
                    ends.append(at)
                    lists[start].append((found, at))
            for pattern in node.patterns:
                self._keep(pattern, start, at, matched, captures)
            if at == count:
                continue
            edges = node.edges
            if edges:
                for symbol in rows[at]:
                    following = edges.get(symbol)
                    if following is not None:
                        stack.append((following, at + 1, matched + 1, captures))
                if len(edges) < len(reach[at]):
                    for symbol, following in edges.items():
                        for after in reach[at].get(symbol, ()):
                            stack.append((following, after, matched + after - at, captures))
                else:
                    for symbol, ends in reach[at].items():
                        following = edges.get(symbol)
                        if following is not None:
                            stack.extend((following, after, matched + after - at, captures) for after in ends)
            if node.gap is not None:
                for after in range(at, min(at + GAP_WORDS, count) + 1):
                    stack.append((node.gap, after, matched, captures))
            if node.captures:
                for following, after, more in self._captured(node, at, captures):
                    stack.append((following, after, matched + 1, more))

    def _captured(self, node: Node, at: int, captures: Captures) -> list[tuple[Node, int, Captures]]:
        """Every way to take a value at a position."""
        ways: list[tuple[Node, int, Captures]] = []
        for slot, type_, following in node.captures:
            if type_ == "text":
                last = min(at + TEXT_WORDS, len(self.words))
                # A value at the end of the phrase takes all that follows; inside, as little as it can.
                first = last if following.patterns or following.symbols else at + 1
                for end in range(first, last + 1):
                    if end > at:
                        ways.append((following, end, (*captures, (slot, self._said(at, end)))))
                continue
            for kind, end, value in self._values().get(at, ()):
                if kind == type_:
                    ways.append((following, end, (*captures, (slot, value))))
        return ways

    def _values(self) -> dict[int, list[tuple[str, int, SlotValue]]]:
        if self.values is None:
            self.values = read_values(self.text, self.words, self.reading)
        return self.values

    def _stands(self, anchor: Anchor, start: int, end: int) -> bool:
        """Whether a span is where the pattern must stand; a question mark at the end is no word."""
        last = len(self.words) - (self.words[-1] == "?")
        return (anchor == "end" or start == 0) and (anchor == "start" or end >= last)

    def _said(self, start: int, end: int) -> str:
        """The visitor's own spelling of some tokens."""
        return self.reading.spelling(self.text, self.words, start, end)

    def _keep(self, pattern: int, start: int, end: int, matched: int, captures: Captures) -> None:
        anchor = self.index.anchors.get(pattern) if self.index.anchors else None
        if anchor is not None and not self._stands(anchor, start, end):
            return
        fuzzy = bool(self.corrections) and any(at in self.corrections for at in range(start, end))
        if fuzzy and self.index.patterns[pattern].exact:
            return
        known = self.best.get(pattern)
        if known is None or matched >= known.words:
            self.best[pattern] = Hit(pattern, start, end, matched, fuzzy, captures)


def _find_regexes(index: Index, text: str, best: dict[int, Hit]) -> None:
    search = folded(text)
    programs = _programs(index.regexes)
    for number in programs.all.Match(search) or ():
        pattern, _ = index.regexes[number]
        match = programs.each[number].search(search)
        if match is None:
            continue
        captures = tuple((name, value) for name, value in match.groupdict().items() if value)
        best[pattern] = Hit(pattern, 0, 0, 1, False, captures)


@dataclass(frozen=True, slots=True)
class _Programs:
    all: re2.Set
    each: tuple[re2._Regexp, ...]


@lru_cache(maxsize=8)
def _programs(regexes: tuple[tuple[int, str], ...]) -> _Programs:
    """Linear-time programs; compiled once per bot revision."""
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False  # the text is folded, a pattern may be written in capitals
    together = re2.Set.SearchSet(options)
    for _, source in regexes:
        together.Add(source)
    together.Compile()
    return _Programs(together, tuple(re2.compile(source, options) for _, source in regexes))


def _held(index: Index, best: dict[int, Hit], tokens: tuple[str, ...]) -> dict[int, Held]:
    """The blocks whose conditions hold: an ``any``, every ``all``, no ``none``, a short enough message."""
    blocks, patterns = index.blocks, index.patterns
    grouped: dict[int, list[Hit]] = {}
    refused: set[int] = set()
    for number, hit in best.items():
        use = patterns[number].use
        if use.role == "none":
            refused.add(use.block)
        else:
            grouped.setdefault(use.block, []).append(hit)
    held: dict[int, Held] = {}
    for block_number, hits in grouped.items():
        if block_number in refused:
            continue
        block = blocks[block_number]
        if not block.takes(tokens):
            continue
        longest = 0
        required: dict[int, int] = {}
        for hit in hits:
            use = patterns[hit.pattern].use
            if use.role == "any":
                longest = max(longest, hit.words)
            else:
                required[use.position] = hit.words
        if (block.has_any and not longest) or len(required) < block.all_count:
            continue
        held[block_number] = Held(block_number, longest + sum(required.values()), tuple(hits))
    return held


def refused_blocks(index: Index, found: Found) -> frozenset[int]:
    """Blocks that a ``none`` pattern of theirs forbids."""
    return frozenset(
        index.patterns[number].use.block for number in found.hits if index.patterns[number].use.role == "none"
    )
