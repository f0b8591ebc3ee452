"""Mistakes in a regular expression: the place inside it, in words, with what to do."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from supportbot.compiler.regexes import explain_regex


def complaint(source: str) -> str | None:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(source, options)
    except re2.error as reason:
        text = reason.args[0]
        return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return None


@pytest.mark.parametrize(
    ("source", "marked", "what"),
    [
        (r"a(b", "(", "never closed"),
        (r"\(a(b[)]", "(", "never closed"),
        (r"a)b", ")", "closes nothing"),
        (r"a[bc", "[", "never closed"),
        (r"*a", "*", "nothing stands before *"),
        (r"a**", "**", "repeats what is repeated"),
        (r"a{3,2}", "{3,2}", "from more to less"),
        (r"a\y", r"\y", "means nothing"),
        (r"[z-a]", "z-a", "runs backwards"),
        (r"a(?=b)", "(?=", "look-around"),
        (r"a(?<!b)c", "(?<", "look-around"),
        (r"(a)\1", r"\1", "a reference back"),
        ("a\\", None, "ends with a backslash"),
    ],
)
def test_each_mistake_is_found_where_it_is(source: str, marked: str | None, what: str) -> None:
    message = complaint(source)
    assert message is not None
    spot, said, hint = explain_regex(source, message)
    assert what in said
    assert hint
    found = source[spot[0] : sum(spot)] if spot else None
    assert found is None if marked is None else (found or "").startswith(marked)


@given(st.text(st.sampled_from("ab()[]{}*+?|\\^$.-1,=<!P"), max_size=12))
def test_any_complaint_is_explained(source: str) -> None:
    message = complaint(source)
    if message is not None:
        spot, said, hint = explain_regex(source, message)
        assert said
        assert hint
        assert spot is None or 0 <= spot[0] < sum(spot) <= len(source)
