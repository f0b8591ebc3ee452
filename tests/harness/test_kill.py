"""The short form of the kill harness."""

from __future__ import annotations

import random

from tests.harness.kill import run


def test_nothing_is_lost_and_nothing_happens_twice_when_the_server_is_killed() -> None:
    seed = random.randrange(1_000_000)
    outcome = run(kills=4, clients=8, seed=seed)
    assert outcome.faults == [], f"seed {seed}"
    assert outcome.answered > 50
    assert outcome.repeated > 0, "kills met turns in work"
