"""The category of a message, with its score and evidence."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from supportbot.decision.matcher import Found
from supportbot.model.bot import Bot
from supportbot.model.decision import CategoryScore, Hit


class Classified(Struct, frozen=True):
    """``category``: the winner, or the conversation's when nothing speaks for any. ``scores``: best first."""

    category: str
    scores: tuple[CategoryScore, ...] = ()


def classify(bot: Bot, found: Found, current: str) -> Classified:
    """Lowest priority first, then highest score, then the order of the files."""
    hits: dict[str, list[Hit]] = {}
    for number, held in found.held.items():
        category = bot.evidence_for[number]
        if category is not None:
            hits.setdefault(category.id, []).extend(held.hits)
    if not hits:  # as mostly
        return Classified(current if current in bot.categories else bot.settings.default_category)
    scores = [
        CategoryScore(category, _score(bot, found_hits), evidence(found, found_hits))
        for category, found_hits in hits.items()
    ]
    if len(scores) > 1:
        scores.sort(key=lambda item: (bot.categories[item.id].priority, -item.score, bot.categories[item.id].order))
    return Classified(scores[0].id, tuple(scores))


def _score(bot: Bot, hits: Sequence[Hit]) -> float:
    """Sum of weights; a hit within words that a longer one took adds nothing."""
    total = 0.0
    taken: set[int] = set()
    patterns = bot.index.patterns
    weights = {hit.pattern: patterns[hit.pattern].weight for hit in hits}
    if len(hits) > 1:
        hits = sorted(hits, key=lambda hit: (-(weights[hit.pattern] or hit.words), hit.start, hit.pattern))
    for hit in hits:
        span = range(hit.start, hit.end)
        if taken.isdisjoint(span):
            weight = weights[hit.pattern]
            total += hit.words if weight is None else weight
            taken.update(span)
    return total


def evidence(found: Found, hits: Sequence[Hit]) -> tuple[str, ...]:
    """The words of the message that patterns found, in the order of the message."""
    if len(hits) == 1:
        hit = hits[0]
        return (" ".join(found.tokens[hit.start : hit.end]),) if hit.end > hit.start else ()
    spans = sorted({(hit.start, hit.end) for hit in hits if hit.end > hit.start})
    return tuple([" ".join(found.tokens[start:end]) for start, end in spans])
