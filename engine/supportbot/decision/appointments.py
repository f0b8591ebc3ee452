"""When somebody wants to be called: any way to say a time, and whether that moment is possible.

Everything is read in the visitor's time zone and given in the bot's. The grammar of moments.py comes first, because it
knows what a caller means ("at 3" is in the afternoon); dateparser is asked for what it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from supportbot.decision.hours import is_open, next_open, open_moments
from supportbot.decision.moments import AT_ONCE, Moment, moment_at
from supportbot.decision.phrasing import ASKING, at_once, clock_words, dated, zone_said
from supportbot.decision.unclear import plain_words
from supportbot.decision.zones import zone_in_words
from supportbot.model.bot import Hours

PARSED_CHARS = 60  # of a text that dateparser reads: its patterns are not linear, so it gets short texts only
LONGEST = timedelta(days=180)
MINUTE = timedelta(minutes=1)
STEP = timedelta(minutes=30)
_PARTS = {"morning": (6, 12), "afternoon": (12, 18), "evening": (17, 22), "tonight": (18, 23)}
_EDGES = ".,;:!?\"'()[]{}<>*"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A moment in the bot's time zone. ``possible``: it lies ahead, within the hours where that is asked for."""

    at: datetime
    possible: bool

    @property
    def text(self) -> str:
        return f"{self.at:%Y-%m-%dT%H:%M}"


@dataclass(frozen=True, slots=True)
class Calendar:
    """``now`` in the bot's time zone; ``zone``: the visitor's; ``hours``: None where any moment will do."""

    now: datetime
    zone: ZoneInfo
    hours: Hours | None
    languages: tuple[str, ...] = ("en",)


def wanted(text: str, calendar: Calendar, before: str = "", asked: bool = True) -> Wanted | None:
    """The moment that a text names, or None. ``before``: what was said earlier: "no, at 4" keeps its day.

    ``asked``: the text answers the question when; else only what is surely a time is taken for one.
    """
    named = zone_in_words(text)
    if named is None:
        return None
    zone = zone_said(text) or named[0] or calendar.zone
    text = named[1]
    now = calendar.now.astimezone(zone)
    plain = plain_words(text, now.date())
    if plain is None:
        return None
    text, words = (text, plain) if len(plain) == len(text.split()) else (" ".join(plain), plain)
    words = clock_words(dated(words, now.date()), asked)
    if at_once(words, asked):
        return _as_soon_as_possible(calendar)
    foreign = any(language != "en" for language in calendar.languages)
    found = _parsed(text, now, calendar) if asked and foreign else None
    moment = _first(words, now) if found is None else None
    if moment is None:
        found = found or (_parsed(text, now, calendar) if asked and not foreign else None)
        return _judged(found, calendar) if found is not None else None
    return _judged(_placed(moment, words, now, calendar, _earlier(before, calendar, zone)), calendar)


def _first(words: list[str], now: datetime) -> Moment | None:
    if any(words[at : at + 2] == ["from", "now"] for at in range(len(words))):
        return None  # "a week from now" is not now
    if words[:1] and words[0] in ASKING:  # nor is "what time is it now"
        words = ["" if word in AT_ONCE else word for word in words]
    if any(word[:1].isdecimal() for word in words):  # "anytime after 2" is not now either
        words = ["" if word in ("anytime", "whenever") else word for word in words]
    found = (moment_at(words, at, now) for at in range(len(words)) if words[at])
    first = next((moment for moment in found if moment is not None), None)
    no_such_day = first is not None and first.day is None and any("/" in word for word in words if word[:1].isdecimal())
    return None if no_such_day else first


def _as_soon_as_possible(calendar: Calendar) -> Wanted:
    now = calendar.now.replace(second=0, microsecond=0)
    opening = next_open(calendar.hours, now) if calendar.hours is not None else now
    return Wanted(opening or now, opening is not None)


def _earlier(before: str, calendar: Calendar, zone: ZoneInfo) -> datetime | None:
    try:
        return datetime.fromisoformat(before).replace(tzinfo=calendar.now.tzinfo).astimezone(zone) if before else None
    except (ValueError, OverflowError):
        return None


def _placed(moment: Moment, words: list[str], now: datetime, calendar: Calendar, earlier: datetime | None) -> datetime:
    """The moment with what it leaves open: the day or the time of what was said before, else the next that fits."""
    part = next((_PARTS[word] for word in words if word in _PARTS), None)
    day, clock = moment.day, moment.clock
    if earlier is not None:
        day = day or earlier.date()
        clock = clock or (earlier.timetz().replace(tzinfo=None) if moment.day is not None else None)
    if clock is None and day is not None:
        return _opening(day, now, calendar)
    clock = clock or time(9)
    if day is None:
        return _next_at(clock, _likely(words), now, calendar)
    chosen = _in_the_afternoon(datetime.combine(day, clock, now.tzinfo), _likely(words), calendar)
    return _within_part(chosen, part, now, calendar) if part is not None and not _exact(words) else chosen


def _exact(words: list[str]) -> bool:
    """Whether a time of day was said, and not only a part of the day."""
    return any(":" in word or (word.isdecimal() and words[at - 1 : at] == ["at"]) for at, word in enumerate(words))


def _likely(words: list[str]) -> bool:
    """Whether the half of the day was left to be guessed: nobody said am, pm or a part of the day."""
    return not any(word.endswith(("am", "pm", "a.m", "p.m")) or word in _PARTS for word in words)


def _opening(day: date, now: datetime, calendar: Calendar) -> datetime:
    """A day alone: from its opening on, or from now when that is over."""
    morning = datetime.combine(day, time(9), now.tzinfo)
    if calendar.hours is None:
        return max(morning, now) if day == now.date() else morning
    midnight = datetime.combine(day, time(0), now.tzinfo)
    since = max(midnight, now)
    first = next(open_moments(calendar.hours, since, STEP, 2), None)
    if first is not None and first.astimezone(now.tzinfo).date() == day:
        return first
    return max(morning, now) if day == now.date() else morning


def _next_at(clock: time, likely: bool, now: datetime, calendar: Calendar) -> datetime:
    """The next such time of day, on a day that is open then when there is one."""
    first: datetime | None = None
    for ahead in range(8):
        chosen = datetime.combine(now.date() + timedelta(days=ahead), clock, now.tzinfo)
        chosen = _in_the_afternoon(chosen, likely, calendar)
        if chosen < now:
            continue
        if calendar.hours is None or is_open(calendar.hours, chosen):
            return chosen
        first = first or chosen
    return first or now


def _in_the_afternoon(chosen: datetime, likely: bool, calendar: Calendar) -> datetime:
    """ "5:30" where only 17:30 is possible."""
    if calendar.hours is None or not likely or not 0 < chosen.hour < 12 or is_open(calendar.hours, chosen):
        return chosen
    later = chosen + timedelta(hours=12)
    return later if is_open(calendar.hours, later) else chosen


def _within_part(chosen: datetime, part: tuple[int, int], now: datetime, calendar: Calendar) -> datetime:
    """ "Monday morning" from the opening on, "this afternoon" from now on."""
    start, end = (chosen.replace(hour=hour, minute=0) for hour in part)
    if not start <= chosen < end:
        return chosen
    since = max(chosen, now)
    if calendar.hours is None:
        return since if since < end else chosen
    first = next(open_moments(calendar.hours, since.replace(second=0, microsecond=0), STEP, 2), None)
    return first if first is not None and first < end else chosen


def _judged(moment: datetime, calendar: Calendar) -> Wanted:
    at = moment.astimezone(calendar.now.tzinfo).replace(second=0, microsecond=0)
    if calendar.hours is None:
        return Wanted(at, True)
    ahead = calendar.now - MINUTE <= at <= calendar.now + LONGEST
    return Wanted(at, ahead and (not calendar.hours.days or is_open(calendar.hours, at)))


def _at_hour(text: str, day: date, now: datetime, calendar: Calendar) -> datetime:
    """The day at the only small number of the text, "a las 10"; without one, from its opening on."""
    words = [word.strip(_EDGES) for word in text.split()]
    hours = [int(word) for word in words if word.isascii() and word.isdecimal() and len(word) <= 2 and int(word) < 24]
    if len(hours) != 1 or hours[0] == day.day:
        return _opening(day, now, calendar)
    return _in_the_afternoon(datetime.combine(day, time(hours[0]), now.tzinfo), True, calendar)


def _with_minutes(text: str) -> str:
    """15 Uhr -> 15:00, 15h -> 15:00, which every language of dateparser knows."""
    words = text.replace("Uhr", "uhr").split()
    made: list[str] = []
    for word in words:
        if word.strip(".,") == "uhr" and made and made[-1].isdecimal() and len(made[-1]) <= 2:
            made[-1] += ":00"
        else:
            bare = word.rstrip("hH")
            made.append(f"{bare}:00" if bare != word and bare.isdecimal() and len(bare) <= 2 else word)
    return " ".join(made)


def _parsed(text: str, now: datetime, calendar: Calendar) -> datetime | None:
    """What dateparser makes of a short answer: "in a fortnight", "the 24th", other languages."""
    if len(text) > PARSED_CHARS or not (any(map(str.isdecimal, text)) or len(text.split()) > 1):
        return None
    # Imported here, and only when a time is being read: it brings a tenth of a second and 20 MB with it.
    from dateparser import parse

    settings = {
        "RELATIVE_BASE": now.replace(tzinfo=None),
        "TIMEZONE": "UTC",
        "RETURN_AS_TIMEZONE_AWARE": False,
        "PREFER_DATES_FROM": "future",
        "DATE_ORDER": "DMY",
        "NORMALIZE": True,
    }
    try:
        found: datetime | None = parse(_with_minutes(text), languages=list(calendar.languages), settings=settings)
        if found is None or abs(found.replace(tzinfo=now.tzinfo) - now) > LONGEST:
            return None
        if found.time() in (time(0), now.time()):  # a day alone, or one whose hour was not understood
            return _at_hour(text, found.date(), now, calendar)
        return found.replace(tzinfo=now.tzinfo)
    except (ValueError, OverflowError, TypeError, LookupError):  # of a library that guesses: no answer then
        return None
