"""Whoever is erased is gone: from the answers, from the figures' texts, and from the bytes of the files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.runtime.desk_bot import desk_bot
from tests.runtime.fakes import MONDAY, conversations

from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.model.bot import Bot
from supportbot.model.session import Message
from supportbot.runtime.results import TurnResult

CANARY = b"Quetzalcoatl"


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    return desk_bot(tmp_path_factory.mktemp("bot"))


def body(result: TurnResult) -> bytes:
    return b'{"said": "' + CANARY + b'"}'


def files_with_canary(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if CANARY in path.read_bytes()]


@pytest.mark.parametrize("keep", [0, 100])
def test_nothing_of_an_erased_person_stays_in_any_file(bot: Bot, tmp_path: Path, keep: int) -> None:
    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db", keep=keep)
        talks = conversations(bot, store)
        for number in range(40):  # enough that pages are split and freed
            text = f"my printer is offline says {CANARY.decode()} {'x' * number}"
            visitor = {"name": CANARY.decode(), "email": f"{CANARY.decode()}@example.com"}
            await talks.answer(Message(f"m{number}", "s1", text, "chat", MONDAY, visitor), "", body)
            await talks.answer(Message(f"m{number}", "s2", "goodbye", "chat", MONDAY), "", lambda _: b"{}")
        assert files_with_canary(tmp_path), "the test looks where the data is"
        assert await talks.erase("s1")
        assert files_with_canary(tmp_path) == []
        assert await store.load("s1") is None
        assert not await store.records("s1")
        assert not await talks.erase("s1")
        assert len(await store.records("s2")) == 40
        answer = await talks.answer(Message("m0", "s1", "goodbye", "chat", MONDAY), "", lambda _: b"new")
        assert answer.body == b"new", "the stored reply is gone as well"
        await store.close()
        assert files_with_canary(tmp_path) == []

    asyncio.run(run())


def test_the_log_is_emptied_even_while_somebody_reads(bot: Bot, tmp_path: Path) -> None:
    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db")
        talks = conversations(bot, store)
        await talks.answer(Message("m", "s1", CANARY.decode(), "chat", MONDAY), "", body)
        await asyncio.gather(*(store.figures() for _ in range(5)), talks.erase("s1"))
        await store.close()
        assert files_with_canary(tmp_path) == []

    asyncio.run(run())


def test_an_erasure_disturbs_no_turn_of_others(bot: Bot, tmp_path: Path) -> None:
    """The log is emptied outside the transaction that jobs of the same moment share."""

    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db", keep=100)
        talks = conversations(bot, store)

        async def others(name: str) -> None:
            for number in range(40):
                await talks.take(Message(f"m{number}", name, "goodbye", "chat", MONDAY))

        async def erasures() -> None:
            for number in range(10):
                await talks.take(Message(f"m{number}", "s1", "goodbye", "chat", MONDAY))
                assert await talks.erase("s1")

        await asyncio.gather(erasures(), *(others(f"o{number}") for number in range(10)))
        await store.close()

    asyncio.run(run())
