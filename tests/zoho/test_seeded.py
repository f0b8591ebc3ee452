"""A short run of seeded.py; the long one is ``python -m tests.zoho.seeded 1000``."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.zoho.seeded import run

SEED = 4711  # the long run takes any


def test_no_ticket_is_lost_none_is_doubled_and_nobody_is_told_what_is_not_so(tmp_path: Path) -> None:
    report = asyncio.run(run(80, SEED, tmp_path))
    print(report)
    assert (report.lost, report.doubled, report.lies) == ([], [], []), str(report)
    assert (report.violations, report.leaks) == ([], []), str(report)
    assert sum(report.faults.values()) > 20
