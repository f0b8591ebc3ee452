"""Why this answer, and why not that rule: readings of one decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supportbot.decision.answers import reading_of
from supportbot.decision.choose import refusal
from supportbot.decision.conclude import conclude
from supportbot.decision.decide import NO_HANDLER, decide, known_session
from supportbot.decision.draft import Draft
from supportbot.decision.matcher import Found, find
from supportbot.model.bot import Bot, Guide, Rule, When
from supportbot.model.decision import Conclusion, Decision, Outcome
from supportbot.model.session import Turn
from supportbot.model.text import tokens

NEAREST = 3


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why a rule did not answer: one line for each of its alternatives. ``fired``: it did answer."""

    rule: str
    fired: bool
    reasons: tuple[str, ...]
    place: str


@dataclass(frozen=True, slots=True)
class Explanation:
    turn: Turn
    decision: Decision
    conclusion: Conclusion
    why_not: WhyNot | None = None

    def as_json(self, id_: object = None) -> dict[str, object]:
        """One JSON object: id, text, state, what answered and every candidate."""
        decision = self.decision
        result: dict[str, object] = {
            "id": id_,
            "text": self.turn.message.text,
            "state": self.turn.session.state,
            "category": decision.category,
            "handler": decision.handler,
            "kind": decision.kind,
            "next_state": self.conclusion.session.state,
            "reply": self.conclusion.reply.text,
            "candidates": [
                {
                    "id": candidate.id,
                    "kind": candidate.kind,
                    "priority": candidate.priority,
                    "fired": candidate.fired,
                    "matched": list(candidate.matched),
                    "patterns": list(candidate.patterns),
                    "rejected": candidate.rejected,
                }
                for candidate in decision.trace.candidates
            ],
            "categories": [
                {"id": score.id, "score": score.score, "evidence": list(score.evidence)}
                for score in decision.trace.categories
            ],
            "tokens": list(decision.trace.tokens),
            "corrections": dict(decision.trace.corrections),
        }
        if self.why_not is not None:
            result["why_not"] = {
                "rule": self.why_not.rule,
                "fired": self.why_not.fired,
                "reasons": list(self.why_not.reasons),
                "place": self.why_not.place,
            }
        return result


def explain(bot: Bot, turn: Turn, why_not: str | None = None, outcomes: Sequence[Outcome] = ()) -> Explanation:
    """Decide and conclude one message; ``why_not`` names a handler or guide to be accounted for.

    Raises KeyError when the bot has no such rule.
    """
    decision = decide(bot, turn)
    conclusion = conclude(bot, turn, decision, outcomes)
    reasons = _why_not(bot, turn, decision, why_not) if why_not else None
    return Explanation(turn, decision, conclusion, reasons)


def rule_named(bot: Bot, name: str) -> Rule:
    """A handler or guide by id; KeyError when there is none."""
    return bot.handler_by_id.get(name) or bot.guides[name]


def _why_not(bot: Bot, turn: Turn, decision: Decision, name: str) -> WhyNot:
    rule = rule_named(bot, name)
    place = f"{rule.place.file}:{rule.place.line}"
    if decision.handler == name:
        return WhyNot(name, True, ("it is the rule that answered",), place)
    found = find(bot.index, turn.message.text[: bot.settings.limits.message_chars], reading_of(bot, turn.now))
    draft = Draft(bot, known_session(bot, turn), turn.message, turn.now)
    draft.change(category=decision.category)
    reasons = []
    for number, asked in enumerate(bot.alternatives(rule), start=1):
        found_reasons = [
            reason
            for reason in (_message_reason(bot, found, asked.when), refusal(draft, asked, decision.category))
            if reason
        ]
        if not found_reasons:
            found_reasons = [_beaten(decision, rule)]
        label = f"alternative {number}: " if len(rule.when) > 1 else ""
        reasons.append(label + "; ".join(found_reasons))
    return WhyNot(name, False, tuple(reasons), place)


def _beaten(decision: Decision, rule: Rule) -> str:
    candidate = next((item for item in decision.trace.candidates if item.id == rule.id and item.rejected), None)
    if candidate is not None:
        return candidate.rejected
    if isinstance(rule, Guide) and rule.small_talk:
        return (
            f"'{rule.id}' is small talk: its words must be a quarter of the message, "
            "half when the message also speaks of a problem"
        )
    return _winner(decision)


def _winner(decision: Decision) -> str:
    if decision.handler == NO_HANDLER:
        return "no rule answered"
    return f"{decision.handler} ({decision.kind}) is asked first"


def _message_reason(bot: Bot, found: Found, when: When) -> str:
    """What the message lacks, or has too much of, for a match block to hold; empty when it holds."""
    if when.block is None or when.block in found.held:
        return ""
    patterns = [pattern for pattern in bot.index.patterns if pattern.use.block == when.block]
    refused = [pattern.source for pattern in patterns if pattern.use.role == "none" and pattern.id in found.hits]
    if refused:
        return f"excluded by none: {_quoted(refused)}"
    missing = [pattern.source for pattern in patterns if pattern.use.role == "all" and pattern.id not in found.hits]
    if missing:
        return f"the message lacks all of: {_quoted(missing)}"
    block = bot.index.blocks[when.block]
    words = len(found.tokens) - found.tokens.count("?")
    if block.max_words and words > block.max_words:
        return f"the message has {words} words; this rule takes at most {block.max_words}"
    said = set(found.tokens)
    options = [pattern.source for pattern in patterns if pattern.use.role == "any"]
    options.sort(key=lambda source: -len(said.intersection(tokens(source))))
    return f"none of its phrases is in the message; nearest: {_quoted(options[:NEAREST])}" if options else ""


def _quoted(texts: Sequence[str]) -> str:
    return ", ".join(f"'{text}'" for text in texts)
