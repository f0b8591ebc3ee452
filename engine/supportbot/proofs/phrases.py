"""Phrases that do nothing: cancelled by their own ``none``, said twice, covered by a shorter one; and ties."""

from __future__ import annotations

from collections.abc import Iterator

from supportbot.decision.answers import reading_of
from supportbot.decision.matcher import Found, find
from supportbot.diagnostics import Diagnostic, Related, error, warning
from supportbot.model.bot import Bot, Handler
from supportbot.model.index import Block, Pattern
from supportbot.proofs.shadows import SAID
from supportbot.proofs.texts import FRESH, Texts

MOST_TIES = 8  # of one pair of rules; the rest is counted


def find_idle_phrases(bot: Bot) -> list[Diagnostic]:
    """Findings about single phrases, proved with the matcher itself on each phrase's own texts."""
    return list(_Phrases(bot).findings())


class _Phrases:
    def __init__(self, bot: Bot) -> None:
        self.bot = bot
        self.texts = Texts(bot.index)
        self.reading = reading_of(bot, SAID)
        self.by_block: dict[int, list[Pattern]] = {}
        for pattern in bot.index.patterns:
            self.by_block.setdefault(pattern.use.block, []).append(pattern)
        self.ties: dict[tuple[str, str], int] = {}

    def findings(self) -> Iterator[Diagnostic]:
        for block in self.bot.index.blocks:
            patterns = self.by_block.get(block.id, [])
            yield from self._repeated(patterns)
            phrases = [pattern for pattern in patterns if not pattern.regex and pattern.use.role == "any"]
            cancelled: list[tuple[Pattern, Pattern]] = []
            for pattern in phrases:
                found = [find(self.bot.index, text, self.reading) for text in self.texts.of(pattern.id)]
                canceller = self._cancelled_by(block, found)
                if canceller is not None:
                    cancelled.append((pattern, canceller))
                yield from self._covered(block, pattern, found)
                yield from self._tied(block, pattern, found)
            yield from self._cancellations(block, phrases, cancelled)

    def _repeated(self, patterns: list[Pattern]) -> Iterator[Diagnostic]:
        seen: dict[tuple[str, str], Pattern] = {}
        for pattern in patterns:
            key = (pattern.use.role, pattern.source)
            first = seen.setdefault(key, pattern)
            if first is not pattern:
                yield warning(
                    "repeated-phrase",
                    pattern.place,
                    f"the phrase '{pattern.source}' stands here twice",
                    "remove one of them",
                    Related(first.place, "it stands here first"),
                )

    def _cancelled_by(self, block: Block, found: list[Found]) -> Pattern | None:
        """The ``none`` that forbids every text of a phrase, or None."""
        if not block.none_count or not found or any(block.id in each.held for each in found):
            return None
        for pattern in self.by_block[block.id]:
            if pattern.use.role == "none" and all(pattern.id in each.hits for each in found):
                return pattern
        return None

    def _cancellations(
        self, block: Block, phrases: list[Pattern], cancelled: list[tuple[Pattern, Pattern]]
    ) -> Iterator[Diagnostic]:
        whole = bool(cancelled) and len(cancelled) == len(phrases) and not self._has_regex(block)
        for pattern, canceller in cancelled:
            related = Related(canceller.place, "this `none` forbids it")
            if whole:
                message = (
                    f"nothing can ever match here: '{pattern.source}' is forbidden by its own none '{canceller.source}'"
                )
                yield error("self-cancelling", pattern.place, message, "narrow the `none`", related)
            else:
                message = f"the phrase '{pattern.source}' never counts: the none '{canceller.source}' forbids it"
                yield warning("cancelled-phrase", pattern.place, message, "remove it, or narrow the `none`", related)

    def _has_regex(self, block: Block) -> bool:
        return any(pattern.regex and pattern.use.role == "any" for pattern in self.by_block[block.id])

    def _covered(self, block: Block, pattern: Pattern, found: list[Found]) -> Iterator[Diagnostic]:
        """A phrase whose every text another phrase of the same list matches, with as many words."""
        if not found or block.owner[0] in ("category", "guide"):
            return  # there, longer phrases count for more
        for other in self.by_block[block.id]:
            if other.id == pattern.id or other.use.role != "any" or other.source == pattern.source:
                continue
            if all(self._takes_as_much(each, other, pattern) for each in found):
                yield warning(
                    "covered-phrase",
                    pattern.place,
                    f"the phrase '{pattern.source}' adds nothing: '{other.source}' matches all that it matches",
                    "remove it",
                    Related(other.place, "this one covers it"),
                )
                return

    @staticmethod
    def _takes_as_much(found: Found, other: Pattern, pattern: Pattern) -> bool:
        own, theirs = found.hits.get(pattern.id), found.hits.get(other.id)
        if own is None or theirs is None:
            return False
        return theirs.words > own.words or (theirs.words == own.words and other.id < pattern.id)

    def _tied(self, block: Block, pattern: Pattern, found: list[Found]) -> Iterator[Diagnostic]:
        """Two handlers of equal priority that a text brings up with equally many words: only the order decides."""
        if block.owner[0] != "handler":
            return
        handler = self.bot.handler_by_id[block.owner[1]]
        for each in found:
            held = each.held.get(block.id)
            if held is None or len(each.held) < 2:
                continue
            for number, other_held in each.held.items():
                other_block = self.bot.index.blocks[number]
                if other_block.owner[0] != "handler" or other_block.owner[1] == handler.id:
                    continue
                other = self.bot.handler_by_id[other_block.owner[1]]
                equal = self._same_rank(handler, other) and held.words == other_held.words
                if equal and other.order < handler.order and _share_a_state(handler, block, other, other_block):
                    yield from self._tie(pattern, handler, other, each.text)

    @staticmethod
    def _same_rank(handler: Handler, other: Handler) -> bool:
        return handler.priority == other.priority and handler.interrupts == other.interrupts

    def _tie(self, pattern: Pattern, handler: Handler, other: Handler, text: str) -> Iterator[Diagnostic]:
        pair = (handler.id, other.id)
        self.ties[pair] = self.ties.get(pair, 0) + 1
        if self.ties[pair] > MOST_TIES:
            return
        yield warning(
            "order-decides",
            pattern.place,
            f"'{handler.id}' and '{other.id}' both have priority {handler.priority} and match "
            f"\"{_readable(text)}\" equally: '{other.id}' answers only because it stands first",
            "give them different priorities, or make one phrase longer",
            Related(other.place, f"'{other.id}' stands here"),
        )


def _share_a_state(handler: Handler, block: Block, other: Handler, other_block: Block) -> bool:
    own, theirs = handler.when[block.part].states, other.when[other_block.part].states
    return not own or not theirs or not own.isdisjoint(theirs)


def _readable(text: str) -> str:
    return text.replace(FRESH, "...")
