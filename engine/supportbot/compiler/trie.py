"""Building the trie: phrases in, nodes, vocabulary and typing-mistake index out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from supportbot.compiler.patterns import Beginning, Capture, Element, Gap, Group, ListName, Word
from supportbot.model.index import Node, Symbol
from supportbot.model.text import NEGATIONS

MAX_EXPANSIONS = 64  # six optional parts
LONGEST_WORD = 60  # letters; leaving each one out in turn makes as many texts of that length


@dataclass(frozen=True, slots=True)
class Typos:
    """Typing mistakes: which words are taken for which."""

    enabled: bool = True
    min_letters: int = 5
    ignore: frozenset[str] = frozenset()


class TooManyOptions(Exception):
    """A phrase whose optional parts multiply beyond MAX_EXPANSIONS."""


Item = Symbol | Gap | Capture
Path = tuple[Item, ...]


class TrieBuilder:
    """Collects phrases. Groups and lists become symbols, so that their size never multiplies."""

    def __init__(self) -> None:
        self.root = Node()
        self.symbol_names: dict[int, str] = {}
        self.prefixes: dict[str, int] = {}
        self._groups: dict[tuple[Path, ...], int] = {}
        self._captures: dict[tuple[Node, str, str, bool], Node] = {}
        self._pattern_ends: dict[Node, list[int]] = {}
        self._symbol_ends: dict[Node, list[int]] = {}
        self._words: set[str] = set()
        self._lists: dict[str, int] = {}

    def list_symbol(self, name: str) -> int:
        if name not in self._lists:
            self._lists[name] = self._new_symbol(f"<{name}>")
        return self._lists[name]

    def add_pattern(self, pattern: int, elements: Sequence[Element], ends_the_message: bool = False) -> None:
        for path in self._whole(elements, ends_the_message):
            self._insert(path, self._pattern_ends, pattern)

    def add_list_phrase(self, name: str, elements: Sequence[Element]) -> None:
        symbol = self.list_symbol(name)
        for path in self._whole(elements):
            self._insert(path, self._symbol_ends, symbol)

    def finish(self) -> Node:
        for node, patterns in self._pattern_ends.items():
            node.patterns = tuple(dict.fromkeys(patterns))
        for node, symbols in self._symbol_ends.items():
            node.symbols = tuple(dict.fromkeys(symbols))
        return self.root

    def vocabulary(self) -> dict[str, tuple[Symbol, ...]]:
        """Every known word -> itself and the beginnings it has. Long beginnings count as words too."""
        lengths = sorted({len(prefix) for prefix in self.prefixes})
        words = self._words | {prefix for prefix in self.prefixes if len(prefix) > 4}
        return {word: (word, *self._beginnings(word, lengths)) for word in words}

    def prefixes_by_length(self) -> tuple[tuple[int, Mapping[str, int]], ...]:
        by_length: dict[int, dict[str, int]] = {}
        for prefix, symbol in self.prefixes.items():
            by_length.setdefault(len(prefix), {})[prefix] = symbol
        return tuple(sorted(by_length.items()))

    def _beginnings(self, word: str, lengths: Iterable[int]) -> list[int]:
        found = (self.prefixes.get(word[:length]) for length in lengths if length <= len(word))
        return [symbol for symbol in found if symbol is not None]

    def _new_symbol(self, name: str) -> int:
        symbol = len(self.symbol_names)
        self.symbol_names[symbol] = name
        return symbol

    def _whole(self, elements: Sequence[Element], ends_the_message: bool = False) -> list[Path]:
        """The ways to say a whole phrase, without gaps at its ends.

        They change nothing where a phrase matches anywhere; where it ends the message, the last one does.
        """
        paths = self._expand(elements)
        ways = [_without_outer_gaps(path) for path in paths]
        if ends_the_message:
            ways += [
                (*way, path[-1]) for way, path in zip(ways, paths, strict=True) if way and isinstance(path[-1], Gap)
            ]
        return [way for way in dict.fromkeys(ways) if way]

    def _expand(self, elements: Sequence[Element]) -> list[Path]:
        paths: list[Path] = [()]
        for element in elements:
            ways = self._ways(element)
            paths = [(*path, *way) for path in paths for way in ways]
            if len(paths) > MAX_EXPANSIONS:
                raise TooManyOptions
        return paths

    def _ways(self, element: Element) -> tuple[Path, ...]:
        if isinstance(element, Word):
            self._words.add(element.text)
            return ((element.text,),)
        if isinstance(element, Beginning):
            if element.text not in self.prefixes:
                self.prefixes[element.text] = self._new_symbol(f"{element.text}*")
            return ((self.prefixes[element.text],),)
        if isinstance(element, ListName):
            return ((self.list_symbol(element.name),),)
        if isinstance(element, Group):
            return self._group(element)
        return ((element,),)

    def _group(self, group: Group) -> tuple[Path, ...]:
        """One symbol for all alternatives, but not for those that a symbol cannot stand for.

        A symbol hands on neither captured values nor gaps at its ends: such alternatives are spelled out.
        """
        paths = dict.fromkeys(path for part in group.alternatives for path in self._expand(part))
        plain = tuple(path for path in paths if path and not _must_be_spelled_out(path))
        ways: list[Path] = [()] if group.optional or () in paths else []
        if len(plain) == 1:
            ways.append(plain[0])
        elif plain:
            ways.append((self._group_symbol(plain),))
        return (*ways, *(path for path in paths if _must_be_spelled_out(path)))

    def _group_symbol(self, paths: tuple[Path, ...]) -> int:
        if paths not in self._groups:
            symbol = self._new_symbol("(...)")
            self._groups[paths] = symbol
            for path in paths:
                self._insert(path, self._symbol_ends, symbol)
        return self._groups[paths]

    def _insert(self, path: Sequence[Item], ends: dict[Node, list[int]], number: int) -> None:
        node = self.root
        for at, item in enumerate(path):
            if isinstance(item, Gap):
                if node.gap is None:
                    node.gap = Node()
                node = node.gap
            elif isinstance(item, Capture):
                node = self._capture_edge(node, item, at + 1 == len(path))
            else:
                following = node.edges.get(item)
                if following is None:
                    following = Node()
                    if node.edges:
                        node.edges[item] = following
                    else:
                        node.edges = {item: following}
                node = following
        ends.setdefault(node, []).append(number)

    def _capture_edge(self, node: Node, capture: Capture, last: bool) -> Node:
        """A value at the end of a phrase has a node of its own: it takes all that follows, others stop early."""
        key = (node, capture.slot, capture.type, last)
        if key not in self._captures:
            following = self._captures[key] = Node()
            node.captures = (*node.captures, (capture.slot, capture.type, following))
        return self._captures[key]


def _must_be_spelled_out(path: Path) -> bool:
    return bool(path) and (
        isinstance(path[0], Gap) or isinstance(path[-1], Gap) or any(isinstance(item, Capture) for item in path)
    )


def _without_outer_gaps(path: Path) -> Path:
    start, end = 0, len(path)
    while start < end and isinstance(path[start], Gap):
        start += 1
    while end > start and isinstance(path[end - 1], Gap):
        end -= 1
    return path[start:end]


def deletions(words: Iterable[str], typos: Typos) -> dict[str, tuple[str, ...]]:
    """Each long enough word with one letter (not the first) left out -> the words it may be."""
    if not typos.enabled:
        return {}
    shortened: dict[str, list[str]] = {}
    for word in words:
        if not typos.min_letters <= len(word) <= LONGEST_WORD or not word.isalpha():
            continue
        if word in NEGATIONS or word in typos.ignore:
            continue
        for at in range(1, len(word)):
            shortened.setdefault(word[:at] + word[at + 1 :], []).append(word)
    return {short: tuple(dict.fromkeys(found)) for short, found in shortened.items()}
