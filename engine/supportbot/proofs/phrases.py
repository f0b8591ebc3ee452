"""Phrases that do nothing: never found, cancelled by their own ``none``, said twice, covered by another; and ties."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from supportbot.decision.matcher import Found
from supportbot.diagnostics import Diagnostic, Fix, Related, error, warning
from supportbot.model.bot import Handler, When
from supportbot.model.index import Block, Pattern
from supportbot.proofs.ground import Ground
from supportbot.proofs.impossible import find_impossible
from supportbot.proofs.texts import FRESH

MOST_TIES = 8  # of one pair of rules


def find_idle_phrases(ground: Ground) -> list[Diagnostic]:
    """Findings about single phrases, proved with the matcher itself on each phrase's own texts."""
    return list(Phrases(ground).findings())


class Phrases:
    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.bot = ground.bot
        ranks = Counter((handler.priority, handler.interrupts) for handler in self.bot.handlers)
        self.alone = {item.id for item in self.bot.handlers if ranks[item.priority, item.interrupts] == 1}
        self.ties: Counter[tuple[str, str]] = Counter()

    def findings(self) -> Iterator[Diagnostic]:
        yield from find_impossible(self.ground)
        for block in self.bot.index.blocks:
            patterns = [item for item in self.ground.patterns(block.id) if item.id not in self.ground.alone]
            if not patterns:
                continue
            repeated = list(self._repeated(patterns))
            yield from (finding for _, finding in repeated)
            again = {pattern.id for pattern, _ in repeated}
            phrases = [pattern for pattern in patterns if not pattern.regex and pattern.id not in again]
            dead = {pattern.id: finding for pattern in phrases if (finding := self._never_found(pattern))}
            yield from dead.values()
            yield from self._cancellations(block, [pattern for pattern in phrases if pattern.id not in dead])
            if block.owner[0] in ("handler", "form"):
                for pattern in phrases:
                    if pattern.use.role == "any" and pattern.id not in dead:
                        yield from self._covered(block, pattern)
            if block.owner[0] == "handler":
                for pattern in phrases:
                    if pattern.use.role == "any":
                        yield from self._tied(block, pattern)

    def _repeated(self, patterns: list[Pattern]) -> Iterator[tuple[Pattern, Diagnostic]]:
        seen: dict[tuple[object, ...], Pattern] = {}
        for pattern in patterns:
            wordings = self.ground.texts.wordings(pattern.id)
            said = wordings.texts if wordings.all and not pattern.regex else pattern.source
            first = seen.setdefault((pattern.use.role, said, pattern.exact, pattern.anchor), pattern)
            if first is pattern:
                continue
            same = (first.source, first.weight) == (pattern.source, pattern.weight)
            also = "" if first.source == pattern.source else f", as '{first.source}'"
            yield (
                pattern,
                warning(
                    "repeated-phrase",
                    pattern.place,
                    f"the phrase '{pattern.source}' stands here twice{also}",
                    "remove one of them",
                    Related(first.place, "it stands here first"),
                    fix=Fix(pattern.place) if same else None,
                ),
            )

    # --- phrases that are never found ---------------------------------------------------------

    def _never_found(self, pattern: Pattern) -> Diagnostic | None:
        """A phrase that is not even found in its own words, because messages are read differently."""
        wordings = self.ground.texts.wordings(pattern.id)
        if not wordings.texts or self.ground.texts.has_values(pattern.id):
            return None
        for text in wordings.texts:
            if pattern.id in self.ground.found(text).hits or pattern.id in self.ground.found(f"{FRESH} {text}").hits:
                return None
        text = wordings.texts[0]
        read = " ".join(self.ground.found(text).tokens)
        message = f'the phrase \'{pattern.source}\' can never be found: a message "{text}" is read as "{read}"'
        return warning("phrase-never-matches", pattern.place, message, "write the phrase as it is read")

    # --- phrases that their own none forbids --------------------------------------------------

    def _cancellations(self, block: Block, phrases: list[Pattern]) -> Iterator[Diagnostic]:
        if not block.none_count or not block.positive:
            return
        cancelled = {
            pattern.id: canceller
            for pattern in phrases
            if pattern.use.role != "none" and (canceller := self._cancelled_by(block, pattern)) is not None
        }
        leading = [pattern for pattern in self.ground.patterns(block.id) if pattern.use.role == "any"]
        required = [pattern for pattern in phrases if pattern.use.role == "all" and pattern.id in cancelled]
        whole = bool(required) or (bool(leading) and all(pattern.id in cancelled for pattern in leading))
        for pattern in phrases:
            canceller = cancelled.get(pattern.id)
            if canceller is None:
                continue
            related = Related(canceller.place, "this `none` forbids it")
            hint = f"make the none '{canceller.source}' longer, or remove it"
            if whole:
                message = (
                    f"nothing can ever match here: '{pattern.source}' is forbidden by its own none '{canceller.source}'"
                )
                yield error("self-cancelling", pattern.place, message, hint, related)
            else:
                message = f"the phrase '{pattern.source}' never counts: its own none '{canceller.source}' forbids it"
                yield warning("cancelled-phrase", pattern.place, message, f"remove the phrase; or {hint}", related)

    def _cancelled_by(self, block: Block, pattern: Pattern) -> Pattern | None:
        """A ``none`` of the block that is part of every text of the pattern, together with others; or None."""
        wordings = self.ground.texts.wordings(pattern.id)
        if not wordings.all:
            return None
        first: Pattern | None = None
        for text in wordings.texts:
            found = self.ground.found(text)
            canceller = self._none_in(block, found)
            if canceller is None:
                return None
            first = first or canceller
        return first

    def _none_in(self, block: Block, found: Found) -> Pattern | None:
        for number in found.hits:
            pattern = self.bot.index.patterns[number]
            if pattern.use.block == block.id and pattern.use.role == "none" and not (pattern.exact or pattern.anchor):
                return pattern
        return None

    # --- phrases that another one covers ------------------------------------------------------

    def _covered(self, block: Block, pattern: Pattern) -> Iterator[Diagnostic]:
        """A phrase of which every text holds another phrase of the same list that counts for as much."""
        wordings = self.ground.texts.wordings(pattern.id)
        if not wordings.all:
            return
        others: set[int] | None = None
        for text in wordings.texts:
            found = self.ground.found(text)
            others = {
                number
                for number in (found.hits if others is None else others)
                if self._takes(block, found, number, pattern)
            }
            if not others:
                return
        for number in sorted(others or ()):
            other = self.bot.index.patterns[number]
            yield warning(
                "covered-phrase",
                pattern.place,
                f"the phrase '{pattern.source}' adds nothing: '{other.source}' is found wherever it is",
                "remove it",
                Related(other.place, "this one covers it"),
            )
            return

    def _takes(self, block: Block, found: Found, number: int, pattern: Pattern) -> bool:
        other = self.bot.index.patterns[number]
        if number == pattern.id or other.use.block != block.id or other.use.role != "any" or other.regex:
            return False
        if other.anchor not in (None, pattern.anchor):
            return False
        own, theirs = found.hits.get(pattern.id), found.hits.get(number)
        if own is None or theirs is None or own.captures or theirs.captures or other.exact > pattern.exact:
            return False
        same = theirs.words == own.words
        if block.owner[0] == "form" or block.owner[1] in self.alone:  # how many words match makes no difference
            return not same or number < pattern.id
        return theirs.words > own.words or (same and number < pattern.id)

    # --- ties -----------------------------------------------------------------------------------

    def _tied(self, block: Block, pattern: Pattern) -> Iterator[Diagnostic]:
        """Two handlers of equal priority that a text brings up with equally many words: only the order decides."""
        handler = self.bot.handler_by_id[block.owner[1]]
        if handler.id in self.alone or self.ground.left <= 0:
            return
        for text in self.ground.texts.of(pattern.id):
            found = self.ground.found(text)
            held = found.held.get(block.id)
            if held is None or len(found.held) < 2:
                continue
            for number, other_held in found.held.items():
                other_block = self.bot.index.blocks[number]
                if other_block.owner[0] != "handler" or other_block.owner[1] == handler.id:
                    continue
                other = self.bot.handler_by_id[other_block.owner[1]]
                equal = _same_rank(handler, other) and held.words == other_held.words
                earlier = equal and other.order < handler.order and self._meet(handler, block, other, other_block)
                if earlier and self._answers(other, handler.when[block.part], text):
                    yield from self._tie(pattern, handler, other, text)
                    return

    def _answers(self, winner: Handler, when: When, text: str) -> bool:
        """Whether the first of two equal handlers answers at all, in a state of the second."""
        states = [state.id for state in self.bot.graph.states.values() if not state.final]
        return any(
            self.ground.decide(text, state, self.ground.moments[0]).handler == winner.id
            for state in states
            if not when.states or state in when.states
        )

    def _meet(self, handler: Handler, block: Block, other: Handler, other_block: Block) -> bool:
        """Whether both may answer in one state, and it is not a condition that tells them apart."""
        own, theirs = handler.when[block.part], other.when[other_block.part]
        if own.condition is not None or theirs.condition is not None:
            return False
        if own.categories and theirs.categories and own.categories.isdisjoint(theirs.categories):
            return False
        return not own.states or not theirs.states or not own.states.isdisjoint(theirs.states)

    def _tie(self, pattern: Pattern, handler: Handler, other: Handler, text: str) -> Iterator[Diagnostic]:
        pair = (handler.id, other.id)
        self.ties[pair] += 1
        if self.ties[pair] > MOST_TIES:
            return
        yield warning(
            "order-decides",
            pattern.place,
            f"'{handler.id}' and '{other.id}' both have priority {handler.priority} and match "
            f"\"{text}\" equally: '{other.id}' answers only because it stands first",
            "give them different priorities, or take the phrase out of one of them",
            Related(other.place, f"'{other.id}' stands here"),
        )


def _same_rank(handler: Handler, other: Handler) -> bool:
    return handler.priority == other.priority and handler.interrupts == other.interrupts
