"""The short form of the outages: an outage of each kind, for a moment."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from tests.harness.outage_world import table
from tests.harness.outages import short


@pytest.mark.skipif(sys.platform != "linux", reason="a process is kept from writing by a limit that Linux has")
def test_webhooks_are_answered_in_every_outage_and_the_server_recovers_by_itself(tmp_path: Path) -> None:
    rows = asyncio.run(short(tmp_path))
    assert [fault for row in rows for fault in row.faults] == [], "\n" + table(rows)
    assert len(rows) == 6
