"""Finding the bot's patterns in a message: one walk over a trie, flat in the number of phrases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from supportbot.decision.entities import Reading, read_values, unread
from supportbot.decision.regexes import find_regexes
from supportbot.decision.typos import correct
from supportbot.model.decision import Hit
from supportbot.model.index import Anchor, Index, Met, Node, Symbol
from supportbot.model.session import SlotValue
from supportbot.model.text import tokens

GAP_WORDS = 3
TEXT_WORDS = 12  # the most a {slot:text} takes
MEMO_WORDS = 20_000  # words that are remembered
MEMO_LETTERS = 32
MANY_STEPS = 500  # of one start position, before steps are compared to be taken once

Captures = tuple[tuple[str, SlotValue], ...]
Step = tuple[Node, int, int, Captures]  # a node, the position after it, words matched, values taken
Then = TypeVar("Then")


class Held(NamedTuple):
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
    rows, corrections = _met(index, words)
    search = _Search(index, words, rows, corrections, text, reading)
    search.run()
    if index.regexes:
        search.best.update(find_regexes(index, text))
    return Found(text, words, corrections, search.best, _held(index, search.best, words))


def hits_in(index: Index, words: tuple[str, ...], reading: Reading) -> dict[int, Hit]:
    """What ``find`` finds in words of the normal form, without regexes: cheaper when that is all that is asked."""
    rows, corrections = _met(index, words)
    search = _Search(index, words, rows, corrections, " ".join(words), reading)
    search.run()
    return search.best


def _met(index: Index, words: tuple[str, ...]) -> tuple[list[Met], dict[int, str]]:
    """What each word can be; and the words that were taken for others.

    In the middle of a message made to be long, words are nothing.
    """
    memo = index.met
    corrections: dict[int, str] = {}
    rows: list[Met] = []
    skipped = unread(len(words))
    for at, word in enumerate(words):
        if at in skipped:
            rows.append(_NOTHING)
            continue
        met = memo.get(word) or _meet(index, word)
        if met.corrected is not None:
            corrections[at] = met.corrected
        rows.append(met)
    return rows, corrections


_NOTHING = Met((), frozenset(), (), {}, None)


def _meet(index: Index, word: str) -> Met:
    corrected = None
    direct = index.vocabulary.get(word) or _beginnings(index, word)
    if not direct and index.deletions:
        corrected = correct(index, word)
        direct = index.vocabulary[corrected] if corrected is not None else ()
    met = _reading(index, direct, corrected)
    if len(word) <= MEMO_LETTERS:
        if len(index.met) >= MEMO_WORDS:
            index.met.clear()
        index.met[word] = met
    return met


def _reading(index: Index, direct: tuple[Symbol, ...], corrected: str | None) -> Met:
    """Close the symbols of one word over lists of single words, and look one step ahead."""
    edges = index.root.edges
    symbols = list(dict.fromkeys(direct))
    starts: list[Node] = []
    onward: dict[Symbol, tuple[Node, ...]] = {}
    for symbol in symbols:  # grows
        node = edges.get(symbol)
        if node is None:
            continue
        symbols.extend(found for found in node.symbols if found not in symbols)
        if node.patterns or node.gap is not None or node.captures:
            starts.append(node)
        for following, then in node.edges.items():
            onward[following] = (*onward.get(following, ()), then)
    return Met(tuple(symbols), frozenset(symbols), tuple(starts), onward, corrected)


def _beginnings(index: Index, word: str) -> tuple[Symbol, ...]:
    found: tuple[Symbol, ...] = ()
    for length, prefixes in index.prefixes:
        if length > len(word):
            break
        symbol = prefixes.get(word[:length])
        if symbol is not None:
            found = (*found, symbol)
    return found


def _shared(edges: Mapping[Symbol, Then], met: Met) -> list[Then]:
    """Where the edges lead for any symbol of a word, looking through the shorter of the two."""
    if not edges:
        return []
    if len(edges) < len(met.symbols):
        known = met.known
        return [then for symbol, then in edges.items() if symbol in known]
    return [edges[symbol] for symbol in met.symbols if symbol in edges]


class _Search:
    """One walk. Positions go from right to left, so that what a list may take later is known."""

    __slots__ = (
        "best",
        "corrections",
        "index",
        "lists",
        "reach",
        "reading",
        "rows",
        "soon",
        "text",
        "values",
        "words",
    )

    def __init__(
        self,
        index: Index,
        words: tuple[str, ...],
        rows: list[Met],
        corrections: dict[int, str],
        text: str,
        reading: Reading,
    ) -> None:
        self.index = index
        self.words = words
        self.rows = rows  # what the single word at a position can be
        self.lists: list[list[tuple[int, int]]] = [[] for _ in words]  # lists found there, with the position after
        self.reach: list[dict[Symbol, list[int]]] = [{} for _ in words]  # the same by list: few nodes ask for many
        self.soon: list[frozenset[Symbol] | None] = [None] * len(words)  # what begins within a gap's reach
        self.corrections = corrections
        self.text = text
        self.reading = reading
        self.best: dict[int, Hit] = {}
        self.values: dict[int, list[tuple[str, int, SlotValue]]] | None = None

    def run(self) -> None:
        root = self.index.root
        rows, lists, reach = self.rows, self.lists, self.reach
        last = len(rows) - 1
        for start in range(last, -1, -1):
            met = rows[start]
            for node in met.starts:
                self._end_at(node, start, start + 1)
            if start < last and met.onward:
                after = start + 1  # most walks end here: nothing goes on with the next word
                if reach[after] or not met.onward.keys().isdisjoint(rows[after].symbols):
                    self._follow(self._onward(met.onward, after, start), start)
            for found, end in lists[start]:  # grows while lists are found that begin here
                then = root.edges.get(found)
                if then is not None:
                    self._follow([(then, end, end - start, ())], start)
            if root.captures:
                self._follow(
                    [(node, end, end - start, taken) for node, end, taken in self._captured(root, start, ())], start
                )

    def _end_at(self, node: Node, start: int, end: int) -> None:
        """A node after one word: its lists are known already (see Met), what else it has is not."""
        for pattern in node.patterns:
            self._keep(pattern, start, end, 1, ())
        if end < len(self.rows) and (node.gap is not None or node.captures):
            self._follow(self._beyond(node, end, 1, ()), start)

    def _onward(self, edges: Mapping[Symbol, tuple[Node, ...]], at: int, start: int) -> list[Step]:
        """The steps that take two words, or a word and a list."""
        steps: list[Step] = [(node, at + 1, 2, ()) for nodes in _shared(edges, self.rows[at]) for node in nodes]
        for symbol, ends in self.reach[at].items():
            for node in edges.get(symbol, ()):
                steps.extend((node, end, end - start, ()) for end in ends)
        return steps

    def _beyond(self, node: Node, at: int, matched: int, captures: Captures) -> list[Step]:
        """The steps over a gap or a captured value."""
        steps: list[Step] = []
        gap = node.gap
        if gap is not None and self._goes_on(gap, at):
            steps = [(gap, end, matched, captures) for end in range(at, min(at + GAP_WORDS, len(self.rows)) + 1)]
        if node.captures:
            taken = self._captured(node, at, captures)
            steps.extend((following, end, matched + 1, more) for following, end, more in taken)
        return steps

    def _goes_on(self, gap: Node, at: int) -> bool:
        """Whether anything that may follow a gap begins near enough: mostly nothing does."""
        if gap.patterns or gap.symbols or gap.captures or gap.gap is not None:
            return True
        return at < len(self.rows) and not gap.edges.keys().isdisjoint(self._soon(at))

    def _soon(self, at: int) -> frozenset[Symbol]:
        found = self.soon[at]
        if found is None:
            reached = range(at, min(at + GAP_WORDS + 1, len(self.rows)))
            found = frozenset().union(
                *(self.rows[near].known for near in reached), *(self.reach[near] for near in reached)
            )
            self.soon[at] = found
        return found

    def _follow(self, stack: list[Step], start: int) -> None:
        count = len(self.rows)
        rows, lists, reach = self.rows, self.lists, self.reach
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
                if at not in ends and not (at == start + 1 and found in rows[start].known):
                    ends.append(at)
                    lists[start].append((found, at))
            for pattern in node.patterns:
                self._keep(pattern, start, at, matched, captures)
            if at == count:
                continue
            edges = node.edges
            if edges:
                stack.extend((then, at + 1, matched + 1, captures) for then in _shared(edges, rows[at]))
                if reach[at]:
                    self._over_lists(stack, edges, at, matched, captures)
            if node.gap is not None or node.captures:
                stack.extend(self._beyond(node, at, matched, captures))

    def _over_lists(
        self, stack: list[Step], edges: Mapping[Symbol, Node], at: int, matched: int, captures: Captures
    ) -> None:
        """The steps over a list of several words that was found at a position."""
        found = self.reach[at]
        if len(edges) < len(found):
            for symbol, following in edges.items():
                stack.extend((following, end, matched + end - at, captures) for end in found.get(symbol, ()))
        else:
            for symbol, ends in found.items():
                then = edges.get(symbol)
                if then is not None:
                    stack.extend((then, end, matched + end - at, captures) for end in ends)

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
