"""The short way of the usual turn does what the long way does, and leaves everything else to it."""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.runtime.desk_bot import desk_bot
from tests.runtime.fakes import FakeActions, FakeClock, FakeModel, conversations

from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.errors import StoreError
from supportbot.model.bot import Bot
from supportbot.model.session import Message, Session
from supportbot.runtime.attempt import Asked
from supportbot.runtime.conversation import Conversations
from supportbot.runtime.ports import ActionResult, Record
from supportbot.runtime.results import Answer, TurnResult
from supportbot.server.options import ServerOptions
from supportbot.server.service import Service
from supportbot.server.turns import settle

SAID = st.sampled_from(
    ["my printer is offline", "my details", "open a ticket", "goodbye", "yes", "no", "what", "", "a@b.co", "card 4111 1111 1111 1111"]
)  # fmt: skip


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    return desk_bot(tmp_path_factory.mktemp("bot"))


def body(result: TurnResult) -> bytes:
    return f"{result.session.turns} {result.session.state} {result.reply.text}".encode()


class Talk:
    """Conversations over a file, whose sessions stay in memory. ``short`` False: the short way is never tried."""

    def __init__(self, bot: Bot, path: Path, short: bool = True) -> None:
        self.clock = FakeClock()
        self.store = SQLiteStore(path, keep=100)
        done = FakeActions(ActionResult(True, {"ticket_number": "T-9"}))
        self.conversations: Conversations = conversations(bot, self.store, FakeModel(), done, self.clock)
        self.short = short
        self.taken = 0  # turns that took the short way

    async def say(self, text: str, message_id: str, session_id: str = "s1") -> bytes:
        message = Message(message_id, session_id, text, "chat", self.clock.now())
        if self.short and (begun := self.begin(message)):
            self.taken += 1
            answer, failure = await begun
            if failure is not None:
                raise failure
            return answer.body
        return (await self.conversations.answer(message, "r", body, greets=not text)).body

    def begin(self, message: Message) -> asyncio.Future[tuple[Answer, Exception | None]] | None:
        over: asyncio.Future[tuple[Answer, Exception | None]] = asyncio.get_running_loop().create_future()
        asked = Asked(message, "r", not message.text, None, body)
        if not self.conversations.at_once(asked, lambda answer, failure: over.set_result((answer, failure))):
            return None
        assert not over.done(), "it is told after the call"
        return over


async def turn(service: Service, message: Message, seconds: float) -> Answer:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()
    service.turn(message, body, loop.time() + seconds, partial(settle, answer))
    return await answer


def plain(record: Record) -> Record:
    return replace(record, id="", elapsed=0.0)


async def played(
    talk: Talk, turns: list[tuple[str, int, int]]
) -> tuple[list[bytes], list[Session | None], list[Record]]:
    bodies = []
    for number, (text, session, minutes) in enumerate(turns):
        bodies.append(await talk.say(text, f"m{number}", f"s{session}"))
        bodies.append(await talk.say(text, f"m{number}", f"s{session}"))  # delivered again
        talk.clock.wait(minutes=minutes)
    await talk.store.close()
    again = SQLiteStore(talk.store._worker.path)
    sessions = [await again.load(f"s{session}") for session in range(2)]
    records = [plain(record) for session in range(2) for record in await again.records(f"s{session}")]
    await again.close()
    return bodies, sessions, records


@settings(max_examples=40, deadline=None)
@given(turns=st.lists(st.tuples(SAID, st.integers(0, 1), st.sampled_from([0, 1, 12, 45])), min_size=1, max_size=12))
def test_both_ways_answer_and_store_the_same(bot: Bot, turns: list[tuple[str, int, int]]) -> None:
    async def run() -> None:
        with TemporaryDirectory() as folder:
            short = await played(Talk(bot, Path(folder) / "short.db"), turns)
            long = await played(Talk(bot, Path(folder) / "long.db", short=False), turns)
        assert short == long

    asyncio.run(run())


def test_the_usual_turn_takes_the_short_way(bot: Bot, tmp_path: Path) -> None:
    async def run() -> None:
        talk = Talk(bot, tmp_path / "s.db")
        for number in range(5):
            await talk.say("my printer is offline", f"m{number}")
        assert talk.taken == 4, "all but the first, whose session is not in memory"
        await talk.say("open a ticket", "m5")
        assert talk.taken == 4, "an action has to be waited for"
        await talk.say("my printer is offline", "m4")
        assert talk.taken == 4, "what was answered before is read from the file"
        await talk.store.close()

    asyncio.run(run())


def test_one_turn_of_a_session_at_a_time(bot: Bot, tmp_path: Path) -> None:
    async def run() -> None:
        talk = Talk(bot, tmp_path / "s.db")
        bodies = [await talk.say("my printer is offline", "m0")]
        bodies += await asyncio.gather(*(talk.say("no", f"m{number}") for number in range(1, 6)))
        assert [int(said.split()[0]) for said in bodies] == [1, 2, 3, 4, 5, 6]
        assert talk.taken == 1, "the others waited for the first"
        await talk.store.close()

    asyncio.run(run())


def test_a_store_that_refuses_is_told_and_the_session_is_free_again(bot: Bot, tmp_path: Path) -> None:
    async def run() -> None:
        talk = Talk(bot, tmp_path / "s.db")
        await talk.say("my printer is offline", "m0")
        other = sqlite3.connect(tmp_path / "s.db")
        other.execute("CREATE TRIGGER no BEFORE INSERT ON records BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        other.commit()
        with pytest.raises(StoreError, match="free space"):
            await talk.say("no", "m1")
        other.execute("DROP TRIGGER no")
        other.commit()
        other.close()
        assert (await talk.say("no", "m1")).startswith(b"2 ")
        await talk.store.close()

    asyncio.run(run())


def test_a_session_that_somebody_else_went_on_with_is_read_anew(bot: Bot, tmp_path: Path) -> None:
    async def run() -> None:
        talk = Talk(bot, tmp_path / "s.db")
        await talk.say("my printer is offline", "m0")
        other = Talk(bot, tmp_path / "s.db", short=False)
        await other.say("my printer is offline", "m1")
        service = Service(talk.conversations, ServerOptions())
        message = Message("m2", "s1", "my printer is offline", "chat", talk.clock.now())
        answer = await turn(service, message, 5)
        assert answer.body.startswith(b"3 ")
        assert service.in_work == 0
        await talk.store.close()
        await other.store.close()

    asyncio.run(run())


def test_a_turn_goes_on_when_its_caller_does_not_wait(bot: Bot, tmp_path: Path) -> None:
    async def run() -> None:
        talk = Talk(bot, tmp_path / "s.db")
        await talk.say("my printer is offline", "m0")
        service = Service(talk.conversations, ServerOptions())
        other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        message = Message("m1", "s1", "my printer is offline", "chat", talk.clock.now())
        with pytest.raises(TimeoutError):
            await turn(service, message, 0.05)
        assert service.in_work == 1
        other.execute("ROLLBACK")
        other.close()
        await service.finish_work()
        assert service.in_work == 0
        assert (await talk.say("", "m1")).startswith(b"2 "), "it was answered, and the answer is known"
        await talk.store.close()

    asyncio.run(run())
