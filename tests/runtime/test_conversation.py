"""Whole turns: what is answered, what is stored, what a failure leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as renewed
from tests.runtime.desk_bot import desk_bot
from tests.runtime.fakes import MONDAY, FakeActions, FakeClock, FakeModel, conversations, message

from supportbot.adapters.memory_store import MemoryStore
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.decision.conclude import start_session
from supportbot.decision.decide import decide
from supportbot.errors import StoreError
from supportbot.model.bot import Bot
from supportbot.model.decision import Decision, Outcome
from supportbot.model.session import Session, Turn
from supportbot.runtime.conflicts import Done
from supportbot.runtime.ports import ActionResult, ChatMessage, ModelAnswer, Record, StoredReply
from supportbot.runtime.results import TurnResult


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    return desk_bot(tmp_path_factory.mktemp("bot"))


def fast(bot: Bot) -> Bot:
    """The bot with deadlines that a test can wait for."""
    connections = {name: replace(item, timeout=0.01) for name, item in bot.connections.items()}
    llm = replace(bot.settings.llm, deadline=0.01)
    return replace(bot, settings=replace(bot.settings, llm=llm), connections=connections)


def test_a_turn_answers_and_is_stored_with_its_record(bot: Bot) -> None:
    store = MemoryStore()
    result = asyncio.run(conversations(bot, store).take(message("My printer is offline"), "req-1"))
    assert result.reply.text == "Is it switched on?"
    assert (result.session.state, result.session.version) == ("troubleshooting", 1)
    assert store.sessions_by_id["s1"] == result.session
    assert list(store.log) == [result.record]
    assert result.record is not None
    assert renewed(result.record, id="", elapsed=0.0) == Record(
        id="", session_id="s1", message_id="m1", request_id="req-1", at=FakeClock().now(), revision=bot.revision,
        channel="chat", text="My printer is offline", reply="Is it switched on?", state="greeting",
        next_state="troubleshooting", category="printing", handler="printer_offline", kind="guide",
        day="2026-11-23", conversation="2026-11-23T10:15:00+00:00", opening=True, saved=result.record.saved,
    )  # fmt: skip


def test_the_record_is_masked_and_the_session_keeps_no_secret(bot: Bot, tmp_path: Path) -> None:
    said = "Printer offline, mail jane@example.com, pw: hunter2, card 4111 1111 1111 1111, session id 482 193 771"

    async def run() -> TurnResult:
        store = SQLiteStore(tmp_path / "sessions.db")
        try:
            return await conversations(bot, store).take(message(said))
        finally:
            await store.close()

    result = asyncio.run(run())
    assert result.record is not None
    assert result.record.text == "Printer offline, mail [e-mail], pw: [secret] card [card], session id [remote session]"
    kept = "Printer offline, mail jane@example.com, pw: [secret] card [card], session id [remote session]"
    assert result.session.history[-1].said == kept
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"jane@example.com" in stored
    for secret in (b"hunter2", b"4111 1111", b"482 193"):
        assert secret not in stored


def test_the_history_keeps_what_is_no_secret_as_it_was_written(bot: Bot) -> None:
    said = "Ça ne marche pas: printer offline, call +44 20 7946 0123 about ticket 1234567 from 192.168.0.14"
    result = asyncio.run(conversations(bot).take(message(said)))
    assert result.session.history[-1].said == said


def test_messages_of_one_session_wait_for_each_other_and_others_do_not(bot: Bot) -> None:
    class SlowStore(MemoryStore):
        async def load(self, session_id: str) -> Session | None:
            found = await super().load(session_id)
            await asyncio.sleep(0)
            return found

    async def run() -> None:
        store = SlowStore()
        talk = conversations(bot, store)
        turns = [talk.take(message("printer offline", f"s{n % 5}")) for n in range(100)]
        await asyncio.gather(*turns)
        assert {name: session.turns for name, session in store.sessions_by_id.items()} == {
            f"s{n}": 20 for n in range(5)
        }
        assert len(talk._locks) == 0, "locks of sessions that nobody uses are forgotten"

    asyncio.run(run())


def test_a_lock_is_given_back_when_the_turn_is_cancelled(bot: Bot) -> None:
    async def run() -> None:
        talk = conversations(bot, model=FakeModel(60.0, ModelAnswer("hello", "m")))
        first = asyncio.create_task(talk.take(message("what is this")))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(talk.take(message("and that")))
        await asyncio.sleep(0.01)
        first.cancel()
        result = await second
        assert result.session.turns == 1
        assert len(talk._locks) == 0

    asyncio.run(run())


def test_a_turn_that_cannot_be_stored_leaves_the_session_as_it_was(bot: Bot) -> None:
    class FullStore(MemoryStore):
        full = False

        async def commit(self, session: Session, *rest: Record | StoredReply | None) -> None:
            if self.full:
                raise StoreError("the disk is full")
            await super().commit(session, *rest)  # type: ignore[arg-type]

    async def run() -> None:
        store = FullStore()
        talk = conversations(bot, store)
        before = (await talk.take(message("printer offline"))).session
        store.full = True
        with pytest.raises(StoreError):
            await talk.take(message("goodbye"))
        store.full = False
        assert store.sessions_by_id["s1"] == before
        assert (await talk.take(message("goodbye"))).session.closed

    asyncio.run(run())


class Overtaken(MemoryStore):
    """Another process goes on with the session while a turn runs, ``times`` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def commit(self, session: Session, *rest: Record | StoredReply | None) -> None:
        if self.times:
            self.times -= 1
            other = self.sessions_by_id.get(session.id) or renewed(session, version=session.version - 1)
            self.sessions_by_id[session.id] = renewed(other, version=other.version + 1, slots={"by": "other"})
        await super().commit(session, *rest)  # type: ignore[arg-type]


def test_a_turn_is_decided_again_on_what_the_other_process_wrote(bot: Bot) -> None:
    result = asyncio.run(conversations(bot, Overtaken(10)).take(message("printer offline")))
    assert (result.session.slots["by"], result.session.version) == ("other", 11)


def test_a_turn_whose_actions_ran_is_concluded_again_and_they_are_not_run_twice(bot: Bot) -> None:
    actions = FakeActions(ActionResult(True, {"ticket_number": "T-1"}))
    result = asyncio.run(conversations(bot, Overtaken(3), actions=actions).take(message("open a ticket")))
    assert result.reply.text == "Your ticket is T-1."
    assert (result.session.slots["by"], result.session.slots["ticket_number"]) == ("other", "T-1")
    assert len(actions.scopes) == 1


def test_an_action_that_ran_is_told_of_even_if_the_newer_session_would_not_ask_for_it(bot: Bot) -> None:
    def decided(text: str, **changes: object) -> Decision:
        session = renewed(start_session(bot, "s1", MONDAY), **changes)  # type: ignore[arg-type]
        return decide(bot, Turn(session, message(text), MONDAY))

    first = decided("open a ticket")
    outcome = Outcome(first.effects[0], ok=True, values={"ticket_number": "T-1"})
    done = Done()
    done.keep(first, (outcome,), ())
    assert done.fitted(decided("open a ticket", turns=1))[1] == (outcome,)
    moved, known = done.fitted(decided("printer offline", turns=7, slots={"by": "other"}))
    assert (moved.handler, moved.effects, known) == (first.handler, first.effects, (outcome,))
    assert (moved.session.turns, moved.session.slots["by"]) == (7, "other")
    done.keep(first, (outcome,), (outcome,))
    assert done.fitted(decided("open a ticket"))[1] == (), "what was only to be queued did not happen"


def test_a_slow_answer_of_the_model_survives_another_message_in_another_process(bot: Bot) -> None:
    class Waits(FakeModel):
        def __init__(self) -> None:
            super().__init__(ModelAnswer("Try turning it off.", "m"))
            self.free = asyncio.Event()

        async def answer(self, messages: Sequence[ChatMessage]) -> ModelAnswer:
            await self.free.wait()
            return await super().answer(messages)

    async def run() -> None:
        store, model = MemoryStore(), Waits()
        one, other = conversations(bot, store, model=model), conversations(bot, store)
        slow = asyncio.create_task(one.take(message("what is this")))
        await asyncio.sleep(0)
        quick = await other.take(message("my printer is offline"))
        model.free.set()
        late = await slow
        assert quick.reply.text == "Is it switched on?"
        assert late.reply.text == "Try turning it off."
        assert [exchange.said for exchange in late.session.history] == ["my printer is offline", "what is this"]
        assert (late.session.version, len(model.asked)) == (2, 1)

    asyncio.run(run())


def test_a_reset_comes_through_while_others_write(bot: Bot) -> None:
    async def run() -> None:
        store = Overtaken(0)
        talk = conversations(bot, store)
        await talk.take(message("my printer is offline"))
        store.times = 2
        assert await talk.reset("s1")
        assert store.sessions_by_id["s1"].state == "greeting"

    asyncio.run(run())


def test_a_closed_conversation_begins_anew_under_its_id(bot: Bot) -> None:
    async def run() -> TurnResult:
        talk = conversations(bot)
        assert (await talk.take(message("goodbye"))).session.closed
        return await talk.take(message("my printer is offline"))

    result = asyncio.run(run())
    assert (result.session.state, result.session.turns, result.session.version) == ("troubleshooting", 1, 2)


def test_silence_is_looked_at_before_the_message(bot: Bot) -> None:
    async def run() -> None:
        clock = FakeClock()
        talk = conversations(bot, clock=clock)
        await talk.take(message("my printer is offline"))
        assert await talk.silence("s1") is None
        clock.wait(minutes=11)
        reminded = await talk.silence("s1")
        assert reminded is not None
        assert reminded.reply.text == "Are you still there?"
        assert await talk.silence("s1") is None, "a time-out fires once"
        clock.wait(minutes=30)
        result = await talk.take(message("open a ticket"))
        assert (result.record and result.record.state, result.session.turns) == ("greeting", 1)
        assert await talk.silence("nobody") is None

    asyncio.run(run())


def test_the_greeting_and_a_reset(bot: Bot) -> None:
    async def run() -> None:
        talk = conversations(bot)
        begun = await talk.begin(message("", name="Ann"), "req-2")
        assert begun.reply.text == "Hello! What can I help with?"
        assert begun.decision is None
        assert begun.record is not None
        assert (begun.record.handler, begun.record.request_id) == ("greeting", "req-2")
        await talk.take(message("my printer is offline"))
        assert await talk.reset("s1")
        fresh = await talk.store.load("s1")
        assert fresh is not None
        assert (fresh.state, fresh.turns, fresh.visitor) == ("greeting", 0, {"name": "Ann"})
        assert not await talk.reset("nobody")
        assert (await talk.take(message("my printer is offline"))).session.state == "troubleshooting"

    asyncio.run(run())


def test_a_long_message_is_cut_and_any_text_can_be_stored(bot: Bot, tmp_path: Path) -> None:
    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db")
        talk = conversations(bot, store)
        result = await talk.take(message("x " * 5_000 + "printer offline", name="a\ud800"))
        assert result.decision is not None
        assert result.decision.kind == "llm"
        assert len(result.session.history[-1].said) == 200
        await talk.take(message("printer \ud800 \x00 offline \U000e0041"))
        kept = await store.load("s1")
        assert kept is not None
        assert kept.visitor == {"name": "a?"}
        await store.close()

    asyncio.run(run())


# --- effects ------------------------------------------------------------------------------------


def test_the_models_answer_reaches_the_visitor_and_the_record(bot: Bot) -> None:
    model = FakeModel(ModelAnswer("Try turning it off.", "openai/test", 30, 6))
    result = asyncio.run(conversations(bot, model=model).take(message("what is this")))
    assert (result.reply.text, result.session.state) == ("Try turning it off.", "troubleshooting")
    assert result.record is not None
    assert (result.record.model, result.record.tokens_in, result.record.tokens_out) == ("openai/test", 30, 6)


def test_marks_of_the_prompt_that_a_model_repeats_are_taken_out(bot: Bot) -> None:
    model = FakeModel(ModelAnswer("<visitor-0badcafe>\nTry this.\n</visitor-0badcafe>", "m"))
    assert asyncio.run(conversations(bot, model=model).take(message("what is this"))).reply.text == "Try this."


def test_a_model_may_ask_for_what_is_declared(bot: Bot) -> None:
    model = FakeModel(ModelAnswer("I am not sure.\nREQUEST: offer_person", "m"))
    result = asyncio.run(conversations(bot, model=model).take(message("what is this")))
    assert result.reply.text == "I am not sure.\n\nShall I get a person?"
    assert result.session.state == "escalation_offered"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (ModelAnswer(error="rate_limited"), "rate_limited"),
        (ModelAnswer(text="  "), "empty"),
        (ModelAnswer(error="sk-secret"), "failed"),
        (ValueError("sk-secret"), "failed"),
        (30.0, "timeout"),
        (None, "off"),
    ],
)
def test_a_model_that_fails_is_an_ordinary_turn(
    bot: Bot, answer: ModelAnswer | Exception | float | None, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = FakeModel() if answer is None else FakeModel(answer)
    result = asyncio.run(conversations(fast(bot), model=model).take(message("what is this")))
    assert result.reply.text == "I cannot think right now. Shall I get a person?"
    assert result.session.state == "escalation_offered"
    assert result.record is not None
    assert result.record.error == error
    assert "sk-secret" not in caplog.text


@pytest.mark.parametrize(
    ("given", "reply", "error"),
    [
        (ActionResult(True, {"ticket_number": "T-9"}), "Your ticket is T-9.", ""),
        (ActionResult(False, {}, "off"), "Tickets are switched off.", "off"),
        (ActionResult(False, {}, "timeout"), "The desk does not answer.", "timeout"),
        (RuntimeError("token"), "The desk does not answer.", "failed"),
        (30.0, "The desk does not answer.", "timeout"),
    ],
)
def test_what_becomes_of_an_action(bot: Bot, given: ActionResult | Exception | float, reply: str, error: str) -> None:
    actions = FakeActions(given)
    result = asyncio.run(conversations(fast(bot), actions=actions).take(message("please open a ticket")))
    assert result.reply.text == reply
    assert result.record is not None
    assert (result.record.actions, result.record.error) == (("create_ticket",), error)
    assert actions.scopes[0]["bot"] == {"name": "Desk test", "time_zone": "Europe/London"}
