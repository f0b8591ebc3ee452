"""Words of different rules that one typing mistake turns into each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from supportbot.diagnostics import Diagnostic, Related, info
from supportbot.model.index import Pattern
from supportbot.proofs.ground import Ground
from supportbot.proofs.texts import Rule

MOST = 8


def find_close_words(ground: Ground) -> list[Diagnostic]:
    """Findings about rules that a single word brings up; at most MOST."""
    single = _single_words(ground)
    found = []
    pairs = {tuple(sorted(pair, key=lambda word: single[word].place)) for pair in _pairs(ground, single)}
    for left, right in sorted(pairs, key=lambda pair: [single[word].place for word in pair]):
        finding = _finding(ground, left, right, single)
        if finding is not None:
            found.append(finding)
        if len(found) >= MOST:
            break
    return found


def _single_words(ground: Ground) -> dict[str, Pattern]:
    """Words that are a whole phrase of a rule, and enough to bring it up."""
    found: dict[str, Pattern] = {}
    blocks = ground.bot.index.blocks
    for pattern in ground.bot.index.patterns:
        block = blocks[pattern.use.block]
        if pattern.use.role != "any" or block.all_count or block.owner[0] not in ("handler", "guide"):
            continue
        texts = ground.texts.of(pattern.id)
        if len(texts) == 1 and " " not in texts[0] and not pattern.exact:
            found.setdefault(texts[0], pattern)
    return found


def _pairs(ground: Ground, single: dict[str, Pattern]) -> Iterator[tuple[str, str]]:
    """Words that are one letter apart, by the letters that are left when one is left out."""
    for shorter, words in ground.bot.index.deletions.items():
        near = [word for word in words if word in single]
        if shorter in single and near and len(shorter) >= 5:
            yield from ((shorter, word) for word in near)
        for left, right in combinations(near, 2):
            if sum(one != other for one, other in zip(left, right, strict=False)) == 1 and len(left) == len(right):
                yield left, right


def _finding(ground: Ground, left: str, right: str, single: dict[str, Pattern]) -> Diagnostic | None:
    one, other = _rule(ground, single[left]), _rule(ground, single[right])
    if one is None or other is None or one is other or (one.do == other.do and one.do):
        return None
    return info(
        "close-words",
        single[right].place,
        f"'{right}' brings '{other.id}' up and '{left}' brings '{one.id}' up: one wrong letter makes the one the other",
        "add a second word to one of the phrases, so that a typing mistake does not decide",
        Related(single[left].place, f"'{left}' stands here"),
    )


def _rule(ground: Ground, pattern: Pattern) -> Rule | None:
    kind, name = ground.bot.index.blocks[pattern.use.block].owner
    return ground.bot.handler_by_id.get(name) if kind == "handler" else ground.bot.guides.get(name)
