"""Regexes as trees, and what is odd about them."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from supportbot.diagnostics import Place
from supportbot.model.index import Pattern, Use
from supportbot.proofs.regex_tree import parse
from supportbot.proofs.regexes import findings_of


def codes(source: str) -> list[str]:
    pattern = Pattern(0, source, Use(0, "any", 0), None, False, True, Place("handlers.yaml"))
    return [f"{item.code} {item.hint}" for item in findings_of(pattern)][:1]


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        (r"\bvpn\b", 'write the phrase: "vpn"'),
        (r"\b(vpn|remote desktop)\b", 'write the phrase: "(vpn|remote desktop)"'),
        (r"\bremote\s+(desktop|app)\b", 'write the phrase: "remote (desktop|app)"'),
    ],
)
def test_words_are_better_said_by_a_phrase(source: str, hint: str) -> None:
    assert codes(source) == [f"regex-for-phrase {hint}"]


@pytest.mark.parametrize("source", [r"vpn$ now", r"now ^vpn", r"(a|b$)c^", r"\d+\A", r"(?:x|y)^"])
def test_an_anchor_in_the_middle_never_holds(source: str) -> None:
    assert codes(source)[0].startswith("regex-never-matches")
    assert all(re2.search(source, text) is None for text in ("vpn", "vpn now", "now vpn", "abc", "1", "x"))


@pytest.mark.parametrize(
    "source",
    [
        r"h\d{3}",
        r"^\W*(?:yes|no)\b.{0,40}$",
        r"(^a|b$)",
        r"(?:a$)?b",
        r"(?P<code>\d+)+",
        r"(?:x\W+){0,3}y+",
        r"error[ -]?\d+",
        r"\bjam{2,}ed\b",
        r"[]^$]a",
        r"a\$b",
        r"\b(re)?boot\b",
    ],
)
def test_nothing_is_said_about_other_regexes(source: str) -> None:
    assert codes(source) == []


@given(st.text(alphabet="ab^$.*+?{}()[]|\\dbwA1,:<P>", max_size=14))
def test_any_text_can_be_read(source: str) -> None:
    parse(source)
    codes(source)
