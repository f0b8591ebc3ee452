"""The category of a message, with its score and evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from supportbot.decision.matcher import Found
from supportbot.model.bot import Bot
from supportbot.model.decision import CategoryScore, Hit
from supportbot.model.index import Pattern


class Classified(Struct, frozen=True, gc=False):
    """``category``: the winner, or the conversation's when none has evidence. ``hits``: that evidence, best first."""

    category: str
    hits: Mapping[str, Sequence[Hit]] = {}


def classify(bot: Bot, found: Found, current: str) -> Classified:
    """Lowest priority first, then highest score, then the order of the files."""
    hits: dict[str, list[Hit]] = {}
    for number, held in found.held.items():
        category = bot.evidence_for[number]
        if category is None:
            continue
        if category.id in hits:
            hits[category.id] += held.hits
        else:
            hits[category.id] = [*held.hits]
    if not hits:  # as mostly
        return Classified(current if current in bot.categories else bot.settings.default_category)
    if len(hits) > 1:
        hits = _ranked(bot, hits)
    return Classified(next(iter(hits)), hits)


def _ranked(bot: Bot, hits: Mapping[str, list[Hit]]) -> dict[str, list[Hit]]:
    patterns, order = bot.index.patterns, []
    for name, own in hits.items():
        category = bot.categories[name]
        order.append((category.priority, -_score(patterns, own), category.order, name))
    order.sort()
    return {name: hits[name] for _, _, _, name in order}


def scores(patterns: Sequence[Pattern], found: Found, classified: Classified) -> tuple[CategoryScore, ...]:
    """The categories that the message speaks for, best first."""
    hits = classified.hits.items()
    return tuple([CategoryScore(name, _score(patterns, own), evidence(found, own)) for name, own in hits])


def _score(patterns: Sequence[Pattern], hits: Sequence[Hit]) -> float:
    """Sum of weights; a hit within words that a longer one took adds nothing."""
    total = 0.0
    taken: set[int] = set()
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
