"""The names that templates and expressions see."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from supportbot.decision.hours import is_open, next_open, spoken
from supportbot.model.bot import Bot
from supportbot.model.session import Session, SlotValue

VISITOR_KEYS = ("name", "email", "phone", "language")


def scope_of(
    bot: Bot, session: Session, now: datetime, result: Mapping[str, SlotValue] | None = None
) -> dict[str, object]:
    """Everything in scope. Every declared slot is there, empty text when it has no value yet."""
    local = now.astimezone(bot.settings.hours.zone)
    hours = bot.settings.hours
    guide = session.guide
    return {
        "slots": dict.fromkeys(bot.slots, "") | dict(session.slots),
        "visitor": dict.fromkeys(VISITOR_KEYS, "") | dict(session.visitor),
        "session": {
            "attempts": session.attempts,
            "turns": session.turns,
            "state": session.state,
            "category": session.category,
            "guide": guide.guide if guide else "",
            "step": guide.step + 1 if guide else 0,
        },
        "hours": {"open": is_open(hours, now), "next_open": spoken(next_open(hours, now), now)},
        "now": {
            "date": local.date().isoformat(),
            "time": f"{local:%H:%M}",
            "weekday": f"{local:%A}",
            "hour": local.hour,
        },
        "bot": {"name": bot.settings.name, "time_zone": str(hours.zone)},
        "result": dict(result or {}),
    }
