"""What words make of the trie: looked up once, then remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from supportbot.decision.entities import READ_WORDS, unread
from supportbot.decision.typos import correct
from supportbot.model.index import Bundle, Index, Met, Node, Stand, Symbol

MEMO_WORDS = 20_000  # words that are remembered
MEMO_LETTERS = 32
MEMO_STEPS = 50_000  # steps from one place to the next that are remembered
NOTHING = Met((), None)
Then = TypeVar("Then")


def rows_of(index: Index, words: tuple[str, ...]) -> list[Met]:
    """What each word can be. In the middle of a message made to be long, words are nothing."""
    rows = list(map(index.memo.words.get, words))
    if not all(rows):
        rows = [met or _meet(index, word) for met, word in zip(rows, words, strict=True)]
    if len(words) > READ_WORDS:
        for at in unread(len(words)):
            rows[at] = NOTHING
    return rows  # type: ignore[return-value]  # None is in it no more


def _meet(index: Index, word: str) -> Met:
    corrected = None
    direct = index.vocabulary.get(word) or _beginnings(index, word)
    if not direct and index.deletions:
        corrected = correct(index, word)
        direct = index.vocabulary[corrected] if corrected is not None else ()
    met = read(index, direct)
    if corrected is not None:
        met = met.standing_for(corrected)
    if len(word) <= MEMO_LETTERS:
        memo = index.memo.words
        if len(memo) >= MEMO_WORDS:
            memo.clear()
        memo[word] = met
    return met


def _beginnings(index: Index, word: str) -> tuple[Symbol, ...]:
    found: tuple[Symbol, ...] = ()
    for length, prefixes in index.prefixes:
        if length > len(word):
            break
        symbol = prefixes.get(word[:length])
        if symbol is not None:
            found = (*found, symbol)
    return found


def read(index: Index, direct: tuple[Symbol, ...]) -> Met:
    """Close symbols over the lists that hold one of them alone, and look where phrases stand after it."""
    if not direct:
        return NOTHING
    known = index.memo.readings.get(direct)
    if known is not None:
        return known
    edges = index.root.edges
    symbols = list(dict.fromkeys(direct))
    nodes: list[Node] = []
    for symbol in symbols:  # grows
        node = edges.get(symbol)
        if node is not None:
            symbols.extend(found for found in node.symbols if found not in symbols)
            nodes.append(node)
    if len(index.memo.readings) >= MEMO_WORDS:
        index.memo.forget()
    met = index.memo.readings[direct] = Met(tuple(symbols), _together(index, nodes))
    return met


def step(index: Index, stand: Stand, met: Met) -> Stand | None:
    """Where a word or list leads from a place, if anywhere; remembered in ``met.steps`` if it took some looking."""
    if not met.symbols:  # NOTHING is one for all bots: what it kept would keep them
        return None
    if stand.edges is None:
        nodes = [node for ways in _shared(stand.onward, met) for node in ways]
    elif met.symbol is not None:
        return stand.edges.get(met.symbol)
    else:
        nodes = _shared(stand.edges, met)
    then = _together(index, nodes)
    memo = index.memo
    if memo.steps >= MEMO_STEPS:
        memo.forget()
    memo.steps += 1
    met.remember(stand, then)
    return then


def _shared(edges: Mapping[Symbol, Then], met: Met) -> list[Then]:
    """Where the edges lead for any symbol of a word, looking through the shorter of the two."""
    if len(edges) < len(met.symbols):
        known = met.known
        return [then for symbol, then in edges.items() if symbol in known]
    return [edges[symbol] for symbol in met.symbols if symbol in edges]


def _together(index: Index, nodes: Iterable[Node]) -> Stand | None:
    different = tuple(dict.fromkeys(nodes))
    if len(different) < 2:
        return different[0] if different else None
    bundles = index.memo.bundles
    known = bundles.get(different)
    if known is None:
        gap = _together(index, [node.gap for node in different if node.gap is not None])
        known = bundles[different] = Bundle(different, gap)
    return known
