"""The category of a message, with its score and evidence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from supportbot.decision.matcher import Found, Held
from supportbot.model.bot import Bot
from supportbot.model.decision import CategoryScore, Hit


class Classified(NamedTuple):
    """``category``: the winner, or the conversation's when nothing speaks for any. ``scores``: best first."""

    category: str
    scores: tuple[CategoryScore, ...]

    @property
    def has_evidence(self) -> bool:
        return bool(self.scores)


def classify(bot: Bot, found: Found, current: str) -> Classified:
    """Lowest priority first, then highest score, then the order of the files."""
    hits: dict[str, list[Hit]] = {}
    for number, held in found.held.items():
        category = _category_of(bot, number)
        if category is not None:
            hits.setdefault(category, []).extend(_counted(bot, held))
    scores = [
        CategoryScore(category, _score(bot, found_hits), evidence(found, found_hits))
        for category, found_hits in hits.items()
    ]
    scores.sort(key=lambda item: (bot.categories[item.id].priority, -item.score, bot.categories[item.id].order))
    fallback = current if current in bot.categories else bot.settings.default_category
    return Classified(scores[0].id if scores else fallback, tuple(scores))


def _category_of(bot: Bot, block: int) -> str | None:
    kind, id_ = bot.index.blocks[block].owner
    if kind == "category":
        return id_
    if kind == "guide" and not bot.guides[id_].small_talk:  # that says nothing about the problem
        return bot.guides[id_].category
    return None


def _counted(bot: Bot, held: Held) -> Iterable[Hit]:
    return (hit for hit in held.hits if bot.index.patterns[hit.pattern].use.role != "none")


def _score(bot: Bot, hits: Iterable[Hit]) -> float:
    """Sum of weights; a hit within words that a longer one took adds nothing."""
    total = 0.0
    taken: set[int] = set()
    weights = {hit: bot.index.patterns[hit.pattern].weight for hit in hits}
    for hit in sorted(weights, key=lambda hit: (-(weights[hit] or hit.words), hit.start, hit.pattern)):
        span = range(hit.start, hit.end)
        if taken.isdisjoint(span):
            weight = weights[hit]
            total += hit.words if weight is None else weight
            taken.update(span)
    return total


def evidence(found: Found, hits: Iterable[Hit]) -> tuple[str, ...]:
    """The words of the message that patterns found, in the order of the message."""
    spans = sorted({(hit.start, hit.end) for hit in hits if hit.end > hit.start})
    return tuple(" ".join(found.tokens[start:end]) for start, end in spans)
