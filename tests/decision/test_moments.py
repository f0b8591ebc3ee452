"""Dates and times as people write them; the clock stands at Monday 23 November 2026, 10:15 in London."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.decision.entities import Reading, first_value

NOW = Reading(datetime(2026, 11, 23, 10, 15, tzinfo=ZoneInfo("Europe/London")))

TIMES = [
    ("tomorrow at 3", "2026-11-24T15:00"),
    ("tomorrow at 3pm", "2026-11-24T15:00"),
    ("at 9 tomorrow", "2026-11-24T09:00"),
    ("Monday", "2026-11-30T09:00"),
    ("Tuesday 10:15", "2026-11-24T10:15"),
    ("on Thursday at 15:45, please", "2026-11-26T15:45"),
    ("next wednesday", "2026-11-25T09:00"),
    ("Fri afternoon", "2026-11-27T14:00"),
    ("at 16:00", "2026-11-23T16:00"),
    ("at 9", "2026-11-24T09:00"),  # over today
    ("at 3", "2026-11-23T15:00"),
    ("around 4", "2026-11-23T16:00"),
    ("before 5pm tomorrow", "2026-11-24T17:00"),
    ("by 11 please", "2026-11-23T11:00"),
    ("3pm", "2026-11-23T15:00"),
    ("3.30pm", "2026-11-23T15:30"),
    ("3:30 PM", "2026-11-23T15:30"),
    ("3 p.m.", "2026-11-23T15:00"),
    ("10 am", "2026-11-24T10:00"),
    ("12am", "2026-11-24T00:00"),
    ("12pm", "2026-11-23T12:00"),
    ("9 o'clock", "2026-11-24T09:00"),
    ("noon", "2026-11-23T12:00"),
    ("tomorrow morning", "2026-11-24T09:00"),
    ("this evening", "2026-11-23T17:00"),
    ("tonight", "2026-11-23T18:00"),
    ("tonight at 8pm", "2026-11-23T20:00"),
    ("tomorrow evening at 7", "2026-11-24T19:00"),
    ("tomorrow at 8 in the evening", "2026-11-24T20:00"),
    ("today at 5", "2026-11-23T17:00"),
    ("in 2 hours", "2026-11-23T12:15"),
    ("in an hour", "2026-11-23T11:15"),
    ("in half an hour", "2026-11-23T10:45"),
    ("in 20 min", "2026-11-23T10:35"),
    ("in 3 days", "2026-11-26T10:15"),
    ("in two weeks", "2026-12-07T10:15"),
    ("asap", "2026-11-23T10:15"),
    ("whenever", "2026-11-23T10:15"),
    ("24/11", "2026-11-24T09:00"),
    ("22/11", "2027-11-22T09:00"),  # without a year it is never over
    ("24/11/2026 14:00", "2026-11-24T14:00"),
    ("11/24/2026", "2026-11-24T09:00"),  # no month is the 24th
    ("24.11.26", "2026-11-24T09:00"),
    ("2026-11-24 at 9:30", "2026-11-24T09:30"),
    ("24 November", "2026-11-24T09:00"),
    ("24th of November at 4pm", "2026-11-24T16:00"),
    ("November 24", "2026-11-24T09:00"),
    ("Nov 3rd", "2027-11-03T09:00"),
    ("the day after tomorrow at 10", "2026-11-25T10:00"),
    ("29/02", None),  # neither this year nor the next has one
    ("31/02", None),
    ("25:00", None),
    ("10:75", None),
    ("24/7", None),
    ("1.2.3", None),
    ("10.0.19045", None),
    ("6000-83", None),
    ("about 2 printers", None),
    ("after 3 restarts", None),
    ("good morning", None),
    ("version 2", None),
    ("I may call", None),
    ("the team", None),
    ("3", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected"), TIMES)
def test_a_time_is_read(text: str, expected: str | None) -> None:
    assert first_value("time", text, NOW) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tomorrow at 3", "2026-11-24"),
        ("3pm", None),
        ("in 2 days", "2026-11-25"),
        ("2026-11-24", "2026-11-24"),
        ("1 January", "2027-01-01"),
        ("sometime", None),
    ],
)
def test_a_date_is_read(text: str, expected: str | None) -> None:
    assert first_value("date", text, NOW) == expected


PARTS = (
    "tomorrow monday at in 3 24/11 0/0/0 99/99/9999 3pm 12 10:15 november of 31st may half an hour day after - : . "
    "9999 weeks evening tonight good"
)


@given(st.lists(st.sampled_from(PARTS.split()), max_size=8).map(" ".join) | st.text(max_size=30))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    for type_ in ("time", "date", "number", "phone", "email"):
        assert first_value(type_, text, NOW) == first_value(type_, text, NOW)
