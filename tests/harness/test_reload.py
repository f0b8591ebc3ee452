"""The short form of the reload storm."""

from __future__ import annotations

from tests.harness.reload import run


def test_reloads_cost_no_request_and_mix_no_answer() -> None:
    outcome = run(reloads=4, rate=50)
    assert outcome.faults == []
    assert outcome.refused == 1
    assert outcome.revisions >= 3
