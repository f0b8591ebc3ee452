"""A message that is delivered twice is answered once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runtime.desk_bot import desk_bot
from tests.runtime.fakes import MONDAY, FakeActions, FakeClock, FakeModel, conversations

from supportbot.adapters.memory_store import MemoryStore
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.errors import StoreError
from supportbot.model.bot import Bot
from supportbot.model.session import Message, Session
from supportbot.runtime.attempt import GUESSED
from supportbot.runtime.ports import ActionResult, ModelAnswer, Record, Store, StoredReply
from supportbot.runtime.results import TurnResult

MakeStore = Callable[[], Store]


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    return desk_bot(tmp_path_factory.mktemp("bot"))


@pytest.fixture(params=["memory", "sqlite", "sqlite kept in memory"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    keep = 100 if "memory" in request.param else 0
    return MemoryStore if request.param == "memory" else lambda: SQLiteStore(tmp_path / "s.db", keep=keep)


def message(message_id: str, text: str = "please open a ticket", session_id: str = "s1") -> Message:
    return Message(message_id, session_id, text, "chat", MONDAY)


def body(result: TurnResult) -> bytes:
    return f"{result.session.turns} {result.reply.text} {id(result)}".encode()


def test_fifty_copies_at_once_have_one_effect_and_one_body(bot: Bot, make_store: MakeStore) -> None:
    async def run() -> None:
        store, actions = make_store(), FakeActions(ActionResult(True, {"ticket_number": "T-9"}))
        talk = conversations(bot, store, actions=actions)
        answers = await asyncio.gather(*(talk.answer(message("m1"), f"r{n}", body) for n in range(50)))
        assert len({answer.body for answer in answers}) == 1
        assert sum(answer.result is not None for answer in answers) == 1
        assert len(actions.scopes) == 1
        assert len(await store.records("s1")) == 1
        await store.close()

    asyncio.run(run())


def test_the_answer_is_the_same_after_more_turns_and_a_restart(bot: Bot, tmp_path: Path) -> None:
    async def run() -> None:
        bodies = {}
        for keep in (0, 100):
            store = SQLiteStore(tmp_path / "s.db", keep=keep)
            talk = conversations(bot, store)
            for number in range(5):
                answer = await talk.answer(message(f"m{number}", "printer offline"), "", body)
                assert bodies.setdefault(number, answer.body) == answer.body
            await store.close()
        assert len(set(bodies.values())) == 5

    asyncio.run(run())


def test_another_session_or_another_id_is_another_message(bot: Bot, make_store: MakeStore) -> None:
    async def run() -> None:
        store = make_store()
        talk = conversations(bot, store)
        first = await talk.answer(message("m1"), "", body)
        other = await talk.answer(message("m1", session_id="s2"), "", body)
        later = await talk.answer(message("m2"), "", body)
        assert first.result is not None
        assert other.result is not None
        assert later.result is not None
        assert later.result.session.turns == 2
        await store.close()

    asyncio.run(run())


def test_a_guessed_id_is_known_for_minutes_and_a_given_one_for_days(bot: Bot, make_store: MakeStore) -> None:
    async def run() -> None:
        store, clock = make_store(), FakeClock()
        talk = conversations(bot, store, clock=clock)
        for message_id in ("given", f"{GUESSED}made"):
            await talk.answer(message(message_id), "", body)
        clock.wait(minutes=9)
        assert (await talk.answer(message(f"{GUESSED}made"), "", body)).result is None
        clock.wait(minutes=2)
        assert (await talk.answer(message(f"{GUESSED}made"), "", body)).result is not None
        clock.wait(hours=75)
        assert (await talk.answer(message("given"), "", body)).result is None
        clock.wait(hours=2)
        assert (await talk.answer(message("given"), "", body)).result is not None
        await store.close()

    asyncio.run(run())


def test_a_turn_that_failed_may_be_repeated(bot: Bot) -> None:
    class FullStore(MemoryStore):
        full = True

        async def commit(self, session: Session, *rest: Record | StoredReply | None) -> None:
            if self.full:
                raise StoreError("the disk is full")
            await super().commit(session, *rest)  # type: ignore[arg-type]

    async def run() -> None:
        store = FullStore()
        talk = conversations(bot, store)
        with pytest.raises(StoreError):
            await talk.answer(message("m1", "printer offline"), "", body)
        store.full = False
        answer = await talk.answer(message("m1", "printer offline"), "", body)
        assert answer.result is not None
        assert answer.result.session.turns == 1

    asyncio.run(run())


def test_two_processes_with_the_same_message_give_the_same_body(bot: Bot, tmp_path: Path) -> None:
    async def run() -> None:
        stores = [SQLiteStore(tmp_path / "s.db") for _ in range(2)]
        talks = [conversations(bot, store) for store in stores]
        for number in range(20):
            turn = message(f"m{number}", "printer offline")
            answers = await asyncio.gather(*(talk.answer(turn, "", body) for talk in talks))
            assert answers[0].body == answers[1].body
        assert len(await stores[0].records("s1")) == 20
        for store in stores:
            await store.close()

    asyncio.run(run())


def test_what_a_time_out_said_comes_in_front_of_the_next_reply(bot: Bot, make_store: MakeStore) -> None:
    async def run() -> None:
        store, clock = make_store(), FakeClock()
        talk = conversations(bot, store, FakeModel(ModelAnswer("A model's answer.", "m")), clock=clock)
        await talk.take(message("m1", "printer offline"))
        clock.wait(minutes=11)
        assert (await talk.silence("s1")) is not None
        result = await talk.take(message("m2", "printer offline"))
        assert result.reply.texts[0].text == "Are you still there?"
        assert len(result.reply.texts) == 2
        clock.wait(minutes=11)
        result = await talk.take(message("m3", "printer offline"))
        assert result.reply.texts[0].text == "Are you still there?"
        result = await talk.take(message("m4", "printer offline"))
        assert "Are you still there?" not in result.reply.text
        await store.close()

    asyncio.run(run())


def test_a_conversation_that_was_left_alone_ends_and_the_next_message_begins_a_new_one(
    bot: Bot, make_store: MakeStore
) -> None:
    async def run() -> None:
        store, clock = make_store(), FakeClock()
        talk = conversations(bot, store, clock=clock)
        await talk.take(message("m1", "please open a ticket"))
        clock.wait(minutes=31)
        result = await talk.take(message("m2", "printer offline"))
        assert result.session.turns == 1
        assert [record.result for record in await store.records("s1")] == ["", "abandoned", ""]
        assert result.record is not None
        assert result.record.opening
        await store.close()

    asyncio.run(run())
