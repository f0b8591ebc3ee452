"""Calls in the shape that SalesIQ documents, and the exact body that answers each of them.

The files of payloads/ hold one conversation each. Their values are invented.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.salesiq.world import World, run

PAYLOADS = sorted((Path(__file__).parent / "payloads").glob("*.json"))
ACTIONS = {"reply", "forward", "end", "pending", "context", "operator_busy", "block"}


def test_there_are_enough() -> None:
    assert len(PAYLOADS) >= 40


@pytest.mark.parametrize("file", PAYLOADS, ids=lambda file: str(file.stem))
def test_payload(file: Path) -> None:
    talk = json.loads(file.read_text("utf-8"))

    async def test(world: World) -> None:
        for call in talk["calls"]:
            answer = await world.post(call["request"])
            assert answer == call["response"]
            assert_valid(answer)

    run(test, at=datetime.fromisoformat(talk["at"]))


def assert_valid(body: dict[str, Any]) -> None:
    """What SalesIQ accepts, as far as it is documented."""
    assert body["action"] in ACTIONS
    if body["action"] != "context":
        assert body["replies"]
    assert all(isinstance(text, str) and text.strip() for text in body.get("replies", []))
    assert not ("input" in body and "suggestions" in body)
    assert all(isinstance(text, str) and 0 < len(text) <= 80 for text in body.get("suggestions", []))
    assert not ("department" in body and "operators" in body)
    if body["action"] == "end" and "delay" in body:
        assert 30 <= int(body["delay"]) <= 10_800
