"""Findings, whatever texts they are about."""

from __future__ import annotations

from supportbot.diagnostics import MAX_HINT, MAX_MESSAGE, Place, Related, correction, did_you_mean, error

PLACE = Place("handlers.yaml")


def test_a_finding_repeats_little_of_a_long_text() -> None:
    finding = error(
        "failing-example",
        PLACE,
        f"the example '{'long ' * 20_000}' fails",
        "write " + "a" * 5_000,
        Related(PLACE, "b" * 5_000),
    )
    assert len(finding.message) <= MAX_MESSAGE
    assert finding.message.startswith("the example 'long long")
    assert finding.message.endswith("long ' fails")
    assert len(finding.hint) <= MAX_HINT
    assert len(finding.related[0].message) <= MAX_MESSAGE


def test_short_ones_stay_as_they_are() -> None:
    message = "m" * MAX_MESSAGE
    assert error("code", PLACE, message, "mend it").message == message


def test_endless_names_are_not_compared() -> None:
    """Comparing two names takes the product of their lengths."""
    name = "q" * 100_000
    assert len(did_you_mean(name, [name + "r", "short"])) < 200
    assert correction(PLACE, name, [name + "r"]) is None
    assert did_you_mean("shrot", [name, "short"]) == "did you mean 'short'?"
