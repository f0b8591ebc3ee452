"""The matcher's compiled form: one trie over symbols for every phrase of the bot.

A symbol is a word (a string) or a number that stands for something found in the message:
a word beginning such as ``print*``, a list, a group of alternatives. Lists and groups are
phrases of the same trie whose output is again a symbol, so nesting costs nothing extra.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Literal

from supportbot.diagnostics import Place

Symbol = str | int
Role = Literal["any", "all", "none"]
Anchor = Literal["start", "end", "whole"]


_NO_EDGES: dict[Symbol, Node] = {}  # of every leaf, and so never filled: whoever adds an edge makes a dictionary


class Node:
    """A trie node. Filled by the compiler, never changed afterwards."""

    __slots__ = ("captures", "edges", "gap", "patterns", "symbols")

    def __init__(self) -> None:
        self.edges = _NO_EDGES
        self.gap: Node | None = None  # zero to three words, then this node
        self.captures: tuple[tuple[str, str, Node], ...] = ()  # (slot, type, then)
        self.patterns: tuple[int, ...] = ()  # patterns that end here
        self.symbols: tuple[int, ...] = ()  # lists and groups that end here


@dataclass(frozen=True, slots=True)
class Use:
    """Where a pattern counts: block number, role, and its position among the block's ``all``."""

    block: int
    role: Role
    position: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """One phrase or regex as written. ``weight`` None means: one per matched word."""

    id: int
    source: str
    use: Use
    weight: float | None
    exact: bool  # no typing mistakes allowed
    regex: bool
    place: Place
    anchor: Anchor | None = None  # where in the message it must stand


@dataclass(frozen=True, slots=True)
class Block:
    """A compiled match block. ``owner`` is e.g. ``("guide", "printer_offline")``."""

    id: int
    owner: tuple[str, str]
    part: int  # which alternative of the owner's ``when``
    has_any: bool
    all_count: int
    none_count: int
    place: Place
    max_words: int = 0  # of the message; 0 for any length
    least: int = field(init=False)  # as many phrases must be found
    alone: bool = field(init=False)  # each of its phrases is enough, whatever else is said: most blocks are like that

    def __post_init__(self) -> None:
        alone = self.has_any and not (self.all_count or self.none_count or self.max_words)
        object.__setattr__(self, "least", self.all_count + self.has_any)
        object.__setattr__(self, "alone", alone)

    @property
    def positive(self) -> bool:
        """Whether something must be found in the message for the block to hold."""
        return self.has_any or self.all_count > 0

    def takes(self, tokens: tuple[str, ...]) -> bool:
        """Whether a message is short enough; a question mark is no word."""
        return not self.max_words or len(tokens) - tokens.count("?") <= self.max_words


class Bundle:
    """Several nodes that the same words lead to, as one. ``onward``, in place of edges: what may come next -> nodes."""

    __slots__ = ("captures", "edges", "gap", "onward", "patterns", "symbols")

    def __init__(self, nodes: tuple[Node, ...], gap: Stand | None) -> None:
        self.edges: None = None
        self.gap = gap
        self.captures = tuple(capture for node in nodes for capture in node.captures)
        self.patterns = tuple(dict.fromkeys(pattern for node in nodes for pattern in node.patterns))
        self.symbols = tuple(dict.fromkeys(symbol for node in nodes for symbol in node.symbols))
        self.onward: dict[Symbol, tuple[Node, ...]] = {}
        for node in nodes:
            for symbol, then in node.edges.items():
                self.onward[symbol] = (*self.onward.get(symbol, ()), then)


Stand = Node | Bundle  # where a walk through the trie stands


_NO_STEPS: dict[Stand, Stand | None] = {}  # of every word that no step was remembered for: most, in a large bot


class Met:
    """What one word can be: itself, its beginnings, and every list or group that holds it; or a list of several words.

    ``symbol``: the only one there is, if that is so. ``first``: where phrases stand that begin with it. ``after`` says
    by its bits what may come next: none where nothing does, all where a phrase may end or take a value or a gap.
    ``bit``: which one asks for this word. In a bot of 50,000 phrases that is one place of a large memory to look at
    where the edges are five. ``steps``: from where the word led where, for as many places as were met. ``corrected``:
    the word that it stands for.
    """

    __slots__ = ("after", "bit", "corrected", "first", "known", "steps", "symbol", "symbols")

    def __init__(self, symbols: tuple[Symbol, ...], first: Stand | None) -> None:
        self.symbols = symbols
        self.known: Container[Symbol] = frozenset(symbols) if symbols[1:] else symbols
        self.symbol = symbols[0] if len(symbols) == 1 else None
        self.first = first
        self.after = 0 if first is None else _bits(first)
        self.bit = _SEVERAL if symbols[1:] else _bit(symbols[0]) if symbols else _NOTHING
        self.steps = _NO_STEPS
        self.corrected: str | None = None

    def remember(self, stand: Stand, then: Stand | None) -> None:
        if self.steps is _NO_STEPS:
            self.steps = {}
        self.steps[stand] = then

    def standing_for(self, word: str) -> Met:
        """The same, of a word with a typing mistake."""
        met = copy(self)
        met.corrected = word
        met.after = -1  # looked at whatever comes next, so that the mistake is noted
        return met


_SEVERAL, _NOTHING = 254, 255  # the bits of words that can be several things, and of those that are nothing


def _bit(symbol: Symbol) -> int:
    return hash(symbol) % _SEVERAL


def _bits(stand: Stand) -> int:
    if stand.patterns or stand.captures or stand.gap is not None:
        return -1
    onward: Mapping[Symbol, object] = stand.onward if stand.edges is None else stand.edges
    bits = 1 << _SEVERAL if onward else 0
    for symbol in onward:
        bits |= 1 << _bit(symbol)
    return bits


class Memo:
    """What words make of the trie. Values of pure functions, bounded: words repeat, and so do those beside them."""

    __slots__ = ("bundles", "programs", "readings", "steps", "words")

    def __init__(self) -> None:
        self.words: dict[str, Met] = {}
        self.readings: dict[tuple[Symbol, ...], Met] = {}
        self.bundles: dict[tuple[Node, ...], Bundle] = {}
        self.steps = 0  # of all readings
        self.programs: object = None  # of the regexes, compiled

    def forget(self) -> None:
        self.words.clear()
        self.readings.clear()
        self.bundles.clear()
        self.steps = 0

    def __reduce__(self) -> tuple[type[Memo], tuple[()]]:
        return Memo, ()  # a bot that travels leaves it behind


@dataclass(frozen=True, slots=True)
class Index:
    """Everything the matcher needs. ``prefixes``: by length, beginning -> symbol.

    ``vocabulary``: every word the rules know -> its symbols (itself and its prefix symbols).
    ``deletions``: a vocabulary word with one letter left out -> those words (typing mistakes).
    ``regexes``: (pattern id, source) of the regex patterns.
    """

    root: Node = field(default_factory=Node)
    patterns: tuple[Pattern, ...] = ()
    blocks: tuple[Block, ...] = ()
    vocabulary: Mapping[str, tuple[Symbol, ...]] = field(default_factory=dict)
    prefixes: tuple[tuple[int, Mapping[str, int]], ...] = ()
    deletions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()  # never taken for a typing mistake
    regexes: tuple[tuple[int, str], ...] = ()
    anchors: Mapping[int, Anchor] = field(default_factory=dict)  # by pattern
    symbol_names: Mapping[int, str] = field(default_factory=dict)
    memo: Memo = field(default_factory=Memo, compare=False, repr=False)
