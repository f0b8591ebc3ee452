"""Phrases that stand wherever another one does: a proof also where position and length of the message count."""

from __future__ import annotations

from supportbot.model.bot import Guide, Handler, When
from supportbot.model.index import Anchor, Block, Pattern
from supportbot.proofs.ground import Ground
from supportbot.proofs.texts import Rule

# Where a phrase may have to stand, so that it stands there with every phrase that is found around it.
WITHIN: dict[Anchor | None, tuple[Anchor | None, ...]] = {
    None: (None, "start", "end", "whole"),
    "start": ("start", "whole"),
    "end": ("end", "whole"),
    "whole": ("whole",),
}


def covers(ground: Ground, winner: Rule, rule: Rule, when: When, pattern: Pattern, text: str, state: str) -> bool:
    """Whether the winner takes every message in which the rule's pattern is found as this text, in this state.

    It must be asked first whatever else is in the message, and have a phrase that is found in the text itself,
    that may stand wherever the rule's pattern may, and that nothing in the rest of the message forbids.
    """
    if not isinstance(winner, Handler) or when.block is None or (isinstance(rule, Guide) and rule.do):
        return False
    own = ground.bot.index.blocks[when.block]
    if own.all_count or pattern.regex:
        return False
    return any(
        _is_free(other, state) and _holds_with(ground, winner, rule, own, pattern, text, other.block)
        for other in winner.when
        if other.block is not None
    )


def _is_free(when: When, state: str) -> bool:
    """Whether nothing but the message decides in the state."""
    return when.condition is None and not when.categories and (not when.states or state in when.states)


def _holds_with(
    ground: Ground, winner: Handler, rule: Rule, own: Block, pattern: Pattern, text: str, number: int
) -> bool:
    block = ground.bot.index.blocks[number]
    if block.all_count or block.none_count or not _as_long(block, own):
        return False
    found = ground.found(text)
    mine = found.hits.get(pattern.id)
    for other in ground.patterns(number):
        hit = found.hits.get(other.id)
        if hit is None or other.regex or hit.captures or mine is None or mine.captures:
            continue
        stands = pattern.anchor in WITHIN[other.anchor] and other.exact <= pattern.exact
        if stands and _is_first(winner, rule, hit.words >= mine.words):
            return True
    return False


def _as_long(block: Block, own: Block) -> bool:
    """Whether a block takes every message that is short enough for the other."""
    return not block.max_words or 0 < own.max_words <= block.max_words


def _is_first(winner: Handler, rule: Rule, as_many: bool) -> bool:
    if isinstance(rule, Guide) or winner.priority < rule.priority:
        return True
    return winner.priority == rule.priority and winner.order < rule.order and as_many
