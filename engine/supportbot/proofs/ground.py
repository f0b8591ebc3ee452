"""What all proofs of one bot share: texts of its patterns, and what the matcher finds in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from supportbot.decision.answers import reading_of
from supportbot.decision.conclude import start_session
from supportbot.decision.decide import decide
from supportbot.decision.hours import is_open
from supportbot.decision.matcher import Found, find, hits_in
from supportbot.model.bot import Bot
from supportbot.model.decision import Decision
from supportbot.model.index import Pattern
from supportbot.model.session import FormState, Message, Turn
from supportbot.model.text import tokens
from supportbot.proofs.texts import Texts

# What all proofs of a bot may cost together, counted in decisions about short messages that bring one rule up.
# What is not decided by then is not reported.
MOST_DECISIONS = 24_000
WORDS = 8  # so many words cost as much as a rule
SAID = datetime(2026, 11, 23, 10, tzinfo=UTC)


class Ground:
    """Matching is most of the work of all proofs: each text is matched once."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot
        self.texts = Texts(bot.index)
        self.moments = _moments(bot)
        self.reading = reading_of(bot, self.moments[0])
        self.by_block: dict[int, list[Pattern]] = {}
        for pattern in bot.index.patterns:
            self.by_block.setdefault(pattern.use.block, []).append(pattern)
        self.left = MOST_DECISIONS + len(bot.index.patterns)
        self._found: dict[str, Found] = {}
        self.alone = frozenset(pattern.id for pattern in bot.index.patterns if self._is_alone(pattern))

    def _is_alone(self, pattern: Pattern) -> bool:
        """Whether a pattern is plain words in which no other is found: then it can be in nobody's way."""
        words = self.texts.words(pattern.id)
        if words is None or pattern.regex:
            return False  # trying all texts of a list costs more than it saves
        text = " ".join(words)
        if not self.bot.index.regexes and words == tokens(text):
            return hits_in(self.bot.index, words, self.reading).keys() == {pattern.id}
        return self.found(text).hits.keys() == {pattern.id}

    def found(self, text: str) -> Found:
        known = self._found.get(text)
        if known is None:
            known = self._found[text] = find(self.bot.index, text, self.reading)
            self.left -= len(known.tokens) // WORDS
        return known

    def patterns(self, block: int) -> list[Pattern]:
        return self.by_block.get(block, [])

    def decide(
        self, text: str, state: str, moment: datetime, category: str = "", form: FormState | None = None
    ) -> Decision:
        """What the bot answers to a text in a fresh conversation that is in this state."""
        found = self.found(text)
        self.left -= 1 + len(found.held) + len(found.tokens) // WORDS
        session = replace(start_session(self.bot, "witness", moment), state=state, form=form)
        if category:
            session = replace(session, category=category)
        return decide(self.bot, Turn(session, Message("witness", "witness", text, "chat", moment), moment))


def _moments(bot: Bot) -> tuple[datetime, ...]:
    """A moment when it is open and one when it is closed, as far as there are any."""
    if not bot.settings.hours.days:
        return (SAID,)
    candidates = [SAID + timedelta(hours=step) for step in range(24 * 7)]
    chosen = {is_open(bot.settings.hours, moment): moment for moment in reversed(candidates)}
    return tuple(chosen[key] for key in sorted(chosen, reverse=True))
