"""Choosing the rule that answers: a total order over everything that could."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from supportbot.decision.classify import Classified, evidence
from supportbot.decision.draft import Draft, way_out
from supportbot.decision.matcher import Found
from supportbot.decision.render import holds
from supportbot.model.bot import Alternative, Bot, Guide, When
from supportbot.model.decision import Candidate, Hit


class Option(Struct, frozen=True):
    """An alternative of a rule that a message brings up: by the words of these hits, or whatever it says."""

    of: Alternative
    words: int = 0
    hits: tuple[Hit, ...] = ()


class Considered:
    """The candidates of a turn, in the order in which they were asked."""

    __slots__ = ("bot", "candidates", "found")

    def __init__(self, bot: Bot, found: Found) -> None:
        self.bot = bot
        self.found = found
        self.candidates: list[Candidate] = []

    def add(self, option: Option, rejected: str = "") -> None:
        patterns = self.bot.index.patterns
        self.candidates.append(
            Candidate(
                id=option.of.rule.id,
                kind="guide" if option.of.kind == "guide" else "handler",
                priority=option.of.priority,
                fired=not rejected,
                matched=evidence(self.found, option.hits),
                patterns=tuple([patterns[hit.pattern].source for hit in option.hits]),
                rejected=rejected,
            )
        )

    def first(self, options: Iterable[Option], draft: Draft, category: str) -> Option | None:
        """The first option whose conditions hold; the ones after it are noted as beaten."""
        chosen: Option | None = None
        for option in options:
            if chosen is not None:
                if option.of.rule is not chosen.of.rule:
                    self.add(option, _beaten_by(chosen, option))
                continue
            reason = refusal(draft, option.of, category)
            self.add(option, reason)
            if not reason:
                chosen = option
        return chosen


def refusal(draft: Draft, asked: Alternative, category: str) -> str:
    """Why a rule whose patterns hold may not answer now; empty when it may."""
    reason = unmet(draft, asked.when, category)
    if reason:
        return reason
    trigger = asked.trigger
    if trigger and way_out(draft.bot, draft.session.state, trigger, draft.scope) is None:
        return f"the trigger {trigger} leads nowhere from the state {draft.session.state}"
    return ""


def unmet(draft: Draft, when: When, category: str) -> str:
    """The first condition of an alternative that does not hold; empty when all do."""
    state = draft.session.state
    if when.states and state not in when.states:
        return f"the state is {state}; it asks for {_or(when.states)}"
    if when.categories and category not in when.categories:
        return f"the category is {category}; it asks for {_or(when.categories)}"
    if when.condition is not None and not holds(when.condition, draft.scope()):
        return f"the condition does not hold: {when.condition.source}"
    return ""


def _or(names: Iterable[str]) -> str:
    return " or ".join(sorted(names))


def _beaten_by(chosen: Option, option: Option) -> str:
    winner, loser = chosen.of, option.of
    if type(winner.rule) is type(loser.rule) and winner.priority == loser.priority:
        if chosen.words > option.words:
            return f"{winner.rule.id} matched more words ({chosen.words} against {option.words})"
        return f"{winner.rule.id} comes first in the files"
    return f"{winner.rule.id} is asked first (priority {winner.priority})"


def handler_options(bot: Bot, found: Found) -> list[Option]:
    """Handlers that the message brings up, in the order in which they are asked; not the fallback."""
    options = _options(bot, found, "handler", bot.open_handlers)
    if len(options) > 1:
        options.sort(key=lambda option: (option.of.priority, -option.words, option.of.rule.order))
    return options


def guide_options(bot: Bot, found: Found, classified: Classified) -> list[Option]:
    """Guides that the message brings up: the category's own first, then by the categories' scores."""
    options = _options(bot, found, "guide", bot.open_guides)
    if options:
        options = [option for option in options if _is_mostly_small_talk(option, found, classified)]
    if len(options) > 1:
        rank = {score.id: place for place, score in enumerate(classified.scores)}
        options.sort(key=lambda option: _order(option, rank))
    return options


def _order(option: Option, rank: Mapping[str, int]) -> tuple[int, int, int]:
    guide = option.of.rule
    assert isinstance(guide, Guide)
    later = len(rank) + 1 if guide.small_talk else 0
    return (rank.get(guide.category, len(rank)) + later, -option.words, guide.order)


def fallback_options(bot: Bot, found: Found) -> list[Option]:
    """The alternatives of the last resort that the message allows, in their order."""
    options = []
    for asked in bot.fallback:
        held = found.held.get(asked.when.block) if asked.when.block is not None else None
        if held is not None:
            options.append(Option(asked, held.words, held.hits))
        elif bot.is_open(asked) and _no_block_forbids(found, asked.when, bot):
            options.append(Option(asked))
    return options


def _options(bot: Bot, found: Found, kind: str, anyway: Sequence[Alternative]) -> list[Option]:
    """The alternatives of rules of a kind that fit any message, then those that the words bring up."""
    options: list[Option] = []
    if anyway:  # few bots have such rules
        options = [Option(asked) for asked in anyway if _no_block_forbids(found, asked.when, bot)]
    for number, held in found.held.items():
        asked = bot.by_block.get(number)
        if asked is not None and asked.kind == kind:
            options.append(Option(asked, held.words, held.hits))
    return options


def _no_block_forbids(found: Found, when: When, bot: Bot) -> bool:
    """A block of ``none`` alone holds unless one of them was found."""
    if when.block is None:
        return True
    if not bot.index.blocks[when.block].takes(found.tokens):
        return False
    return not any(bot.index.patterns[pattern].use.block == when.block for pattern in found.hits)


def _is_mostly_small_talk(option: Option, found: Found, classified: Classified) -> bool:
    """Small talk ("hello", "thanks") answers only a message that is mostly that.

    Half of its words when it also speaks of a problem, a quarter when it does not.
    """
    guide = option.of.rule
    if not isinstance(guide, Guide) or not guide.small_talk or not option.hits:
        return True
    share = 2 if classified.scores else 4
    return option.words * share >= len(found.tokens)
