"""Business hours: open or not, and when next."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from supportbot.decision.hours import is_open, next_open, spoken, week
from supportbot.model.bot import Hours

LONDON = ZoneInfo("Europe/London")
DAY = (time(9), time(17, 30))
HOURS = Hours(
    LONDON,
    {0: (DAY,), 1: ((time(13), time(17)), (time(9), time(12))), 4: (DAY,), 6: (DAY,)},
    frozenset([date(2026, 12, 25), date(2026, 11, 27)]),
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23T08:59:59", False),
        ("2026-11-23T09:00", True),
        ("2026-11-23T17:29:59", True),
        ("2026-11-23T17:30", False),
        ("2026-11-24T12:30", False),  # between two intervals
        ("2026-11-24T13:00", True),
        ("2026-11-25T10:00", False),  # a day without hours
        ("2026-11-27T10:00", False),  # a holiday
        ("2026-07-06T08:00", True),  # in summer 09:00 in London
        ("2026-07-06T16:30", False),
    ],
)
def test_it_is_open(moment: str, expected: bool) -> None:
    assert is_open(HOURS, utc(moment)) is expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23T10:00", "2026-11-23T10:00:00+00:00"),  # now
        ("2026-11-23T06:00", "2026-11-23T09:00:00+00:00"),
        ("2026-11-23T18:00", "2026-11-24T09:00:00+00:00"),  # the earlier of two, however they are written
        ("2026-11-24T12:15", "2026-11-24T13:00:00+00:00"),
        ("2026-11-24T17:00", "2026-11-29T09:00:00+00:00"),  # past the holiday
        ("2026-03-28T12:00", "2026-03-29T09:00:00+01:00"),  # the clocks go forward that night
        ("2026-10-24T20:00", "2026-10-25T09:00:00+00:00"),  # ... and back
    ],
)
def test_the_next_opening(moment: str, expected: str) -> None:
    found = next_open(HOURS, utc(moment))
    assert found is not None
    assert found.isoformat() == expected


def test_a_desk_that_never_opens() -> None:
    never = Hours(LONDON, {}, frozenset())
    assert next_open(never, utc("2026-11-23T10:00")) is None
    assert spoken(None, utc("2026-11-23T10:00")) == ""


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23T15:00", "today at 15:00"),
        ("2026-11-24T09:00", "tomorrow at 09:00"),
        ("2026-11-29T09:00", "Sunday at 09:00"),
        ("2026-11-30T09:00", "Monday 30 November at 09:00"),
    ],
)
def test_an_opening_is_spoken(moment: str, expected: str) -> None:
    assert spoken(datetime.fromisoformat(moment).replace(tzinfo=LONDON), utc("2026-11-23T10:00")) == expected


@pytest.mark.parametrize(
    ("days", "text"),
    [
        ({}, ""),
        ({2: (DAY,)}, "Wednesday 09:00-17:30"),
        ({0: (DAY,), 1: (DAY,)}, "Monday and Tuesday 09:00-17:30"),
        (
            dict.fromkeys(range(4), (DAY,)) | {4: ((time(13), time(17)), (time(9), time(12))), 6: (DAY,)},
            "Monday to Thursday 09:00-17:30, Friday 09:00-12:00 and 13:00-17:00, Sunday 09:00-17:30",
        ),
    ],
)
def test_the_hours_of_the_week(days: dict[int, tuple[tuple[time, time], ...]], text: str) -> None:
    assert week(Hours(LONDON, days, frozenset())) == text
