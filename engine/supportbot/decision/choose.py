"""Choosing the rule that answers: a total order over everything that could."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from supportbot.decision.classify import Classified, evidence
from supportbot.decision.draft import Draft, first_trigger, way_out
from supportbot.decision.matcher import Found, Held
from supportbot.decision.render import holds
from supportbot.model.bot import Bot, Guide, Handler, When
from supportbot.model.decision import Candidate, Hit, Kind

Rule = Handler | Guide


class Option(NamedTuple):
    """One alternative of a rule that the message brought up."""

    rule: Rule
    when: When
    held: Held | None

    @property
    def words(self) -> int:
        return self.held.words if self.held else 0

    @property
    def hits(self) -> tuple[Hit, ...]:
        return self.held.hits if self.held else ()


@dataclass(slots=True)
class Considered:
    """The candidates of a turn, in the order in which they were asked."""

    bot: Bot
    found: Found
    candidates: list[Candidate] = field(default_factory=list)

    def add(self, option: Option, rejected: str = "") -> None:
        rule = option.rule
        self.candidates.append(
            Candidate(
                id=rule.id,
                kind="handler" if isinstance(rule, Handler) else "guide",
                priority=priority_of(self.bot, rule),
                fired=not rejected,
                matched=evidence(self.found, option.hits),
                patterns=tuple(self.bot.index.patterns[hit.pattern].source for hit in option.hits),
                rejected=rejected,
            )
        )

    def first(self, options: Iterable[Option], draft: Draft, category: str) -> Option | None:
        """The first option whose conditions hold; the ones after it are noted as beaten."""
        chosen: Option | None = None
        for option in options:
            if chosen is not None:
                if option.rule is not chosen.rule:
                    self.add(option, _beaten_by(self.bot, chosen, option))
                continue
            reason = refusal(draft, option.rule, option.when, category)
            self.add(option, reason)
            if not reason:
                chosen = option
        return chosen


def refusal(draft: Draft, rule: Rule, when: When, category: str) -> str:
    """Why a rule whose patterns hold may not answer now; empty when it may."""
    reason = unmet(draft, when, category)
    if reason:
        return reason
    trigger = _needed_trigger(draft.bot, rule)
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


def _needed_trigger(bot: Bot, rule: Rule) -> str | None:
    if isinstance(rule, Guide) and rule.steps:
        return bot.settings.guides.start
    return first_trigger(rule.do)


def _or(names: Iterable[str]) -> str:
    return " or ".join(sorted(names))


def priority_of(bot: Bot, rule: Rule) -> int:
    return rule.priority if isinstance(rule, Handler) else bot.categories[rule.category].priority


def _beaten_by(bot: Bot, chosen: Option, option: Option) -> str:
    winner, loser = chosen.rule, option.rule
    if type(winner) is type(loser) and priority_of(bot, winner) == priority_of(bot, loser):
        if chosen.words > option.words:
            return f"{winner.id} matched more words ({chosen.words} against {option.words})"
        return f"{winner.id} comes first in the files"
    return f"{winner.id} is asked first (priority {priority_of(bot, winner)})"


def handler_options(bot: Bot, found: Found, interrupts: bool | None = None) -> list[Option]:
    """Handlers that the message brings up, in the order in which they are asked; not the fallback."""
    options = [
        Option(handler, when, None) for handler, when in bot.open_handlers if _no_block_forbids(found, when, bot)
    ]
    for number, held in found.held.items():
        block = bot.index.blocks[number]
        kind, name = block.owner
        if kind == "handler" and (handler := bot.handler_by_id[name]) is not bot.fallback_handler:
            options.append(Option(handler, handler.when[block.part], held))
    if interrupts is not None:
        options = [
            option for option in options if isinstance(option.rule, Handler) and option.rule.interrupts is interrupts
        ]
    if len(options) > 1:
        options.sort(key=lambda option: (_priority(option), -option.words, option.rule.order))
    return options


def fallback_options(bot: Bot, found: Found, handler: Handler) -> list[Option]:
    """The alternatives of the last resort that the message allows, in their order."""
    options = []
    for when in handler.when:
        held = found.held.get(when.block) if when.block is not None else None
        positive = when.block is not None and bot.index.blocks[when.block].positive
        if held is not None or (not positive and _no_block_forbids(found, when, bot)):
            options.append(Option(handler, when, held))
    return options


def _priority(option: Option) -> int:
    return option.rule.priority if isinstance(option.rule, Handler) else 0


def _no_block_forbids(found: Found, when: When, bot: Bot) -> bool:
    """A block of ``none`` alone holds unless one of them was found."""
    if when.block is None:
        return True
    if not bot.index.blocks[when.block].takes(found.tokens):
        return False
    return not any(bot.index.patterns[pattern].use.block == when.block for pattern in found.hits)


def guide_options(bot: Bot, found: Found, classified: Classified) -> list[Option]:
    """Guides that the message brings up: the category's own first, then by the categories' scores."""
    rank = {score.id: place for place, score in enumerate(classified.scores)}
    options = [Option(guide, when, None) for guide, when in bot.open_guides if _no_block_forbids(found, when, bot)]
    for number, held in found.held.items():
        block = bot.index.blocks[number]
        if block.owner[0] == "guide":
            guide = bot.guides[block.owner[1]]
            options.append(Option(guide, guide.when[block.part], held))
    options = [option for option in options if _is_mostly_small_talk(option, found, classified)]

    def order(option: Option) -> tuple[int, int, int]:
        assert isinstance(option.rule, Guide)
        later = len(rank) + 1 if option.rule.small_talk else 0
        return (rank.get(option.rule.category, len(rank)) + later, -option.words, option.rule.order)

    return sorted(options, key=order)


def _is_mostly_small_talk(option: Option, found: Found, classified: Classified) -> bool:
    """Small talk ("hello", "thanks") answers only a message that is mostly that.

    Half of its words when it also speaks of a problem, a quarter when it does not.
    """
    if not isinstance(option.rule, Guide) or not option.rule.small_talk or option.held is None:
        return True
    share = 2 if classified.has_evidence else 4
    return option.words * share >= len(found.tokens)


def kind_of(bot: Bot, rule: Rule) -> Kind:
    if isinstance(rule, Guide):
        return "guide"
    return "llm" if rule is bot.fallback_handler else "handler"
