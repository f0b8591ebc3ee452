"""Phone numbers, addresses and ratings as answers to a question."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.decision.contacts import address, phone
from supportbot.decision.entities import Reading
from supportbot.decision.ratings import rating

NOW = Reading(datetime(2026, 11, 23, 10, 15, tzinfo=ZoneInfo("Europe/London")))


@pytest.mark.parametrize(
    ("text", "regions", "number"),
    [
        ("020 7946 0123", ("GB",), "+442079460123"),
        ("it's 07911 123456, thanks", ("GB",), "+447911123456"),
        ("+44 (0)20 7946 0123", (), "+442079460123"),
        ("(212) 555-0123", ("US", "GB"), "+12125550123"),
        ("020 7946 0123", ("US", "GB"), "+442079460123"),
        ("020 7946 0123 ext. 12", ("GB",), "+442079460123 ext. 12"),
        ("call 020 7946 0123 extension 12", ("GB",), "+442079460123 ext. 12"),
        ("0 20 7946-0123", ("GB",), "+442079460123"),
        ("030 123456", ("DE",), "+4930123456"),
        ("020 7946 0123", (), "02079460123"),
        ("1234567", ("GB",), None),
        ("12345", ("GB",), None),
        ("+999 1234567", (), None),
        ("4111 1111 1111 1111", ("GB",), None),
        ("purple", ("GB",), None),
        ("", ("GB",), None),
        ("error 0x80070005", ("GB",), None),
    ],
)
def test_phone(text: str, regions: tuple[str, ...], number: str | None) -> None:
    assert phone(text, NOW, regions) == number


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("jane@example.com", "jane@example.com"),
        ("my mail is Jane.Roe@Example.COM, thanks", "Jane.Roe@example.com"),
        ("<mailto:jane@example.com>", "jane@example.com"),
        ("jane at example dot com", "jane@example.com"),
        ("it is jane at mail dot example dot co dot uk", "jane@mail.example.co.uk"),
        ("zoe(at)example.com", "zoe@example.com"),
        ("zoe [at] example [dot] com", "zoe@example.com"),
        ("zoe (AT) example dot com please", "zoe@example.com"),
        ("jürgen@exämple.de", "jürgen@exämple.de"),
        ("jane..roe@example.com", None),
        ("jane@example", None),
        ("jane@-example.com", None),
        ("jane@localhost", None),
        ("meet me at the dot", None),
        ("jane", None),
        ("", None),
    ],
)
def test_address(text: str, made: str | None) -> None:
    assert address(text) == made


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        (":rating-angry:", 1),
        (":rating-excited:", 5),
        ("4", 4),
        ("4/5", 4),
        ("3 stars", 3),
        ("⭐⭐⭐", 3),
        ("👍", 5),
        ("👎🏽", None),
        ("6", None),
        ("0", None),
        ("great", None),
        ("I waited for 4 hours and nobody came", None),
    ],
)
def test_rating(text: str, mark: int | None) -> None:
    assert rating(text, asked=True) == mark


def test_a_number_in_passing_is_no_rating() -> None:
    assert rating("4", asked=False) is None
    assert rating("well :rating-sad:", asked=False) == 2


@given(st.text(max_size=300))
def test_any_text_gives_a_value_or_none(text: str) -> None:
    for found in (phone(text, NOW, ("GB", "US")), phone(text, NOW, ()), address(text), rating(text, True)):
        assert found is None or str(found).strip()
