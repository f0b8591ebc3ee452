"""Every button that the starter bot shows is understood where it shows it, in working hours and outside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from supportbot.compiler.compile import load_bot
from supportbot.decision.conclude import conclude, start_session
from supportbot.decision.decide import decide
from supportbot.decision.timeouts import elapse
from supportbot.model.bot import Bot
from supportbot.model.decision import CallAction, Outcome, Suggested
from supportbot.model.session import Message, Session, Turn

ROOT = Path(__file__).resolve().parents[2]
MONDAY = datetime(2026, 11, 23, 10, 15, tzinfo=ZoneInfo("Europe/London"))
QUIET = timedelta(minutes=11)  # after which the states with a time-out ask again


@pytest.fixture(scope="module")
def bot() -> Bot:
    compiled = load_bot(ROOT).bot
    assert compiled is not None
    return compiled


def _say(bot: Bot, session: Session, text: str, now: datetime) -> tuple[str, Session, tuple[Suggested, ...]]:
    """What kind of answer a text gets ('llm' is none of the rules), and where that leads."""
    turn = Turn(session, Message(f"m-{session.turns}", session.id, text, "chat", now), now)
    decision = decide(bot, turn)
    outcomes = tuple(
        Outcome(effect, isinstance(effect, CallAction), error="" if isinstance(effect, CallAction) else "off")
        for effect in decision.effects
    )
    concluded = conclude(bot, turn, decision, outcomes)
    return decision.kind, concluded.session, concluded.reply.texts


def _openings(bot: Bot) -> Iterator[str]:
    yield from ("hello", "help", "how do I reach you?", "please fold my laundry")
    for guide in bot.guides.values():
        yield from (example.text for example in guide.examples.match[:1] if example.state is None)


def _buttons(said: tuple[Suggested, ...]) -> tuple[str, ...]:
    return tuple(label for text in said for label in text.suggestions)


@pytest.mark.parametrize("now", [MONDAY, MONDAY.replace(hour=23)], ids=["open", "closed"])
def test_every_button_is_understood(bot: Bot, now: datetime) -> None:
    seen: set[tuple[object, ...]] = set()
    lost: set[tuple[str, str]] = set()
    waiting = [
        (after, _buttons(said))
        for text in _openings(bot)
        for _, after, said in [_say(bot, start_session(bot, "s", now, "chat"), text, now)]
    ]
    while waiting:
        session, labels = waiting.pop()
        reminder = elapse(bot, session, now + QUIET)
        if reminder is not None:
            labels += tuple(label for text in reminder.reply.texts for label in text.suggestions)
        for label in labels:
            place = (session.state, session.guide, session.form and session.form.form, label)
            if place in seen:
                continue
            seen.add(place)
            kind, after, said = _say(bot, session, label, now)
            if kind in ("llm", "fallback"):
                lost.add((session.state, label))
            waiting.append((after, _buttons(said)))
    assert not lost
    assert len(seen) > 200  # all guides were walked through, not only their first steps
