"""Every key of every kind of call missing, or of another type: always 200 with a valid action."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.salesiq.test_payloads import assert_valid
from tests.salesiq.world import World, run

HERE = Path(__file__).parent / "payloads"
KINDS = (
    "trigger_lands",
    "message_guide",
    "attachment_with_words",
    "context_questions",
    "failure_forward_1002",
    "form_select_email_date",
)
OTHERS: list[Any] = [None, "", "text", 7, -1.5, True, [], ["x", {}], {}, {"text": {"text": 1}}, "\ud800", "x" * 5000]


def paths(value: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*before, key)
            yield from paths(item, (*before, key))


def changed(payload: Any, path: tuple[str, ...]) -> Iterator[Any]:
    for other in [*OTHERS, ...]:
        made = copy.deepcopy(payload)
        place = made
        for key in path[:-1]:
            place = place[key]
        if other is ...:
            del place[path[-1]]
        else:
            place[path[-1]] = other
        yield made


@pytest.mark.parametrize("kind", KINDS)
def test_any_key_may_be_missing_or_of_another_type(kind: str) -> None:
    calls = [call["request"] for call in json.loads((HERE / f"{kind}.json").read_text("utf-8"))["calls"]]
    payload = calls[-1]

    async def test(world: World) -> None:
        for path in paths(payload):
            for made in changed(payload, path):
                answer = await world.post(made)
                assert_valid(answer)
                if made.get("handler") == "failure":
                    assert answer["action"] != "forward"

    run(test)


BODIES = [
    b"",
    b"   ",
    b"null",
    b"[]",
    b'"text"',
    b"{",
    b"\xff\xfe",
    b"\x00",
    b'{"handler": NaN}',
    b"[" * 5000,
    b'{"a":' * 3000,
    b"<html>",
]


@pytest.mark.parametrize("body", BODIES, ids=[repr(body[:12]) for body in BODIES])
def test_any_bytes_are_answered(body: bytes) -> None:
    async def test(world: World) -> None:
        headers = {"Accept": "text/html", "Content-Type": "text/plain"}
        async with world.client.post(world.url, data=body, headers=headers) as answer:
            assert (answer.status, answer.content_type) == (200, "application/json")
            assert_valid(await answer.json())

    run(test)
