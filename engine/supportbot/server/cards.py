"""Input cards: how SalesIQ lets a visitor answer a question of a form with a pad, a calendar or a choice."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from supportbot.decision.hours import open_moments
from supportbot.decision.suggestions import LARGE, SMALL, shorten
from supportbot.decision.zones import zone_of
from supportbot.model.bot import Bot, SlotSpec
from supportbot.model.session import Session
from supportbot.server.salesiq_channel import Voice

Card = dict[str, object]

PLACEHOLDERS = {"tel": "Phone number", "email": "name@example.com"}
BY_TYPE = {
    "phone": "tel",
    "email": "email",
    "choice": "select",
    "date": "calendar",
    "time": "date-timeslots",
    "rating": "happiness-rating",
}
TYPED_ON_MESSENGERS = frozenset({"calendar", "timeslots", "date-timeslots"})  # dates are written there
PAGE_OPTIONS, OPTIONS = 20, {"whatsapp": 10}
OTHER_OPTIONS = 13
DAYS, STEP = 5, timedelta(hours=1)  # open days that are shown, and the time between two slots
LEAD = timedelta(minutes=15)  # nobody can call at once


def card_of(spec: SlotSpec, bot: Bot, session: Session, voice: Voice, now: datetime, platform: str) -> Card | None:
    """The card that asks for a slot; None where words do."""
    kind = BY_TYPE.get(spec.type, "") if spec.card is None else spec.card
    if not kind or (platform and kind in TYPED_ON_MESSENGERS):
        return None
    if kind in ("tel", "email"):
        return {"type": kind, "placeholder": PLACEHOLDERS[kind], **_error(spec, voice)}
    if kind == "select":
        return _select(spec, platform)
    if kind == "calendar":
        return {"type": kind, **({"time": "true", "tz": "true"} if spec.type == "time" else {})}
    if kind in ("timeslots", "date-timeslots"):
        return _slots(kind, spec, bot, session, now)
    return _rating(kind)


def _error(spec: SlotSpec, voice: Voice) -> Card:
    invalid = voice.say(spec.invalid)
    return {"error": [invalid.text]} if invalid is not None else {}


def _select(spec: SlotSpec, platform: str) -> Card | None:
    values = tuple(value for value, _ in spec.choices)
    if not values:
        return None
    most = OPTIONS.get(platform, OTHER_OPTIONS) if platform else PAGE_OPTIONS
    return {"type": "select", "options": list(shorten(values, most, SMALL if platform else LARGE))}


def _slots(kind: str, spec: SlotSpec, bot: Bot, session: Session, now: datetime) -> Card:
    """Moments within the business hours, in the visitor's time zone; without hours, a calendar."""
    hours = bot.settings.hours
    zone = zone_of(session, hours.zone)
    days: dict[date, list[str]] = {}
    for moment in open_moments(hours, now + LEAD, STEP, DAYS if kind == "date-timeslots" else 1):
        local = moment.astimezone(zone)
        days.setdefault(local.date(), []).append(f"{local:%H:%M}")
    if not days:
        return {"type": "calendar", "time": "true", "tz": "true"}
    common: Card = {"tz": True, "time_zone_id": _zone_id(zone)}
    label = spec.name.replace("_", " ").capitalize()
    if kind == "timeslots":
        day, slots = next(iter(days.items()))
        return {"type": kind, "label": label, "date": f"{day:%d/%m/%Y}", "slots": slots, **common}
    return {"type": kind, "label": label, **common, "slots": {f"{day:%d/%m/%Y}": slots for day, slots in days.items()}}


def _zone_id(zone: ZoneInfo) -> str:
    return zone.key


def _rating(kind: str) -> Card | None:
    cards: dict[str, Card] = {
        "happiness-rating": {"level": "5", "set_conversation_rating": True},
        "star-rating": {"level": 5, "set_conversation_rating": True},
        "like": {"set_conversation_rating": True},
    }
    return {"type": kind, **cards[kind]} if kind in cards else None
