"""Choosing the rule that answers: a total order over everything that could."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

from supportbot.decision.classify import Classified, evidence, scores
from supportbot.decision.draft import Draft, way_out
from supportbot.decision.matcher import Found
from supportbot.decision.render import holds
from supportbot.model.bot import Alternative, Bot, Guide, When
from supportbot.model.decision import Candidate, Hit, Reasons, Trace


class Option(Struct, frozen=True, gc=False):
    """An alternative of a rule that a message brings up: by the words of these hits, or whatever it says."""

    of: Alternative
    words: int = 0
    hits: tuple[Hit, ...] = ()


class Considered(Reasons, eq=False, gc=False):
    """What a turn looked at. ``asked``: options in the order in which they were asked.

    Beside each stands why it did not answer: in words, or what was chosen before it came up; empty when it did.
    """

    bot: Bot
    found: Found
    classified: Classified
    asked: list[Candidate | tuple[Option, Option | str]] = field(default_factory=list)
    note: str = ""

    def first(self, options: Sequence[Option], draft: Draft) -> Option | None:
        """The first option whose conditions hold; the ones after it are noted as beaten."""
        for at, option in enumerate(options, start=1):
            reason = refusal(draft, option.of, self.classified.category)
            if not reason:
                self.choose(option, options[at:])
                return option
            self.asked.append((option, reason))
        return None

    def choose(self, chosen: Option, others: Sequence[Option]) -> None:
        self.asked.append((chosen, ""))
        for option in others:
            if option.of.rule is not chosen.of.rule:
                self.asked.append((option, chosen))

    def trace(self) -> Trace:
        found = self.found
        return Trace(
            tokens=found.tokens,
            corrections=tuple([(found.tokens[at], word) for at, word in sorted(found.corrections.items())]),
            categories=scores(self.bot.index.patterns, found, self.classified),
            candidates=tuple([known if isinstance(known, Candidate) else self._told(*known) for known in self.asked]),
            note=self.note,
        )

    def _told(self, option: Option, answered: Option | str) -> Candidate:
        asked, hits = option.of, option.hits
        patterns = self.bot.index.patterns
        rejected = answered if isinstance(answered, str) else _beaten_by(answered, option)
        return Candidate(
            id=asked.rule.id,
            kind="guide" if asked.kind == "guide" else "handler",
            priority=asked.priority,
            fired=not rejected,
            matched=evidence(self.found, hits),
            patterns=tuple([patterns[hit.pattern].source for hit in hits]),
            rejected=rejected,
        )


def refusal(draft: Draft, asked: Alternative, category: str) -> str:
    """Why a rule whose patterns hold may not answer now; empty when it may."""
    reason = unmet(draft, asked.when, category) if asked.conditional else ""
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


def brought_up(bot: Bot, found: Found) -> tuple[list[Option], list[Option]]:
    """Handlers that the message brings up, in the order in which they are asked, without the fallback; and guides."""
    handlers: list[Option] = []
    guides: list[Option] = []
    if bot.open_handlers or bot.open_guides:  # in few bots
        handlers += [Option(asked) for asked in bot.open_handlers if _no_block_forbids(found, asked.when.block, bot)]
        guides += [Option(asked) for asked in bot.open_guides if _no_block_forbids(found, asked.when.block, bot)]
    for number, held in found.held.items():
        asked = bot.by_block[number]
        if asked is not None and asked.kind != "llm":
            (guides if asked.kind == "guide" else handlers).append(Option(asked, held.words, held.hits))
    if len(handlers) > 1:
        handlers.sort(key=lambda option: (option.of.priority, -option.words, option.of.rule.order, _place(option)))
    return handlers, guides


def by_category(guides: Sequence[Option], found: Found, classified: Classified) -> list[Option]:
    """Guides in the order in which they are asked: the category's own first, then by the categories' scores."""
    options = [option for option in guides if _is_mostly_small_talk(option, found, classified)]
    if len(options) > 1:
        rank = {category: place for place, category in enumerate(classified.hits)}
        options.sort(key=lambda option: _order(option, rank))
    return options


def _place(option: Option) -> int:
    """Blocks are numbered as they stand in the files: of two alternatives of one rule the first is asked first."""
    block = option.of.when.block
    return -1 if block is None else block


def _order(option: Option, rank: Mapping[str, int]) -> tuple[int, int, int, int]:
    guide = option.of.rule
    assert isinstance(guide, Guide)
    later = len(rank) + 1 if guide.small_talk else 0
    return (rank.get(guide.category, len(rank)) + later, -option.words, guide.order, _place(option))


def fallback_options(bot: Bot, found: Found) -> list[Option]:
    """The alternatives of the last resort that the message allows, in their order."""
    options = []
    for asked in bot.fallback:
        block = asked.when.block
        held = found.held.get(block) if block is not None else None
        if held is not None:
            options.append(Option(asked, held.words, held.hits))
        elif block is None or (bot.is_open(asked) and _no_block_forbids(found, block, bot)):
            options.append(Option(asked))
    return options


def _no_block_forbids(found: Found, block: int | None, bot: Bot) -> bool:
    """A block of ``none`` alone holds unless one of them was found."""
    if block is None:
        return True
    if not bot.index.blocks[block].takes(found.tokens):
        return False
    return not any(bot.index.patterns[pattern].use.block == block for pattern in found.hits)


def _is_mostly_small_talk(option: Option, found: Found, classified: Classified) -> bool:
    """Small talk ("hello", "thanks") answers only a message that is mostly that.

    Half of its words when it also speaks of a problem, a quarter when it does not.
    """
    guide = option.of.rule
    if not isinstance(guide, Guide) or not guide.small_talk or not option.hits:
        return True
    share = 2 if classified.hits else 4
    return option.words * share >= len(found.tokens)
