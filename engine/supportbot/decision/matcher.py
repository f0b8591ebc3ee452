"""Finding the bot's patterns in a message: one walk over a trie, flat in the number of phrases."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from supportbot.decision.entities import Reading, Typed, read_values
from supportbot.decision.met import NOTHING, read, rows_of, step
from supportbot.decision.regexes import find_regexes
from supportbot.model.decision import Hit
from supportbot.model.index import Block, Index, Met, Node, Stand, Symbol
from supportbot.model.session import SlotValue
from supportbot.model.text import tokens

GAP_WORDS = 3
TEXT_WORDS = 12  # the most a {slot:text} takes
MANY_STEPS = 500  # of one walk, before steps are compared to be taken once

Captures = tuple[tuple[str, SlotValue], ...]
Step = tuple[Stand, int, int, Captures]  # where a walk stands, the position after it, words matched, values taken


class Held(Struct, frozen=True, gc=False):
    """A match block that holds: matched words in all, its hits."""

    block: int
    words: int
    hits: tuple[Hit, ...]


class Found(Struct, frozen=True, gc=False):
    """What a message holds. ``held`` by block number; ``hits`` of all patterns, also of blocks that do not hold."""

    text: str
    tokens: tuple[str, ...]
    corrections: dict[int, str] = {}  # token position -> word understood
    hits: dict[int, Hit] = {}  # by pattern
    held: dict[int, Held] = {}


def find(index: Index, text: str, reading: Reading) -> Found:
    """Match every pattern of the bot against a text."""
    words = tokens(text)
    search = _Search(index, words, text, reading, rows_of(index, words))
    search.run()
    best = search.best
    if index.regexes:
        best.update(find_regexes(index, text))
    return Found(text, words, search.corrections, best, _held(index, best, words) if best else {})


def hits_in(index: Index, words: tuple[str, ...], reading: Reading) -> dict[int, Hit]:
    """What ``find`` finds in words of the normal form, without regexes: cheaper when that is all that is asked."""
    search = _Search(index, words, " ".join(words), reading, rows_of(index, words))
    search.run()
    return search.best


_UNSEEN = Node()  # no place that a step leads to


class _Search(Struct, gc=False):
    """All walks through the trie. Starts go from right to left, so that what a list may take later is known.

    ``rows``: what the single word at a position can be. ``spans``: lists of several words that were found there, with
    the position after.
    """

    index: Index
    words: tuple[str, ...]
    text: str
    reading: Reading
    rows: list[Met]
    spans: dict[int, list[tuple[Met, int]]] = {}
    corrections: dict[int, str] = {}
    best: dict[int, Hit] = {}
    typed: Typed | None = None
    values: dict[int, list[tuple[str, int, SlotValue]]] | None = None

    def run(self) -> None:
        rows = self.rows
        if self.index.root.captures:
            self._walk_all(len(rows))
        else:
            following = NOTHING
            start = len(rows)
            for met in reversed(rows):
                start -= 1
                # Most walks would end at once: nothing goes on with the next word.
                if met is not NOTHING and met.after >> following.bit & 1:
                    self._walk_from(met, start)
                    if self.spans:  # what stands before may go on with a list of several words
                        self._walk_all(start)
                        break
                following = met
        if len(self.corrections) > 1:
            self.corrections = dict(sorted(self.corrections.items()))

    def _walk_all(self, rest: int) -> None:
        """Walk from every position before ``rest``: it may go on with several words, or begin with a value."""
        rows, spans = self.rows, self.spans
        begins_with_value = bool(self.index.root.captures)
        following = rows[rest] if rest < len(rows) else NOTHING
        for start in range(rest - 1, -1, -1):
            met = rows[start]
            if met is not NOTHING and (met.after >> following.bit & 1 or start + 1 in spans):
                self._walk_from(met, start)
            if begins_with_value:
                self._walk_from_values(start)
            following = met

    def _walk_from(self, met: Met, start: int) -> None:
        if met.corrected is not None:
            self.corrections[start] = met.corrected
        if met.first is not None:
            self._walk(met.first, start, start + 1, 1, ())
        if self.spans:
            for found, end in self.spans.get(start, ()):  # grows while lists are found that begin here
                if found.first is not None:
                    self._walk(found.first, start, end, end - start, ())

    def _walk_from_values(self, start: int) -> None:
        for stand, end, _, taken in reversed(self._captured(self.index.root, start, 0, ())):
            self._walk(stand, start, end, end - start, taken)

    def _walk(self, stand: Stand, start: int, at: int, matched: int, captures: Captures) -> None:
        """Every way on from where a phrase stands after [start, at), the nearest first."""
        rows, spans = self.rows, self.spans
        count = len(rows)
        first = stand  # its lists are known already: see Met
        ways: list[Step] = []
        taken: set[tuple[Stand, int, int]] = set()
        steps = 0
        while True:
            if stand.patterns:
                self._end(stand.patterns, start, at, matched, captures)
            if stand.symbols and stand is not first:
                self._found(stand.symbols, start, at)
            if at < count:
                if stand.captures:
                    ways += self._captured(stand, at, matched, captures)
                if stand.gap is not None:
                    self._over_gap(ways, stand.gap, at, matched, captures)
                if spans and at in spans:
                    self._over_spans(ways, stand, at, matched, captures)
                met = rows[at]
                if met is not NOTHING:
                    edges, symbol = stand.edges, met.symbol
                    then: Stand | None
                    if edges is not None and symbol is not None:
                        then = edges.get(symbol)
                    else:
                        then = met.steps.get(stand, _UNSEEN)
                        if then is _UNSEEN:
                            then = step(self.index, stand, met)
                    if then is not None:
                        stand = then
                        at += 1
                        matched += 1
                        continue
            if not ways:
                return
            steps += 1
            if steps > MANY_STEPS and not _any_new(ways, taken):
                return
            stand, at, matched, captures = ways.pop()

    def _over_gap(self, ways: list[Step], gap: Stand, at: int, matched: int, captures: Captures) -> None:
        """The ways on after a gap, the shortest gap last: that one is taken first."""
        rows, spans = self.rows, self.spans
        count = len(rows)
        if gap.patterns or gap.symbols or gap.captures or gap.gap is not None:
            ways.extend((gap, end, matched, captures) for end in range(min(at + GAP_WORDS, count), at - 1, -1))
            return
        for end in range(min(at + GAP_WORDS, count - 1), at - 1, -1):
            if spans and end in spans:
                self._over_spans(ways, gap, end, matched, captures)
            met = rows[end]
            if met is not NOTHING:
                then = met.steps.get(gap, _UNSEEN)
                if then is _UNSEEN:
                    then = step(self.index, gap, met)
                if then is not None:
                    ways.append((then, end + 1, matched + 1, captures))

    def _over_spans(self, ways: list[Step], stand: Stand, at: int, matched: int, captures: Captures) -> None:
        """The ways over lists of several words that were found at a position."""
        for found, end in reversed(self.spans[at]):
            then = found.steps.get(stand, _UNSEEN)
            if then is _UNSEEN:
                then = step(self.index, stand, found)
            if then is not None:
                ways.append((then, end, matched + end - at, captures))

    def _found(self, symbols: tuple[int, ...], start: int, end: int) -> None:
        """Lists that begin and end there, if they are new."""
        here = self.spans.setdefault(start, [])
        known = [met.known for met, at in here if at == end]
        new: tuple[Symbol, ...] = symbols
        if known:
            new = tuple(symbol for symbol in symbols if not any(symbol in others for others in known))
        if new:
            here.append((read(self.index, new), end))

    def _captured(self, stand: Stand, at: int, matched: int, captures: Captures) -> list[Step]:
        """Every way to take a value at a position, the first last."""
        ways: list[Step] = []
        for slot, type_, following in stand.captures:
            if type_ == "text":
                last = min(at + TEXT_WORDS, len(self.words))
                # A value at the end of the phrase takes all that follows; inside, as little as it can.
                first = last if following.patterns or following.symbols else at + 1
                for end in range(max(first, at + 1), last + 1):
                    ways.append((following, end, matched + 1, (*captures, (slot, self._said(at, end)))))
                continue
            for kind, end, value in self._values().get(at, ()):
                if kind == type_:
                    ways.append((following, end, matched + 1, (*captures, (slot, value))))
        ways.reverse()
        return ways

    def _values(self) -> dict[int, list[tuple[str, int, SlotValue]]]:
        if self.values is None:
            self.values = read_values(self.text, self.words, self.reading)
        return self.values

    def _said(self, start: int, end: int) -> str:
        """The visitor's own spelling of some tokens."""
        if self.typed is None:
            self.typed = Typed(self.text, self.words)
        return self.typed.spelling(start, end)

    def _end(self, patterns: Iterable[int], start: int, end: int, matched: int, captures: Captures) -> None:
        """Keep of each pattern the hit with most words; of several the one further left, of these the shortest."""
        best, anchors = self.best, self.index.anchors
        last = len(self.words) - (self.words[-1] == "?")  # a question mark at the end is no word
        fuzzy = bool(self.corrections) and any(at in self.corrections for at in range(start, end))
        for pattern in patterns:
            known = best.get(pattern)
            if known is not None and not _is_better(known, start, end, matched):
                continue
            anchor = anchors.get(pattern)
            if anchor is not None and ((start > 0 and anchor != "end") or (end < last and anchor != "start")):
                continue
            if fuzzy and self.index.patterns[pattern].exact:
                continue
            best[pattern] = Hit(pattern, start, end, matched, fuzzy, captures)


def _any_new(ways: list[Step], taken: set[tuple[Stand, int, int]]) -> bool:
    """Drop ways that lead where others led before, whatever values they took; the last one left counts as taken."""
    while ways and ways[-1][:3] in taken:
        ways.pop()
    if ways:
        taken.add(ways[-1][:3])
    return bool(ways)


def _is_better(known: Hit, start: int, end: int, matched: int) -> bool:
    """Whether a hit is better than one that was found before, and so begins no further left."""
    return matched > known.words or (matched == known.words and (start < known.start or end < known.end))


def _held(index: Index, best: dict[int, Hit], tokens: tuple[str, ...]) -> dict[int, Held]:
    """The blocks whose conditions hold: an ``any``, every ``all``, no ``none``, a short enough message."""
    blocks, patterns = index.blocks, index.patterns
    if len(best) == 1:  # as mostly
        (hit,) = best.values()
        number = patterns[hit.pattern].use.block
        if blocks[number].alone:
            return {number: Held(number, hit.words, (hit,))}
    grouped: dict[int, tuple[Hit, ...]] = {}
    refused: set[int] = set()
    for hit in best.values():
        use = patterns[hit.pattern].use
        number = use.block
        if use.role == "none":
            refused.add(number)
        elif number in grouped:
            grouped[number] += (hit,)
        else:
            grouped[number] = (hit,)
    held: dict[int, Held] = {}
    for number, hits in grouped.items():
        block = blocks[number]
        if block.alone:
            words = hits[0].words if len(hits) == 1 else max([hit.words for hit in hits])
            held[number] = Held(number, words, hits)
        elif len(hits) >= block.least and number not in refused and block.takes(tokens):
            words = _words_of(index, block, hits)
            if words:
                held[number] = Held(number, words, hits)
    return held


def _words_of(index: Index, block: Block, hits: tuple[Hit, ...]) -> int:
    """How many words a block matched; 0 when something that it asks for is missing."""
    longest = 0
    required: dict[int, int] = {}
    for hit in hits:
        use = index.patterns[hit.pattern].use
        if use.role == "any":
            longest = max(longest, hit.words)
        else:
            required[use.position] = hit.words
    if (block.has_any and not longest) or len(required) < block.all_count:
        return 0
    return longest + sum(required.values())
