"""Rules that can never win and phrases that never count, each with a witness.

A witness is a message and a state; its verdict is what ``decide`` says, nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, product
from math import prod

from supportbot.decision.matcher import Found
from supportbot.diagnostics import Diagnostic, Related, error, warning
from supportbot.model.bot import Bot, Handler, When
from supportbot.model.decision import Decision
from supportbot.model.index import Pattern
from supportbot.model.session import FormState
from supportbot.proofs.contest import Contest, Lost, Unknown, Verdict, Witness, Won, trigger_of, winner_of
from supportbot.proofs.ground import Ground
from supportbot.proofs.texts import FRESH, MOST_TEXTS, Rule, one_at_a_time, rules_of

MOST_FORM_TRIES = 60
MOST_RELATED = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnostic with the witness that shows it, so that a test can run the witness."""

    diagnostic: Diagnostic
    witness: Witness


@dataclass(frozen=True, slots=True)
class Judged:
    """One phrase of an alternative (or none, when any message will do), and what became of it."""

    when: When
    pattern: Pattern | None
    verdict: Verdict | None  # None: nothing ever matches it
    text: str


def find_shadows(ground: Ground) -> list[Finding]:
    """All findings about rules that lose, in no particular order."""
    shadows = Shadows(ground)
    found: list[Finding] = []
    hidden: dict[str, list[Rule]] = {}
    for rule in rules_of(ground.bot):
        cover = cover_of(ground.bot, rule)
        if cover is not None:
            hidden.setdefault(cover.id, []).append(rule)
        else:
            found += shadows.of_rule(rule)
    return [*found, *(shadows.takes_everything(name, rules) for name, rules in hidden.items())]


class Shadows:
    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.bot = ground.bot
        last = self.bot.fallback_handler
        self.nothing_else = all(item.rule is last for item in (*self.bot.open_handlers, *self.bot.open_guides))

    def of_rule(self, rule: Rule) -> Iterator[Finding]:
        if rule is self.bot.fallback_handler:
            return
        judged = [item for when in rule.when for item in self.judged(rule, when)]
        lost = [item for item in judged if isinstance(item.verdict, Lost)]
        if not lost:
            return
        if all(item.verdict is None or isinstance(item.verdict, Lost) for item in judged) and not self._has_regex(rule):
            yield self._never(rule, lost)
            return
        for item in lost:
            if item.pattern is not None and isinstance(item.verdict, Lost) and not item.verdict.refused:
                yield self._phrase_never(rule, item.pattern, item.verdict)

    def takes_everything(self, name: str, hidden: list[Rule]) -> Finding:
        """One finding for a rule that answers everything, in place of one for each rule that it hides."""
        winner = self.bot.handler_by_id[name]
        text, state = self._first_message(hidden[0]), _states_of(self.bot, hidden[0])[0]
        rules = "the rule" if len(hidden) == 1 else f"{len(hidden)} rules"
        outside = ", outside of forms," if self.bot.forms else ""
        message = (
            f"the handler '{name}' answers every message, so that{outside} {rules} after it can never answer, "
            f'e.g. "{text}"'
        )
        hint = "give it a message of its own, when: {message: [...]}, or a priority with a higher number than theirs"
        related = [Related(rule.place, f"'{rule.id}' can never answer") for rule in hidden[:MOST_RELATED]]
        witness = Witness(text, state, self.ground.moments[0], self.bot.settings.default_category, name)
        return Finding(error("takes-everything", winner.place, message, hint, *related), witness)

    def _first_message(self, rule: Rule) -> str:
        for when in rule.when:
            for pattern in self.leading(when.block) if when.block is not None else ():
                for text in self.messages(rule, when.block, pattern)[0][:1] if when.block is not None else ():
                    return text
        return FRESH

    # --- judging --------------------------------------------------------------------------

    def judged(self, rule: Rule, when: When) -> Iterator[Judged]:
        """The verdict on every phrase that can bring an alternative up."""
        contest = Contest(self.ground, rule, when)
        if when.block is None or not self.bot.index.blocks[when.block].positive:
            yield Judged(when, None, contest.judge(FRESH), FRESH)
            return
        for pattern in self.leading(when.block):
            yield self._judge(contest, when, when.block, pattern)

    def leading(self, block: int) -> list[Pattern]:
        """The patterns that bring the block up: its ``any``, or else the first of its ``all``."""
        patterns = [pattern for pattern in self.ground.patterns(block) if not pattern.regex]
        leading = [pattern for pattern in patterns if pattern.use.role == "any"]
        return leading or [pattern for pattern in patterns if pattern.use.role == "all"][:1]

    def _judge(self, contest: Contest, when: When, block: int, pattern: Pattern) -> Judged:
        if pattern.id in self.ground.alone and self.nothing_else and self._is_simple(when, block):
            text = self.ground.texts.of(pattern.id)[0]
            return Judged(when, pattern, Won(Witness(text, "", self.ground.moments[0], "", contest.rule.id)), text)
        texts, complete = self.messages(contest.rule, block, pattern)
        lost: Lost | None = None
        for text in texts:
            found = self.ground.found(text)
            if block not in found.held:
                continue  # its own ``none`` forbids it, which is reported where blocks are checked
            if self._leads(contest.rule, when, found, block):
                return Judged(when, pattern, Won(Witness(text, "", self.ground.moments[0], "", contest.rule.id)), text)
            verdict = contest.judge(text, pattern)
            if not isinstance(verdict, Lost):
                return Judged(when, pattern, verdict, text)
            lost = lost or verdict
            lost = replace(lost, proved=lost.proved and verdict.proved)
        if lost is None:
            special = not texts or contest.anchored or contest.max_words
            return Judged(when, pattern, Unknown() if special else None, "")
        return Judged(when, pattern, replace(lost, proved=lost.proved and complete), lost.witness.text)

    def _is_simple(self, when: When, block: int) -> bool:
        """Whether one phrase is enough to bring the alternative up."""
        return not when.categories and not self.bot.index.blocks[block].all_count

    def messages(self, rule: Rule, block: int, pattern: Pattern) -> tuple[list[str], bool]:
        """The shortest messages in which the pattern and every ``all`` of its block are found."""
        required = [
            other for other in self.ground.patterns(block) if other.use.role == "all" and other.id != pattern.id
        ]
        own = self.ground.texts.wordings(pattern.id)
        if not required:
            return list(own.texts), own.all
        if any(other.regex for other in required):
            return [], False
        each = [own, *(self.ground.texts.wordings(other.id) for other in required)]
        complete = all(wordings.all for wordings in each)
        choices = [wordings.texts for wordings in each]
        apart = f" {self.ground.texts.apart} " if isinstance(rule, Handler) or rule.steps else f" {FRESH} "
        if prod(map(len, choices)) > MOST_TEXTS:
            return [apart.join(parts) for parts in islice(one_at_a_time(choices), MOST_TEXTS)], False
        return [apart.join(parts) for parts in product(*choices)], complete

    def _leads(self, rule: Rule, when: When, found: Found, block: int) -> bool:
        """Whether a handler is asked first of all that the message brings up, and nothing keeps it from answering."""
        if when.categories or when.condition is not None or not self._comes_first(rule, found, block):
            return False
        trigger = trigger_of(self.bot, rule)
        ways = [self.bot.graph.table.get((state, trigger or ""), ()) for state in _states_of(self.bot, rule)]
        return trigger is None or any(not way.conditions for rows in ways for way in rows)

    def _comes_first(self, rule: Rule, found: Found, block: int) -> bool:
        blocks = self.bot.index.blocks
        rivals = [
            number for number in found.held if number != block and blocks[number].owner[0] in ("handler", "guide")
        ]
        if not rivals:
            return self.nothing_else
        if not isinstance(rule, Handler):
            return False
        own = (rule.priority, -found.held[block].words, rule.order)
        others = [(item.priority, 0, item.rule.order) for item in self.bot.open_handlers]
        for number in rivals:
            handler = self.bot.handler_by_id.get(blocks[number].owner[1])
            if blocks[number].owner[0] == "handler" and handler is not None and handler is not rule:
                others.append((handler.priority, -found.held[number].words, handler.order))
        return all(own < other for other in others)

    def _has_regex(self, rule: Rule) -> bool:
        return any(
            pattern.regex and pattern.use.role != "none"
            for when in rule.when
            if when.block is not None
            for pattern in self.ground.patterns(when.block)
        )

    # --- findings -------------------------------------------------------------------------

    def _never(self, rule: Rule, lost: list[Judged]) -> Finding:
        verdicts = [item.verdict for item in lost if isinstance(item.verdict, Lost)]
        first = next((verdict for verdict in verdicts if not verdict.refused), verdicts[0])
        witness = self.readable(first.witness)
        proved = all(verdict.proved for verdict in verdicts)
        form = self._form_that_lets_it(rule, lost)
        proved = proved and self.ground.left > 0
        sure = "" if proved else "most likely "
        outside = f"outside the form '{form}' " if form else ""
        make = error if proved and not form else warning
        if first.refused:
            message = f"{_kind(rule)} '{rule.id}' can {sure}{outside}never answer: {first.refused}"
            return Finding(make("never-wins", rule.place, message, "change what it asks for in `when`"), witness)
        winner = self._winner(first.witness)
        message = (
            f"{_kind(rule)} '{rule.id}' can {sure}{outside}never answer: {_kind(winner)} '{winner.id}' "
            f'{self._why(rule, winner)} and takes every message it would, e.g. "{witness.text}"'
        )
        related = Related(winner.place, f"'{winner.id}' takes it")
        return Finding(make("never-wins", rule.place, message, self._hint(rule, winner), related), witness)

    def _phrase_never(self, rule: Rule, pattern: Pattern, lost: Lost) -> Finding:
        witness = self.readable(lost.witness)
        winner = self._winner(lost.witness)
        sure = "" if lost.proved else "most likely "
        message = (
            f"the phrase '{pattern.source}' {sure}never brings '{rule.id}' up: {_kind(winner)} '{winner.id}' "
            f'{self._why(rule, winner)} and takes "{witness.text}"'
        )
        related = Related(winner.place, f"'{winner.id}' takes it")
        hint = f"remove the phrase, or {self._hint(rule, winner)}"
        return Finding(warning("phrase-never-wins", pattern.place, message, hint, related), witness)

    def _why(self, rule: Rule, winner: Rule) -> str:
        """Why the winner is asked first, in the words of the files."""
        if isinstance(winner, Handler) and isinstance(rule, Handler):
            if winner.priority != rule.priority:
                return f"is asked first (priority {winner.priority} comes before {rule.priority})"
            if winner.order < rule.order:
                return f"is asked first (both have priority {rule.priority}, and it stands first)"
            return f"is asked first (both have priority {rule.priority}, and it matches more words)"
        if isinstance(winner, Handler):
            return "is asked first (handlers come before guides)"
        return "is asked first"

    def _hint(self, rule: Rule, winner: Rule) -> str:
        if isinstance(winner, Handler) and isinstance(rule, Handler) and winner.priority != rule.priority:
            change = f"give '{rule.id}' a priority below {winner.priority}"
        else:
            change = f"change the phrases of '{winner.id}'"
        return f"{change}, or add a `none` to '{winner.id}' for what should come here"

    def _form_that_lets_it(self, rule: Rule, lost: list[Judged]) -> str:
        """A form in which the rule answers after all, because the usual winner opens that same form."""
        tries = 0
        for form in self.bot.forms.values():
            for item in lost:
                for state in self.bot.graph.states:
                    tries += 1
                    if tries > MOST_FORM_TRIES or self.ground.left <= 0:
                        return ""
                    asking = FormState(form.id, form.slots[0].name if form.slots else None)
                    decision = self.ground.decide(item.text, state, self.ground.moments[0], "", asking)
                    if winner_of(self.bot, decision) is rule:
                        return form.id
        return ""

    def readable(self, witness: Witness) -> Witness:
        """The witness with fewer unknown words in it, as long as the same rule answers it."""
        once = re.sub(rf"\b{FRESH}( {FRESH})+\b", FRESH, witness.text)
        without = " ".join(word for word in once.split() if word != FRESH)
        for text in (without, once) if self.ground.left > 0 else ():
            if text and self._answers(replace(witness, text=text)):
                return replace(witness, text=text)
        return witness

    def _answers(self, witness: Witness) -> bool:
        return self._decided(witness).handler == witness.winner

    def _winner(self, witness: Witness) -> Rule:
        winner = winner_of(self.bot, self._decided(witness))
        assert winner is not None  # a verdict without a reason of the rule's own names the rule that answered
        return winner

    def _decided(self, witness: Witness) -> Decision:
        return self.ground.decide(witness.text, witness.state, witness.moment, witness.category)


def cover_of(bot: Bot, rule: Rule) -> Handler | None:
    """A handler that is asked before a rule and takes any message, in every state of the rule."""
    if rule is bot.fallback_handler:
        return None
    for item in bot.open_handlers:
        handler, when = item.rule, item.when
        if not isinstance(handler, Handler) or handler is rule or not _comes_before(handler, rule):
            continue
        if when.block is not None or when.condition is not None or when.categories:
            continue
        states = _states_of(bot, rule)
        if states and all(_may_answer(bot, handler, when, state) for state in states):
            return handler
    return None


def _comes_before(handler: Handler, rule: Rule) -> bool:
    """Whether a handler without a message is asked first, however many words the rule matches."""
    return not isinstance(rule, Handler) or handler.priority < rule.priority


def _states_of(bot: Bot, rule: Rule) -> list[str]:
    allowed = {state for when in rule.when for state in when.states}
    anywhere = any(not when.states for when in rule.when)
    return [state.id for state in bot.graph.states.values() if not state.final and (anywhere or state.id in allowed)]


def _may_answer(bot: Bot, handler: Handler, when: When, state: str) -> bool:
    """Whether neither the handler's states nor its trigger ever keep it from answering."""
    if when.states and state not in when.states:
        return False
    trigger = trigger_of(bot, handler)
    return trigger is None or any(not way.conditions for way in bot.graph.table.get((state, trigger), ()))


def _kind(rule: Rule) -> str:
    return "the handler" if isinstance(rule, Handler) else "the guide"
