"""Blocks that ask for too much: phrases longer than the message may be, or two that are each the whole message."""

from __future__ import annotations

from collections.abc import Iterator

from supportbot.diagnostics import Diagnostic, error, warning
from supportbot.model.index import Block, Pattern
from supportbot.proofs.ground import Ground
from supportbot.proofs.texts import FRESH


def find_impossible(ground: Ground) -> Iterator[Diagnostic]:
    """One finding for each block that no message fits, or for each of its phrases that none does."""
    for block in ground.bot.index.blocks:
        patterns = ground.patterns(block.id)
        if not block.max_words and all(pattern.anchor != "whole" for pattern in patterns):
            continue
        long = list(_too_long(ground, block, patterns))
        if long:
            yield from _about_length(ground, block, patterns, long)
        else:
            yield from _about_others(ground, block, patterns)


def _too_long(ground: Ground, block: Block, patterns: list[Pattern]) -> Iterator[Pattern]:
    for pattern in patterns:
        wordings = ground.texts.wordings(pattern.id)
        if not block.max_words or pattern.regex or pattern.use.role == "none" or not wordings.all:
            continue
        if not any(block.takes(ground.found(text).tokens) for text in wordings.texts):
            yield pattern


def _about_length(ground: Ground, block: Block, patterns: list[Pattern], long: list[Pattern]) -> Iterator[Diagnostic]:
    leading = [pattern for pattern in patterns if pattern.use.role == "any"]
    required = [pattern for pattern in long if pattern.use.role == "all"]
    whole = bool(required) or (bool(leading) and all(pattern in long for pattern in leading))
    for pattern in required[:1] or long:
        count = min(text.count(" ") + 1 for text in ground.texts.of(pattern.id))
        why = f"'{pattern.source}' has at least {count} words, and max_words is {block.max_words}"
        hint = "give max_words a larger number, or write a shorter phrase"
        if whole:
            yield error("self-cancelling", pattern.place, f"nothing can ever match here: {why}", hint)
            return
        yield warning("phrase-never-matches", pattern.place, f"the phrase can never be found: {why}", hint)


def _about_others(ground: Ground, block: Block, patterns: list[Pattern]) -> Iterator[Diagnostic]:
    """A phrase that must be the whole message, with others that are not in it."""
    if block.none_count or any(pattern.regex for pattern in patterns):
        return
    leading = [pattern for pattern in patterns if pattern.use.role == "any"]
    for group in (leading, *([pattern] for pattern in patterns if pattern.use.role == "all")):
        if not group or any(pattern.anchor != "whole" for pattern in group):
            continue
        texts = [text for pattern in group for text in ground.texts.of(pattern.id)]
        plain = all(ground.texts.complete(item.id) and not ground.texts.has_values(item.id) for item in group)
        if not plain or any(FRESH in text for text in texts):
            continue
        if not any(block.id in ground.found(text).held for text in texts):
            why = f"'{group[0].source}' must be the whole message, and more is asked for"
            hint = "take `at: whole` off, or put the phrases under `any`"
            yield error("self-cancelling", group[0].place, f"nothing can ever match here: {why}", hint)
            return
