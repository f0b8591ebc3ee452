"""When somebody wants to be called, said in any way, within the business hours."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.decision.appointments import Calendar, wanted
from supportbot.decision.hours import possible
from supportbot.model.bot import Hours

LONDON, NEW_YORK = ZoneInfo("Europe/London"), ZoneInfo("America/New_York")
DAY = ((time(8), time(18)),)
HOURS = Hours(LONDON, MappingProxyType(dict.fromkeys(range(5), DAY)), frozenset({date(2026, 12, 25)}))
NOW = datetime(2026, 11, 23, 10, 15, tzinfo=LONDON)  # a Monday
HERE = Calendar(NOW, LONDON, HOURS)
AT_NIGHT = replace(HERE, now=NOW.replace(hour=20))
FRIDAY_LATE = replace(HERE, now=datetime(2026, 11, 27, 16, 30, tzinfo=LONDON))

SAID = {
    "asap": "23T10:15",
    "as soon as possible please": "23T10:15",
    "whenever suits you": "23T10:15",
    "in an hour": "23T11:15",
    "in two hours": "23T12:15",
    "in half an hour": "23T10:45",
    "in 45 minutes": "23T11:00",
    "tomorrow": "24T08:00",
    "tomorrow afternoon": "24T14:00",
    "Monday morning": "30T09:00",
    "today": "23T10:30",
    "this afternoon": "23T14:00",
    "24/11 at 15:00": "24T15:00",
    "24/11/2026 15:00": "24T15:00",
    "24.11.2026 15:00": "24T15:00",
    "2026-11-24 15:00": "24T15:00",
    "between 2 and 4": "23T14:00",
    "tomorrow between 2 and 4pm": "24T14:00",
    "between 14:00 and 16:00 tomorrow": "24T14:00",
    "from 9 to 11 on friday": "27T09:00",
    "2-4pm": "23T14:00",
    "3": "23T15:00",
    "tomorrow 3": "24T15:00",
    "5:30": "23T17:30",
    "half past three": "23T15:30",
    "quarter to 4": "23T15:45",
    "three thirty": "23T15:30",
    "15h30": "23T15:30",
    "1530": "23T15:30",
    "3ish": "23T15:00",
    "9": "24T09:00",
    "noon": "23T12:00",
    "after 3pm tomorrow": "24T15:00",
    "in the next hour": "23T10:15",
    "within the hour please": "23T10:15",
    "anytime after 2": "23T14:00",
    "whenever after 3pm": "23T15:00",
    "tomorrow morning at 9": "24T09:00",
    "the 24th": "24T08:00",
    "the 24th at 3pm": "24T15:00",
    "next tuesday": "24T08:00",
    "in 3 days": "26T08:00",
    "in 3 days at 2": "26T14:00",
    "a week from now": "30T08:00",
    "the day after tomorrow at ten": "25T10:00",
    "24/11/2026 10:00 America/New_York": "24T15:00",
    "24/11/2026 15:00 (GMT+1)": "24T14:00",
    "call me at 4 please": "23T16:00",
    "24 Nov 2026, 03:00 PM": "24T15:00",
    "November 24th, 2026 at 3 PM": "24T15:00",
    "Tuesday, November 24, 2026 15:00 (GMT+00:00)": "24T15:00",
    "Tue Nov 24 2026 15:00:00 GMT+0000": "24T15:00",
    "2026-11-24T15:00:00Z": "24T15:00",
    "2026-11-24 15:00:00": "24T15:00",
    "24 Nov 2026": "24T08:00",
    "Tuesday 24 November at 3": "24T15:00",
    "tuesday 24/11 15:00": "24T15:00",
    "on Thursday the 26th at 3": "26T15:00",
    "1795532400000": "24T15:00",
}
REFUSED = [
    "at 3 in the morning",
    "sunday at 3",
    "saturday",
    "24/11/2025 10:00",
    "at 7pm",
    "20:00",
    "at 8 in the evening",
    "0:00",
    "tonight",
]
NO_TIME = ["when the moon is full", "purple", "I don't know", "not sure", "31/02 at 10", "25:00", "", "   ", "?"]


@pytest.mark.parametrize("text", list(SAID))
def test_what_is_said(text: str) -> None:
    found = wanted(text, HERE)
    assert found is not None
    assert (found.text, found.possible) == (f"2026-11-{SAID[text]}", True)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_possible(text: str) -> None:
    found = wanted(text, HERE)
    assert found is not None
    assert not found.possible


@pytest.mark.parametrize("text", NO_TIME)
def test_what_is_no_time(text: str) -> None:
    assert wanted(text, HERE) is None


def test_without_hours_any_moment_will_do() -> None:
    found = wanted("sunday at 3", replace(HERE, hours=None))
    assert found is not None
    assert (found.text, found.possible) == ("2026-11-29T15:00", True)


@pytest.mark.parametrize(
    ("text", "then"),
    [("asap", "24T08:00"), ("today", "23T20:15"), ("tomorrow morning", "24T09:00"), ("at 3", "24T15:00")],
)
def test_at_night(text: str, then: str) -> None:
    found = wanted(text, AT_NIGHT)
    assert found is not None
    assert found.text == f"2026-11-{then}"
    assert found.possible == (text != "today")


def test_a_time_alone_waits_for_a_day_that_is_open() -> None:
    found = wanted("at 3", FRIDAY_LATE)
    assert found is not None
    assert found.text == "2026-11-30T15:00"


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("no, tomorrow at 4", "24T16:00"),
        ("no, at 4", "25T16:00"),
        ("no, Thursday", "26T11:00"),
        ("friday 9:30", "27T09:30"),
    ],
)
def test_a_correction_keeps_what_it_does_not_change(text: str, then: str) -> None:
    found = wanted(text, HERE, "2026-11-25T11:00")
    assert found is not None
    assert found.text == f"2026-11-{then}"


def test_times_are_those_of_the_visitor() -> None:
    found = wanted("tomorrow at 10", replace(HERE, zone=NEW_YORK))
    assert found is not None
    assert found.text == "2026-11-24T15:00"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("fr", "demain à 15h"),
        ("de", "morgen um 15 Uhr"),
        ("es", "mañana a las 15:00"),
        ("es", "mañana a las 3"),
        ("it", "domani alle 15"),
    ],
)
def test_other_languages(language: str, text: str) -> None:
    found = wanted(text, replace(HERE, languages=("en", language)))
    assert found is not None
    assert found.text == "2026-11-24T15:00"


@pytest.mark.parametrize(
    ("text", "then"),
    [("please call me now", "23T10:15"), ("call me asap", "23T10:15"), ("my order 12 came at noon", "23T12:00")],
)
def test_in_other_messages_only_plain_words_count(text: str, then: str | None) -> None:
    found = wanted(text, HERE, asked=False)
    assert found is None or found.text == f"2026-11-{then}"


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("could you ring me at five", "2026-11-23T17:00"),
        ("call me at 4", "2026-11-23T16:00"),
        ("call me at one of these numbers", None),
        ("call me, at one point it crashed", None),
        ("call me, five of us cannot work", None),
    ],
)
def test_the_hour_in_the_wish_for_a_call(text: str, then: str | None) -> None:
    found = wanted(text, HERE, asked=False)
    assert (found and found.text) == then


@given(st.text(max_size=120), st.sampled_from(["", "2026-11-25T11:00", "nonsense"]))
def test_any_text_gives_a_moment_or_none(text: str, before: str) -> None:
    for calendar in (HERE, replace(HERE, hours=None, zone=NEW_YORK)):
        found = wanted(text, calendar, before)
        assert found is None or (found.at.tzinfo is not None and len(found.text) == 16)
        assert found == wanted(text, calendar, before)


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (datetime(2026, 11, 24, 19, tzinfo=LONDON), "Tuesday 24 November between 08:00 and 18:00"),
        (datetime(2026, 11, 29, 15, tzinfo=LONDON), "Monday 30 November between 08:00 and 18:00"),
        (datetime(2025, 11, 24, 10, tzinfo=LONDON), "Monday 23 November between 10:15 and 18:00"),
        (datetime(2026, 12, 25, 10, tzinfo=LONDON), "Monday 28 December between 08:00 and 18:00"),
    ],
)
def test_when_it_would_be_possible(moment: datetime, said: str) -> None:
    assert possible(HOURS, moment, NOW, LONDON) == said


def test_when_it_would_be_possible_elsewhere() -> None:
    said = possible(HOURS, datetime(2026, 11, 29, 15, tzinfo=LONDON), NOW, NEW_YORK)
    assert said == "Monday 30 November between 03:00 and 13:00 New York time"


def test_never_open_says_nothing() -> None:
    assert possible(replace(HOURS, days=MappingProxyType({})), NOW, NOW, LONDON) == ""


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("not tomorrow, the day after at 11", "25T11:00"),
        ("I can't do tomorrow but wednesday at 10 works", "25T10:00"),
        ("monday does not work, tuesday at 10", "24T10:00"),
        ("not before 3pm tomorrow", "24T15:00"),
        ("10:00 CET on tuesday", "24T09:00"),
        ("tomorrow 12:00 New York time", "24T17:00"),
        ("anytime tomorrow afternoon", "24T14:00"),
        ("this morning", "23T10:30"),
        ("tomorrow but not before 10", "24T10:00"),
        ("12:00 Berlin time tomorrow", "24T11:00"),
        ("tuesday 14:00 Paris", "24T13:00"),
    ],
)
def test_what_is_ruled_out_and_other_zones_are_understood(text: str, at: str) -> None:
    found = wanted(text, HERE)
    assert found is not None
    assert (found.text, found.possible) == (f"2026-11-{at}", True)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("yesterday at 3", "22T15:00"),
        ("last monday at 10", "16T10:00"),
        ("this morning at 9", "23T09:00"),
        ("tomorrow 10am PST", "24T18:00"),
        ("3pm New York time", "23T20:00"),
        ("weekend at 10", "28T10:00"),
    ],
)
def test_a_past_or_closed_moment_is_never_moved(text: str, at: str) -> None:
    found = wanted(text, HERE)
    assert found is not None
    assert (found.text, found.possible) == (f"2026-11-{at}", False)


@pytest.mark.parametrize(
    "text",
    [
        "not on monday",
        "any day except monday",
        "no, not tomorrow",
        "tuesday or wednesday at 10",
        "10 or 11 tomorrow",
        "tomorrow at 25:00",
        "tomorrow 3pm Foobar time",
        "next week",
        "next week at 10",
        "any day but friday",
        "monday to friday after 3",
        "31 november at 10",
        "tomorrow 24:00",
        "tomorrow 10am IST",
        "two days ago at 3",
    ],
)
def test_what_leaves_the_moment_open_is_asked_again(text: str) -> None:
    assert wanted(text, HERE) is None


def test_a_day_of_next_week() -> None:
    found = wanted("friday next week at 10", HERE)
    assert found is not None
    assert found.text == "2026-12-04T10:00"
