"""One rule against all others: is there a message that it wins? Decided by asking ``decide`` about few messages.

A rule answers a message only when one of its patterns is in it. What else is in the message can only help other
rules, with few exceptions, and those are tried: a ``none`` that takes the winner out of the way, a misspelt word
that an exact phrase does not know, more words for the rule's own category. So when a rule loses its patterns' own
texts with all these added, it loses everything. Where something cannot be tried completely (a regex, a captured
value, too many alternatives), the verdict is kept but no longer called proved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from supportbot.decision.matcher import Found, Held
from supportbot.model.bot import Bot, Guide, Handler, When
from supportbot.model.decision import Decision
from supportbot.model.index import Pattern
from supportbot.model.steps import FireTrigger
from supportbot.proofs.covering import covers
from supportbot.proofs.ground import Ground
from supportbot.proofs.texts import FRESH, Rule

BUDGET = 400  # decisions spent on one rule
DEPTH = 3  # exceptions (``none``) of winning rules that are combined
MOST_EVIDENCE = 12  # texts that are tried to make a category win


@dataclass(frozen=True, slots=True)
class Witness:
    """A message in a state, and the rule that answers it (``none`` when no rule does)."""

    text: str
    state: str
    moment: datetime
    category: str
    winner: str


@dataclass(frozen=True, slots=True)
class Won:
    witness: Witness


@dataclass(frozen=True, slots=True)
class Lost:
    """``refused``: why the rule itself may not answer; empty when another rule is asked before it."""

    witness: Witness
    proved: bool
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A condition (``if``) decides, or there is too much to try."""


Verdict = Won | Lost | Unknown


@dataclass(frozen=True, slots=True)
class World:
    state: str
    moment: datetime
    category: str


class Contest:
    """The contest of one alternative (``when``) of a rule."""

    def __init__(self, ground: Ground, rule: Rule, when: When) -> None:
        self.apart = FRESH
        self.brought: tuple[str, Pattern | None] = ("", None)
        self.ground = ground
        self.bot: Bot = ground.bot
        self.rule = rule
        self.when = when
        self.spent = 0
        block = self.bot.index.blocks[when.block] if when.block is not None else None
        patterns = ground.patterns(block.id) if block is not None else []
        self.anchored = any(pattern.anchor for pattern in patterns)
        self.max_words = block.max_words if block is not None else 0

    def judge(self, text: str, pattern: Pattern | None = None) -> Verdict:
        """Whether the rule can win a message that holds this text, in which the pattern is found."""
        self.apart = FRESH
        self.brought = (text, pattern)
        if self.bot.index.anchors and not self.anchored and not self.max_words:
            text = f"{FRESH} {text} {FRESH}"  # what must begin or end a message is not found in this one
        verdict = self._judge(text)
        if isinstance(verdict, Lost) and self.ground.texts.apart != FRESH and not self.max_words:
            self.apart = self.ground.texts.apart  # long messages are slow to match, and seldom change anything
            self.spent = 0
            verdict = self._judge(text)
        return verdict

    def _judge(self, text: str) -> Verdict:
        lost: Lost | None = None
        for world in self._worlds():
            verdict = self._in(world, text, DEPTH)
            if not isinstance(verdict, Lost):
                return verdict
            lost = lost or verdict
            lost = replace(lost, proved=lost.proved and verdict.proved)
        return lost or Unknown()

    def _worlds(self) -> Iterator[World]:
        states = self.bot.graph.states
        categories = sorted(self.when.categories) or [self.bot.settings.default_category]
        for state in states:
            if states[state].final or (self.when.states and state not in self.when.states):
                continue
            for moment in self.ground.moments:
                for category in categories:
                    yield World(state, moment, category)

    def _in(self, world: World, text: str, depth: int) -> Verdict:
        if self.spent >= BUDGET or self.ground.left <= 0:
            return Unknown()
        self.spent += 1
        decision = self.ground.decide(text, world.state, world.moment, world.category)
        witness = Witness(text, world.state, world.moment, world.category, decision.handler)
        winner = winner_of(self.bot, decision)
        if winner is self.rule:
            return Won(witness)
        refused = self._refused(decision)
        if refused:
            if self._is_conditional(self.rule, world.state):
                return Unknown()
            return Lost(witness, not self.when.categories, refused)
        if winner is None or winner is self.bot.fallback_handler or self._is_conditional(winner, world.state):
            return Unknown()
        return self._against(winner, world, witness, depth)

    def _against(self, winner: Rule, world: World, witness: Witness, depth: int) -> Verdict:
        """Try what takes this winner out of the way."""
        text, pattern = self.brought
        if pattern is not None and covers(self.ground, winner, self.rule, self.when, pattern, text, world.state):
            return Lost(witness, True)
        proved = self._is_plain(winner, self.ground.found(witness.text))
        unsure = False
        for longer, complete in self._exceptions(winner, witness.text):
            proved = proved and complete
            if longer is None or not self._holds(longer):
                continue
            if not depth:
                proved = False
                break
            verdict = self._in(world, longer, depth - 1)
            if isinstance(verdict, Won):
                return verdict
            unsure = unsure or isinstance(verdict, Unknown)
            proved = proved and isinstance(verdict, Lost) and verdict.proved
        for other in self._elsewhere(winner, world):
            if depth and isinstance(verdict := self._in(other, witness.text, depth - 1), Won):
                return verdict
        return Unknown() if unsure else Lost(witness, proved)

    # --- ways to lose the winner ----------------------------------------------------------

    def _exceptions(self, winner: Rule, text: str) -> Iterator[tuple[str | None, bool]]:
        """Longer or other messages that the winner may not take; false when they are not all there are."""
        held = self.ground.found(text).held
        for pattern in self._nones(winner, held):
            if pattern.regex:
                yield None, False
                continue
            wordings = self.ground.texts.wordings(pattern.id)
            yield None, wordings.all
            for exception in wordings.texts:
                yield from ((longer, True) for longer in self._with(text, exception, pattern.anchor))
        longest = max(
            (self.bot.index.blocks[number].max_words for number in held if self._owner(number) is winner), default=0
        )
        hits = [hit for number in held if self._owner(number) is winner for hit in held[number].hits]
        regex = any(self.bot.index.patterns[hit.pattern].regex for hit in hits)
        if longest or regex or any(hit.pattern in self.bot.index.anchors for hit in hits):
            yield from ((longer, not regex) for longer in padded(text, longest))
        if any(self.bot.index.patterns[hit.pattern].exact for hit in hits):
            yield misspelt(text), False
        if isinstance(winner, Guide) and isinstance(self.rule, Guide) and not self._outranks(winner, self.rule):
            for evidence in self._evidence(self.rule):
                yield f"{text} {FRESH} {evidence}", False

    def _with(self, text: str, exception: str, anchor: str | None) -> Iterator[str]:
        """A message with an exception where it counts and, if it may stand anywhere, brings nothing else up."""
        last = f" {FRESH}" if self.bot.index.anchors and not self.max_words else ""
        if anchor is None:
            yield f"{text} {self.apart} {exception}{last}"
        if anchor == "end" or (self.anchored and last):
            yield f"{text} {self.apart} {exception}"
        if anchor == "start" or self.anchored:
            yield f"{exception} {self.apart} {text}"
        if self.anchored or self.max_words:  # there may be no room for words between
            yield exception
            yield f"{text} {exception}"
            yield f"{exception} {text}"

    def _elsewhere(self, winner: Rule, world: World) -> Iterator[World]:
        """Conversations about what the winner does not ask for."""
        asked = {category for when in winner.when for category in when.categories}
        if not asked or self.when.categories or world.category in self.bot.categories.keys() - asked:
            return
        for category in self.bot.categories.keys() - asked:
            yield replace(world, category=category)
            return

    def _nones(self, winner: Rule, held: Mapping[int, Held]) -> Iterator[Pattern]:
        for other in winner.when:
            if other.block is None or (self.bot.index.blocks[other.block].positive and other.block not in held):
                continue
            yield from (pattern for pattern in self.ground.patterns(other.block) if pattern.use.role == "none")

    def _evidence(self, guide: Guide) -> Iterator[str]:
        """Texts that speak for a guide's category, one by one and then all together."""
        category = self.bot.categories[guide.category]
        blocks = [category.block, *(when.block for name in category.guides for when in self.bot.guides[name].when)]
        patterns = [pattern for block in blocks if block is not None for pattern in self.ground.patterns(block)]
        found = [
            self.ground.texts.of(pattern.id)[0]
            for pattern in patterns
            if pattern.use.role != "none" and self.ground.texts.of(pattern.id)
        ][:MOST_EVIDENCE]
        yield from found
        yield f" {FRESH} ".join(found)

    def _outranks(self, winner: Guide, loser: Guide) -> bool:
        """Whether a guide is asked before another whatever else speaks for their categories."""
        if winner.do or loser.do:
            return False
        own, theirs = self.bot.categories[loser.category], self.bot.categories[winner.category]
        return own is theirs or theirs.priority < own.priority

    def _is_plain(self, winner: Rule, found: Found) -> bool:
        """Whether nothing but words brought the winner up: no category, captured value or length of the message."""
        if self.when.categories or any(when.categories for when in winner.when):
            return False
        if isinstance(self.rule, Guide) and self.rule.do:
            return False
        if self.anchored or self.max_words:
            return False
        held = [found.held[number] for number in found.held if self._owner(number) is winner]
        return not any(hit.captures for each in held for hit in each.hits)

    def _owner(self, block: int) -> Rule | None:
        kind, name = self.bot.index.blocks[block].owner
        if kind == "handler":
            return self.bot.handler_by_id.get(name)
        return self.bot.guides.get(name) if kind == "guide" else None

    def _holds(self, text: str) -> bool:
        if self.when.block is None:
            return True
        found = self.ground.found(text)
        if self.bot.index.blocks[self.when.block].positive:
            return self.when.block in found.held
        if not self.bot.index.blocks[self.when.block].takes(found.tokens):
            return False
        return all(self.bot.index.patterns[number].use.block != self.when.block for number in found.hits)

    # --- conditions -----------------------------------------------------------------------

    def _refused(self, decision: Decision) -> str:
        """Why the rule was asked and may not answer; empty when it was not asked at all."""
        kind = "handler" if isinstance(self.rule, Handler) else "guide"
        for candidate in decision.trace.candidates:
            if candidate.fired:
                return ""
            if candidate.id == self.rule.id and candidate.kind == kind:
                return candidate.rejected
        return ""

    def _is_conditional(self, rule: Rule, state: str) -> bool:
        """Whether something beside the message decides: an ``if``, or a condition of the rule's trigger."""
        if any(when.condition is not None for when in rule.when):
            return True
        ways = self.bot.graph.table.get((state, trigger_of(self.bot, rule) or ""), ())
        return bool(ways) and all(way.conditions for way in ways)


def winner_of(bot: Bot, decision: Decision) -> Rule | None:
    """The rule that answered; a handler and a guide may share an id."""
    if decision.kind == "guide":
        return bot.guides.get(decision.handler)
    return bot.handler_by_id.get(decision.handler)


def trigger_of(bot: Bot, rule: Rule) -> str | None:
    if isinstance(rule, Guide) and rule.steps:
        return bot.settings.guides.start
    return next((step.trigger for step in rule.do if isinstance(step, FireTrigger)), None)


def padded(text: str, longest: int) -> Iterator[str]:
    """The text with unknown words after, before and around it: one, and so many that it is longer than ``longest``."""
    for count in sorted({1, max(1, longest - text.count(" "))}):
        more = " ".join([FRESH] * count)
        yield f"{text} {more}"
        yield f"{more} {text}"
        yield f"{FRESH} {text} {more}"


def misspelt(text: str) -> str:
    """The text with a letter left out of each longer word."""
    return " ".join(word[:2] + word[3:] if len(word) > 4 and word.isalpha() else word for word in text.split())
