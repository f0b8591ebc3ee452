"""The names that templates and expressions see."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from supportbot.decision.hours import WEEKDAYS, is_open, next_open, possible, spoken, week, zone_name
from supportbot.decision.zones import zone_of
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
        "hours": _Hours(bot, session, now),
        "form": _form(bot, session, now),
        "now": {
            "date": local.date().isoformat(),
            "time": f"{local.hour:02}:{local.minute:02}",  # strftime takes ten times as long
            "weekday": WEEKDAYS[local.weekday()],
            "hour": local.hour,
        },
        "bot": {"name": bot.settings.name, "time_zone": str(hours.zone)},
        "result": dict(result or {}),
    }


def plain_scope_of(bot: Bot, session: Session, now: datetime) -> dict[str, object]:
    """The same with everything worked out, so that it can be kept as JSON."""
    hours = _Hours(bot, session, now)
    values = {"open": hours.open, "next_open": hours.next_open, "week": hours.week}
    return scope_of(bot, session, now) | {"hours": values}


class _Hours:
    """The business hours; a text names at most a part of them, and only that part is worked out."""

    __slots__ = ("_bot", "_now", "_session")

    def __init__(self, bot: Bot, session: Session, now: datetime) -> None:
        self._bot = bot
        self._session = session
        self._now = now

    @property
    def open(self) -> bool:
        return is_open(self._bot.settings.hours, self._now)

    @property
    def next_open(self) -> str:
        """In the visitor's time zone, which is named when clocks show something else there."""
        hours = self._bot.settings.hours
        moment = next_open(hours, self._now)
        if moment is None:
            return ""
        zone = zone_of(self._session, hours.zone)
        return spoken(moment.astimezone(zone), self._now) + zone_name(zone, hours.zone, moment)

    @property
    def week(self) -> str:
        return week(self._bot.settings.hours)


def _form(bot: Bot, session: Session, now: datetime) -> dict[str, str]:
    """What an open form says about a moment that is not possible: the moment, and when it would be."""
    refused = session.form.refused if session.form is not None else ""
    if not refused:
        return {"wanted": "", "possible": ""}
    hours = bot.settings.hours
    zone = zone_of(session, hours.zone)
    try:
        moment = datetime.fromisoformat(refused).replace(tzinfo=hours.zone)
        return {"wanted": refused, "possible": possible(hours, moment, now, zone)}
    except (ValueError, OverflowError):
        return {"wanted": "", "possible": ""}
