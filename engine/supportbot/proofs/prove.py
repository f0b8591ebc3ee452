"""All proofs of one bot, as diagnostics."""

from __future__ import annotations

from supportbot.diagnostics import Diagnostic, Place, in_order
from supportbot.model.bot import Bot
from supportbot.model.index import Pattern
from supportbot.proofs.closeness import find_close_words
from supportbot.proofs.conditions import find_constant_conditions, find_form_traps
from supportbot.proofs.flow import find_traps
from supportbot.proofs.ground import Ground
from supportbot.proofs.idle import find_idle_parts
from supportbot.proofs.phrases import find_idle_phrases
from supportbot.proofs.regexes import find_odd_regexes
from supportbot.proofs.shadows import find_shadows
from supportbot.proofs.wordings import find_odd_wordings


def prove(bot: Bot) -> tuple[Diagnostic, ...]:
    """Everything that can be shown about a compiled bot: rules that never win, traps, idle phrases."""
    found = _all(bot)
    tied = {item.place for item in found if item.code == "order-decides"}
    lost = {item.place for item in found if item.code == "never-wins"}
    told = {pattern.place for pattern in bot.index.patterns if _is_of(bot, pattern, lost)}
    return in_order(
        item
        for item in found
        if not (item.code == "phrase-never-wins" and item.place in tied)
        and not (item.code == "order-decides" and item.place in told)
    )


def _is_of(bot: Bot, pattern: Pattern, lost: set[Place]) -> bool:
    """Whether a pattern belongs to a handler that never answers, about which enough is said."""
    kind, name = bot.index.blocks[pattern.use.block].owner
    return kind == "handler" and name in bot.handler_by_id and bot.handler_by_id[name].place in lost


def _all(bot: Bot) -> list[Diagnostic]:
    ground = Ground(bot)
    return [
        *(finding.diagnostic for finding in find_shadows(ground)),
        *find_idle_phrases(ground),
        *find_odd_regexes(ground),
        *find_close_words(ground),
        *find_odd_wordings(bot),
        *find_idle_parts(bot),
        *find_traps(bot),
        *find_constant_conditions(bot),
        *find_form_traps(bot),
    ]
