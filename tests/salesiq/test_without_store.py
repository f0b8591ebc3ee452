"""SalesIQ while the store cannot be used: whoever asks for a person gets one, nobody else is promised anything."""

from __future__ import annotations

from typing import Any

import pytest
from tests.salesiq.test_payloads import assert_valid
from tests.salesiq.world import World, message, run

from supportbot.adapters.memory_store import MemoryStore
from supportbot.errors import StoreError
from supportbot.model.session import Session
from supportbot.server.options import Texts


class NoStore(MemoryStore):
    async def load(self, session_id: str) -> Session | None:
        raise StoreError("the disk is full")


class ReadOnly(MemoryStore):
    async def commit(self, *given: Any, **more: Any) -> None:
        raise StoreError("the disk is full")


@pytest.mark.parametrize("store", [NoStore, ReadOnly])
def test_a_person_takes_over_all_the_same(store: type[MemoryStore]) -> None:
    async def test(world: World) -> None:
        for _ in range(2):  # SalesIQ may send it again
            body = await world.post(message("talk to a person"))
            assert_valid(body)
            assert body["action"] == "forward"
        assert world.talks.store.sessions_by_id == {}  # type: ignore[attr-defined]

    run(test, store=store())


@pytest.mark.parametrize("store", [NoStore, ReadOnly])
@pytest.mark.parametrize("text", ["ticket", "call me", "survey", "better", "goodbye", "what is the meaning of blue"])
def test_everything_else_is_answered_with_an_apology(store: type[MemoryStore], text: str) -> None:
    async def test(world: World) -> None:
        body = await world.post(message(text))
        assert_valid(body)
        assert (body["action"], body["replies"]) == ("reply", [Texts().trouble])

    run(test, store=store())
