"""E-mail addresses, phone numbers and numbers, and what only looks like them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.decision.entities import Reading, first_value, read_values
from supportbot.model.text import tokens

NOW = Reading(datetime(2026, 11, 23, 10, 15, tzinfo=ZoneInfo("Europe/London")))

PHONES = [
    ("07911 123456", "07911123456"),
    ("call me on 07911123456.", "07911123456"),
    ("+44 20 7946 0018", "+442079460018"),
    ("+44 (0)20 7946 0018", "+442079460018"),
    ("+420 (0)221 123 456", "+420221123456"),
    ("(555) 123-4567", "5551234567"),
    ("555-123-4567", "5551234567"),
    ("555.123.4567", "5551234567"),
    ("030/1234567", "0301234567"),
    ("01 23 45 67 89", "0123456789"),
    ("020 7946 0018, after 3pm", "02079460018"),
    ("07911123456 02079460018", "07911123456"),
    ("my number is 07911 123456", "07911123456"),
    ("6000-83", None),
    ("error -6000, -83", None),
    ("error -6000 -301 -12", None),
    ("error code 6000 301 22", None),
    ("H202", None),
    ("3371", None),
    ("0x80070035", None),
    ("2026-11-24", None),
    ("24/11/2026", None),
    ("2019/2021", None),
    ("2019 2020 2021", None),
    ("10:15", None),
    ("10.0.19045", None),
    ("192.168.10.120", None),
    ("16.0.17928.20114", None),
    ("4111 1111 1111 1111", None),
    ("ticket 12345678", None),
    ("order number 12345678", None),
    ("the case number is 12345678", None),
    ("12345", None),
    ("1234567890123456", None),
    ("+", None),
    ("(----)", None),
]


@pytest.mark.parametrize(("text", "expected"), PHONES)
def test_a_phone_number_is_read(text: str, expected: str | None) -> None:
    assert first_value("phone", text, NOW) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jane@example.com", "jane@example.com"),
        ("It is jane.doe+x@mail.example.co.uk.", "jane.doe+x@mail.example.co.uk"),
        ("<jane@example.com>,", "jane@example.com"),
        ("mailto:jane@example.com", "jane@example.com"),
        ("e-mail:jane@example.com;", "jane@example.com"),
        ("Jane<jane@example.com>", "jane@example.com"),
        ("jane@example", None),
        ("@jane", None),
        ("jane@", None),
        ("a@b@example.com", None),
        ("jane@1.2.3.4", None),
        ("jane@-.com", None),
        ("jane at example dot com", None),
        ("x" * 250 + "@example.com", None),
    ],
)
def test_an_address_is_read(text: str, expected: str | None) -> None:
    assert first_value("email", text, NOW) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("42", 42),
        ("-3", -3),
        ("1,250.50", 1250.5),
        ("$20", 20),
        ("£20", 20),
        ("room 12, please", 12),
        ("0", 0),
        ("10.0.1", None),
        ("H202", None),
        ("²", None),
        ("٣", None),
        ("1.٣", None),
        ("9" * 16, None),
        (",", None),
        ("-", None),
    ],
)
def test_a_number_is_read(text: str, expected: float | None) -> None:
    assert first_value("number", text, NOW) == expected


PARTS = ["a@b.de", "?", "?x", "e", "mail", "wi", "fi", "07911", "123456", "don't", "24/11", "é"]


@given(st.text() | st.lists(st.sampled_from(PARTS)).map(" ".join))
def test_values_stand_at_words_of_the_message(text: str) -> None:
    words = tokens(text)
    for start, values in read_values(text, words, NOW).items():
        assert all(0 <= start < end <= len(words) for _, end, _ in values)


@pytest.mark.parametrize(
    "text", ["my e mail is a@b.de ?", "what ?? wi fi mail a@b.de", "?so a@b.de", "so ?? ? a@b.de ?"]
)
def test_question_marks_and_joined_words_do_not_hide_a_value(text: str) -> None:
    words = tokens(text)
    assert [(start, end) for start, found in read_values(text, words, NOW).items() for _, end, _ in found] == [
        (words.index("a"), words.index("de") + 1)
    ]
