"""The short form of the reload storm."""

from __future__ import annotations

from tests.harness.reload import WAYS, run


def test_reloads_cost_no_request_and_mix_no_answer() -> None:
    outcome = run(reloads=6, rate=40)
    assert outcome.faults == []
    assert outcome.refused == 2
    assert set(outcome.triggers) == set(WAYS)
    assert len(outcome.revisions) >= 3
    assert outcome.answered == outcome.requests > 0
    assert outcome.marks > outcome.answered / 2
