"""What a record adds to the counters, and what many records add together."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from supportbot.runtime.ports import Record
from supportbot.runtime.tallies import add_tallies, labels, tallies_of

RECORD = Record(
    "1", "s1", "m1", "r1", datetime(2026, 11, 23, tzinfo=UTC), "abc", "chat", "hello", "Hi", "open", "open", "printing",
    "printer_offline", "guide", elapsed=0.25, day="2026-11-23", saved=70,
)  # fmt: skip
USUAL = {
    ("messages", labels("chat", "rule")): 1,
    ("hits", labels("printer_offline", "printing")): 1,
    ("turn_bucket", labels("rule", "0.25")): 1,
    ("turn_seconds", "rule"): 0.25,
    ("saved", ""): 70,
}
names = st.sampled_from(("", "a", "b", "llm", "greeting", "timeout"))
numbers = st.integers(0, 2)
records = st.builds(
    Record, *(st.just("x") for _ in range(4)), st.just(RECORD.at), names, names, names, names, names, names, names,
    names, names, model=names, tokens_in=numbers, tokens_out=numbers, error=names,
    elapsed=st.sampled_from((0.0, 0.001, 0.5, 99.0)), day=names, opening=st.booleans(), result=names,
    cost=st.sampled_from((0.0, 0.25)), saved=numbers,
)  # fmt: skip


def test_a_usual_turn() -> None:
    assert tallies_of(RECORD) == USUAL
    assert tallies_of(replace(RECORD, saved=0, elapsed=11.0)) == {
        ("messages", labels("chat", "rule")): 1,
        ("hits", labels("printer_offline", "printing")): 1,
        ("turn_bucket", labels("rule", "+Inf")): 1,
        ("turn_seconds", "rule"): 11.0,
    }


def test_a_turn_that_opens_and_ends_a_conversation() -> None:
    assert tallies_of(replace(RECORD, opening=True, next_state="closed", result="resolved")) == {
        **USUAL,
        ("opened", "chat"): 1,
        ("states", "closed"): 1,
        ("closed", labels("resolved", "printing")): 1,
    }


def test_a_turn_of_the_model() -> None:
    asked = replace(RECORD, kind="llm", model="m/x", tokens_in=30, tokens_out=40, cost=0.5, saved=0)
    assert tallies_of(asked) == {
        ("messages", labels("chat", "llm")): 1,
        ("hits", labels("printer_offline", "printing")): 1,
        ("turn_bucket", labels("llm", "0.25")): 1,
        ("turn_seconds", "llm"): 0.25,
        ("calls", labels("m/x", "ok")): 1,
        ("tokens_in", "m/x"): 30,
        ("tokens_out", "m/x"): 40,
        ("day_tokens", "2026-11-23"): 70,
        ("cost", "m/x"): 0.5,
        ("day_cost", "2026-11-23"): 0.5,
    }
    failed = tallies_of(replace(asked, error="timeout"))
    assert failed["calls", labels("m/x", "timeout")] == failed["messages", labels("chat", "fallback")] == 1


def test_a_silence_is_no_message() -> None:
    silence = replace(RECORD, kind="timeout", handler="timeout", next_state="closed", result="abandoned")
    assert tallies_of(silence) == {("states", "closed"): 1, ("closed", labels("abandoned", "printing")): 1}


@given(st.lists(records, max_size=6))
def test_many_add_up_to_the_sum_of_each(some: list[Record]) -> None:
    together: dict[tuple[str, str], float] = {}
    for record in some:
        add_tallies(together, record)
    each: Counter[tuple[str, str]] = Counter()
    for record in some:
        each.update(tallies_of(record))  # type: ignore[arg-type]  # a Counter of floats
    assert together == dict(each)
