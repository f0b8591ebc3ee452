"""The time zone that a visitor means: their own where it is known, else the bot's."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

from supportbot.model.session import Session


def zone_of(session: Session, otherwise: ZoneInfo) -> ZoneInfo:
    return zone_named(session.visitor.get("time_zone", "")) or otherwise


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo | None:
    """None for what is no time zone; any text may come from outside."""
    try:
        return ZoneInfo(name) if name and name.isascii() and len(name) <= 64 else None
    except (LookupError, ValueError, OSError):
        return None


_LETTERS = {
    **dict.fromkeys(("CET", "CEST", "MEZ", "MESZ"), "Europe/Berlin"),
    **dict.fromkeys(("EET", "EEST"), "Europe/Helsinki"),
    **dict.fromkeys(("EST", "EDT", "ET"), "America/New_York"),
    **dict.fromkeys(("CST", "CDT"), "America/Chicago"),
    **dict.fromkeys(("MST", "MDT"), "America/Denver"),
    **dict.fromkeys(("PST", "PDT", "PT"), "America/Los_Angeles"),
    **dict.fromkeys(("AEST", "AEDT"), "Australia/Sydney"),
    "BST": "Europe/London",
    "JST": "Asia/Tokyo",
}
_REGIONS = {
    "eastern": "America/New_York",
    "central": "America/Chicago",
    "mountain": "America/Denver",
    "pacific": "America/Los_Angeles",
    "uk": "Europe/London",
    "german": "Europe/Berlin",
    "french": "Europe/Paris",
    "indian": "Asia/Kolkata",
}
_NO_ZONES = ("GMT", "SAT", "OCT", "NEXT", "LAST", "BEST", "WAIT")
_MOST = 60  # words that are looked at
_CONTINENTS = ("Europe", "America", "Asia", "Australia", "Africa", "Pacific")


def zone_in_words(text: str) -> tuple[ZoneInfo | None, str] | None:
    """The zone that a time is said in, and the text without it; None for a zone that is not known.

    "10:00 CET on tuesday", "3pm New York time". A text without a zone comes back as it is.
    """
    words = text.split()
    bare = [word.strip(".,;:!?()") for word in words[:_MOST]]
    for at, word in enumerate(bare):
        before = bare[at - 1] if at else ""
        timed = before[:1].isdecimal() or before.lower() in ("am", "pm")
        if word.upper() in _LETTERS and timed and (word.isupper() or word.islower()):
            return zone_named(_LETTERS[word.upper()]), " ".join([*words[:at], *words[at + 1 :]])
        if timed and _is_unknown(word, text):
            return None
        for length in (2, 1) if timed and word.istitle() else ():
            zone = _place(bare[at : at + length])
            if zone is not None:
                end = at + length + (bare[at + length : at + length + 1] in (["time"], ["Time"]))
                return zone, " ".join([*words[:at], *words[end:]])
        if word.lower() != "time" or not any(map(str.isdecimal, text)):
            continue
        for length in (2, 1):
            zone = _place(bare[max(0, at - length) : at]) if at >= length else None
            if zone is not None:
                return zone, " ".join([*words[: at - length], *words[at + 1 :]])
        if at > 1 and before.istitle() and bare[at - 2][:1].isdecimal():
            return None
    return None, text


def _is_unknown(word: str, text: str) -> bool:
    """IST means three zones; in a text all of capitals a word says nothing by its capitals."""
    rest = text.replace(word, "")
    shouted = any(map(str.isalpha, rest)) and rest.isupper()
    return (
        3 <= len(word) <= 4
        and word.isalpha()
        and word.isupper()
        and word[-1] == "T"
        and word not in _NO_ZONES
        and not shouted
    )


def _place(words: list[str]) -> ZoneInfo | None:
    name = " ".join(words)
    if name.lower() in _REGIONS:
        return zone_named(_REGIONS[name.lower()])
    if not name.replace(" ", "").isalpha():
        return None
    city = name.title().replace(" ", "_")
    return next((zone for where in _CONTINENTS if (zone := zone_named(f"{where}/{city}")) is not None), None)
