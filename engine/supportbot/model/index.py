"""The matcher's compiled form: one trie over symbols for every phrase of the bot.

A symbol is a word (a string) or a number that stands for something found in the message:
a word beginning such as ``print*``, a list, a group of alternatives. Lists and groups are
phrases of the same trie whose output is again a symbol, so nesting costs nothing extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from supportbot.diagnostics import Place

Symbol = str | int
Role = Literal["any", "all", "none"]
Anchor = Literal["start", "end", "whole"]


class Node:
    """A trie node. Filled by the compiler, never changed afterwards."""

    __slots__ = ("captures", "edges", "gap", "patterns", "symbols")

    def __init__(self) -> None:
        self.edges: dict[Symbol, Node] = {}
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

    @property
    def positive(self) -> bool:
        """Whether something must be found in the message for the block to hold."""
        return self.has_any or self.all_count > 0

    def takes(self, tokens: tuple[str, ...]) -> bool:
        """Whether a message is short enough; a question mark is no word."""
        return not self.max_words or len(tokens) - tokens.count("?") <= self.max_words


@dataclass(frozen=True, slots=True)
class Met:
    """What one word can be: itself, its beginnings, and every list or group that holds it as a single word.

    ``starts``: nodes after it at which something ends or a gap or value may follow. ``onward``: what may
    come next in any phrase that begins with it -> the nodes after both. ``corrected``: the word it stands for.
    """

    symbols: tuple[Symbol, ...]
    known: frozenset[Symbol]
    starts: tuple[Node, ...]
    onward: Mapping[Symbol, tuple[Node, ...]]
    corrected: str | None


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
    # Words that were met -> what the trie makes of them. A memo of a pure function, bounded: words repeat.
    met: dict[str, Met] = field(default_factory=dict, compare=False, repr=False)
