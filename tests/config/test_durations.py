"""Durations as people write them."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot import resources
from supportbot.config.durations import LONGEST, seconds


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("8s", 8),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86_400),
        ("0.5s", 0.5),
        ("1.5 h", 5400),
        ("0s", 0),
        (90, 90),
        (1.5, 1.5),
        (0, 0),
    ],
)
def test_durations(written: object, length: float) -> None:
    assert seconds(written) == length


@pytest.mark.parametrize(
    "written",
    [
        "",
        "s",
        "8",
        "8 s s",
        "-8s",
        "1h30m",
        "8S",
        " 8s",
        "8s\n",
        "٨s",
        "1e3s",
        "9999999d",
        -1,
        math.nan,
        math.inf,
        True,
        None,
        [8],
        "9" * 5000 + "s",
    ],
)
def test_what_is_no_duration(written: object) -> None:
    assert seconds(written) is None


@given(
    st.one_of(
        st.text(max_size=8),
        st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,3})? ?[smhd]", fullmatch=True),
        st.integers(),
        st.floats(),
    )
)
def test_a_duration_is_a_length_that_dates_can_take_or_nothing(written: object) -> None:
    length = seconds(written)
    assert length is None or 0 <= length <= LONGEST


@given(st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3})? ?[smhd]", fullmatch=True))
def test_editors_take_what_the_engine_takes(written: str) -> None:
    schema = json.loads((resources.schemas() / "conversations.json").read_text("utf-8"))
    wait = schema["properties"]["conversations"]["items"]["properties"]["steps"]["items"]["properties"]["wait"]
    assert re.search(wait["pattern"], written)
    assert seconds(written) is not None
