"""Suggestions on small screens, and which one an answer means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.decision.suggestions import SMALL, meant, shorten

MENU = (
    "A notebook that was bought this year",
    "A notebook that was bought last year",
    "A second hand notebook",
    "A desktop",
)


def test_what_looks_alike_carries_its_number() -> None:
    assert shorten(MENU, 10, SMALL) == (
        "1 A notebook that w…",
        "2 A notebook that w…",
        "A second hand noteb…",
        "A desktop",
    )
    assert shorten(MENU, 2, SMALL) == ("1 A notebook that w…", "2 A notebook that w…")
    assert shorten(MENU, 10, 80) == MENU


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("A desktop", 3),
        ("a DESKTOP.", 3),
        ("4", 3),
        ("4.", 3),
        ("#2", 1),
        ("\uff12", 1),
        ("\uff12\uff0e", 1),
        ("option \uff11", 0),
        ("option 1", 0),
        ("2 A notebook that w…", 1),
        ("2 A notebook that w", 1),
        ("A second hand noteb…", 2),
        ("A second hand noteb", 2),
        ("A second hand notebo", 2),
        ("a second hand...", 2),
        ("5", None),
        ("0", None),
        ("A notebook that was", None),
        ("a notebook...", None),
        ("something else", None),
        ("", None),
    ],
)
def test_what_is_meant(text: str, label: int | None) -> None:
    assert meant(text, MENU) == (None if label is None else MENU[label])


def test_nothing_offered_means_nothing() -> None:
    assert meant("1", ()) is None


LABELS = st.lists(st.text(min_size=1, max_size=60).filter(str.strip), min_size=1, max_size=9, unique_by=str.casefold)


@given(LABELS)
def test_what_is_shown_is_short_and_unique(labels: list[str]) -> None:
    shown = shorten(labels, 10, SMALL)
    assert all(len(label) <= SMALL for label in shown)
    assert len(shown) == len(labels)


@given(LABELS, st.text(max_size=80))
def test_any_answer_means_one_of_them_or_none(labels: list[str], text: str) -> None:
    assert meant(text, labels) in (None, *labels)
