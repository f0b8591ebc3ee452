"""Business hours: whether it is open, and when it is next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from supportbot.model.bot import Hours

DAYS_AHEAD = 15  # the longest closure that is looked past
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def is_open(hours: Hours, now: datetime) -> bool:
    local = now.astimezone(hours.zone)
    if local.date() in hours.holidays:
        return False
    clock = local.time()
    return any(start <= clock < end for start, end in hours.days.get(local.weekday(), ()))


def next_open(hours: Hours, now: datetime) -> datetime | None:
    """The next moment that is open, in the bot's time zone; now when it is; None when never."""
    local = now.astimezone(hours.zone)
    if is_open(hours, local):
        return local
    for ahead in range(DAYS_AHEAD):
        day = local.date() + timedelta(days=ahead)
        if day in hours.holidays:
            continue
        for start, _ in sorted(hours.days.get(day.weekday(), ())):
            opening = datetime.combine(day, start, hours.zone)
            if opening > local:
                return opening
    return None


def week(hours: Hours) -> str:
    """All opening hours, in the bot's time zone: ``Monday to Thursday 08:00-18:00, Friday 08:00-17:00``."""
    told: list[tuple[int, int, str]] = []  # first day, last day, hours
    for day in range(7):
        spans = " and ".join(f"{start:%H:%M}-{end:%H:%M}" for start, end in sorted(hours.days.get(day, ())))
        if told and told[-1][1:] == (day - 1, spans):
            told[-1] = (told[-1][0], day, spans)
        elif spans:
            told.append((day, day, spans))
    return ", ".join(f"{_days(first, last)} {spans}" for first, last, spans in told)


def _days(first: int, last: int) -> str:
    between = "" if first == last else f" {'and' if last == first + 1 else 'to'} {WEEKDAYS[last]}"
    return WEEKDAYS[first] + between


def open_moments(hours: Hours, since: datetime, step: timedelta, days: int) -> Iterator[datetime]:
    """Moments within the hours, ``step`` apart, on the next so many open days, in the bot's time zone."""
    local = since.astimezone(hours.zone)
    found = 0
    for ahead in range(DAYS_AHEAD):
        made = [moment for moment in _of_day(hours, local.date() + timedelta(days=ahead), step) if moment >= local]
        yield from made
        found += bool(made)
        if found == days:
            return


def _of_day(hours: Hours, day: date, step: timedelta) -> Iterator[datetime]:
    for start, end in () if day in hours.holidays else sorted(hours.days.get(day.weekday(), ())):
        moment = datetime.combine(day, start, hours.zone)
        last = datetime.combine(day, end, hours.zone)
        while moment < last:
            yield moment
            moment = (moment.astimezone(UTC) + step).astimezone(hours.zone)


def possible(hours: Hours, moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """When it is possible, near a moment that is not: ``Tuesday 24 November between 08:00 and 18:00``, in ``zone``."""
    since = max(moment.astimezone(hours.zone), now.astimezone(hours.zone))
    midnight = since.replace(hour=0, minute=0, second=0, microsecond=0)
    opening = next_open(hours, max(midnight, now.astimezone(hours.zone)))
    if opening is None:
        return ""
    spans = [
        f"{max(opening, datetime.combine(opening, start, hours.zone)).astimezone(zone):%H:%M}"
        f" and {datetime.combine(opening, end, hours.zone).astimezone(zone):%H:%M}"
        for start, end in sorted(hours.days[opening.weekday()])
        if end > opening.time()
    ]
    first = opening.astimezone(zone)
    return f"{first:%A} {first.day} {first:%B} between {', or '.join(spans)}{zone_name(zone, hours.zone, opening)}"


def zone_name(zone: ZoneInfo, other: ZoneInfo, at: datetime) -> str:
    """`` New York time`` where clocks show something else than in the other zone at that moment, else nothing."""
    if at.astimezone(zone).utcoffset() == at.astimezone(other).utcoffset():
        return ""
    return f" {zone.key.rpartition('/')[2].replace('_', ' ')} time"


def spoken(moment: datetime | None, now: datetime) -> str:
    """A moment as a visitor would say it: ``today at 09:00``, ``tomorrow at 09:00``, ``Monday at 09:00``."""
    if moment is None:
        return ""
    days = (moment.date() - now.astimezone(moment.tzinfo).date()).days
    day = {0: "today", 1: "tomorrow"}.get(days) or moment.strftime("%A" if days < 7 else "%A %d %B")
    return f"{day} at {moment:%H:%M}"
