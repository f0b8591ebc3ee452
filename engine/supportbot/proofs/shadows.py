"""Rules that can never win, phrases that never count, rules whose order alone decides: with witnesses.

A witness is a message and a state; its verdict is what ``decide`` says, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from supportbot.decision.answers import reading_of
from supportbot.decision.conclude import start_session
from supportbot.decision.decide import decide
from supportbot.decision.hours import is_open
from supportbot.decision.matcher import Found, find
from supportbot.diagnostics import Diagnostic, Related, error, warning
from supportbot.model.bot import Bot, Handler, When
from supportbot.model.decision import Decision
from supportbot.model.index import Block, Pattern
from supportbot.model.session import Message, Turn
from supportbot.proofs.texts import FRESH, Rule, Texts, rules_of

BUDGET = 400  # decisions spent on one rule
DEPTH = 3  # exceptions (``none``) of covering rules that are combined
SAID = datetime(2026, 11, 23, 10, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Witness:
    """A message in a state, and the rule that answers it."""

    text: str
    state: str
    winner: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnostic with the witness that shows it, so that a test can run the witness."""

    diagnostic: Diagnostic
    witness: Witness


def find_shadows(bot: Bot) -> list[Finding]:
    """All findings about rules that lose, in no particular order."""
    return list(_Shadows(bot).findings())


class _Shadows:
    def __init__(self, bot: Bot) -> None:
        self.bot = bot
        self.texts = Texts(bot.index)
        self.by_block: dict[int, list[Pattern]] = {}
        for pattern in bot.index.patterns:
            self.by_block.setdefault(pattern.use.block, []).append(pattern)
        self.moments = _moments(bot)
        self.reading = reading_of(bot, self.moments[0])
        self.spent = 0

    def findings(self) -> Iterator[Finding]:
        for rule in rules_of(self.bot):
            if rule is not self.bot.fallback_handler:
                yield from self._of_rule(rule)

    # --- one rule -------------------------------------------------------------------------

    def _of_rule(self, rule: Rule) -> Iterator[Finding]:
        self.spent = 0
        lost: list[tuple[Pattern, Witness]] = []
        alive = False
        proved = True
        for when in rule.when:
            if when.block is None or not self.bot.index.blocks[when.block].positive:
                alive = True  # any message will do; what beats it is a matter of its conditions
                continue
            block = self.bot.index.blocks[when.block]
            if any(pattern.regex for pattern in self.by_block[when.block]) or when.condition is not None:
                proved = False
            for pattern in self._leading(block):
                witness = self._lost(rule, when, block, pattern)
                if witness is None:
                    alive = True
                else:
                    lost.append((pattern, witness))
                    proved = proved and self.texts.complete(pattern.id)
        if not alive and lost:
            yield self._never_wins(rule, lost[0][1], proved)
        else:
            for pattern, witness in lost:
                yield self._phrase_never_wins(rule, pattern, witness)

    def _leading(self, block: Block) -> list[Pattern]:
        """The patterns that bring the block up: its ``any``, or else the first of its ``all``."""
        patterns = [pattern for pattern in self.by_block[block.id] if not pattern.regex]
        leading = [pattern for pattern in patterns if pattern.use.role == "any"]
        return leading or [pattern for pattern in patterns if pattern.use.role == "all"][:1]

    def _lost(self, rule: Rule, when: When, block: Block, pattern: Pattern) -> Witness | None:
        """None when some text of the pattern is won (or nothing can be said); else how one is lost."""
        first: Witness | None = None
        for text in self.texts.of(pattern.id):
            message = self._with_required(block, pattern, text)
            found = find(self.bot.index, message, self.reading)
            if block.id not in found.held:
                continue  # its own ``none`` forbids it: reported where blocks are checked
            if self._unrivalled(found, block):
                return None
            witness = self._contest(rule, when, message, DEPTH)
            if witness is None:
                return None
            first = first or witness
        return first

    def _with_required(self, block: Block, pattern: Pattern, text: str) -> str:
        """The text with one text of every (other) ``all`` of the block."""
        parts = [text]
        for other in self.by_block[block.id]:
            if other.use.role == "all" and other.id != pattern.id and not other.regex:
                parts.extend(self.texts.of(other.id)[:1])
        return f" {FRESH} ".join(parts)

    def _unrivalled(self, found: Found, block: Block) -> bool:
        """Whether no other rule is brought up by the message at all."""
        if self.bot.open_handlers:
            return False
        blocks = self.bot.index.blocks
        return all(number == block.id or blocks[number].owner[0] not in ("handler", "guide") for number in found.held)

    def _contest(self, rule: Rule, when: When, message: str, depth: int) -> Witness | None:
        """None when the rule wins the message, or it with exceptions of the winner added, in some state."""
        first: Witness | None = None
        for state in self._states(rule, when):
            for moment in self.moments:
                if self.spent >= BUDGET:
                    return None
                self.spent += 1
                decision = self._decide(message, state, moment)
                if decision.handler == rule.id or self._undecided(decision, rule):
                    return None
                winner = self.bot.handler_by_id.get(decision.handler) or self.bot.guides.get(decision.handler)
                if winner is None:
                    return None
                first = first or Witness(message, state, winner.id)
                if depth and self._wins_with_exception(rule, when, message, winner, depth):
                    return None
        return first

    def _wins_with_exception(self, rule: Rule, when: When, message: str, winner: Rule, depth: int) -> bool:
        """Whether a ``none`` of the winner, added to the message, takes the winner out of the way."""
        for other in winner.when:
            if other.block is None:
                continue
            for pattern in self.by_block.get(other.block, ()):
                if pattern.use.role != "none" or pattern.regex:
                    continue
                for text in self.texts.of(pattern.id)[:2]:
                    longer = f"{message} {FRESH} {text}"
                    if longer.count(FRESH) <= DEPTH and self._contest(rule, when, longer, depth - 1) is None:
                        return True
        return False

    def _undecided(self, decision: Decision, rule: Rule) -> bool:
        """Whether a condition (``if``), the winner's or the rule's own, decided: at other times it may not."""
        winner = self.bot.handler_by_id.get(decision.handler) or self.bot.guides.get(decision.handler)
        conditions = [when.condition for when in (winner.when if winner else ())] + [
            when.condition for when in rule.when
        ]
        return any(condition is not None for condition in conditions)

    def _states(self, rule: Rule, when: When) -> list[str]:
        states = self.bot.graph.states
        allowed = when.states or frozenset(states)
        return [state for state in states if state in allowed and not states[state].final]

    def _decide(self, text: str, state: str, moment: datetime) -> Decision:
        session = replace(start_session(self.bot, "witness", moment), state=state)
        return decide(self.bot, Turn(session, Message("witness", "witness", text, "chat", moment), moment))

    # --- findings -------------------------------------------------------------------------

    def _never_wins(self, rule: Rule, witness: Witness, proved: bool) -> Finding:
        winner = _rule(self.bot, witness.winner)
        likely = "" if proved else "most likely "
        message = (
            f"{_kind(rule)} '{rule.id}' can {likely}never answer: '{winner.id}' ({_rank(self.bot, winner)}) "
            f'takes every message it would, e.g. "{witness.text}"'
        )
        hint = f"make it come before '{winner.id}', or add a `none` to '{winner.id}' for what should come here"
        related = Related(winner.place, f"'{winner.id}' takes it")
        make = error if proved else warning
        return Finding(make("never-wins", rule.place, message, hint, related), witness)

    def _phrase_never_wins(self, rule: Rule, pattern: Pattern, witness: Witness) -> Finding:
        winner = _rule(self.bot, witness.winner)
        message = (
            f"the phrase '{pattern.source}' never brings '{rule.id}' up: '{winner.id}' "
            f'({_rank(self.bot, winner)}) takes "{witness.text}"'
        )
        related = Related(winner.place, f"'{winner.id}' takes it")
        hint = f"remove the phrase, or add a `none` to '{winner.id}'"
        return Finding(warning("phrase-never-wins", pattern.place, message, hint, related), witness)


def _rule(bot: Bot, name: str) -> Rule:
    return bot.handler_by_id.get(name) or bot.guides[name]


def _kind(rule: Rule) -> str:
    return "the handler" if isinstance(rule, Handler) else "the guide"


def _rank(bot: Bot, rule: Rule) -> str:
    return f"priority {rule.priority}" if isinstance(rule, Handler) else f"a guide of {rule.category}"


def _moments(bot: Bot) -> tuple[datetime, ...]:
    """A moment when it is open and one when it is closed, as far as there are any."""
    candidates = [SAID + timedelta(hours=step) for step in range(24 * 7)]
    chosen = {is_open(bot.settings.hours, moment): moment for moment in reversed(candidates)}
    return tuple(chosen[key] for key in sorted(chosen, reverse=True))
