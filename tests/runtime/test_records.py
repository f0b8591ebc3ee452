"""A record says what happened: every fact in its own field."""

from __future__ import annotations

import gc
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec.structs import asdict, replace
from tests.runtime.desk_bot import desk_bot

from supportbot.decision.conclude import conclude, start_session
from supportbot.decision.decide import decide
from supportbot.model.bot import Bot
from supportbot.model.decision import CallAction, CallModel, Conclusion, Outcome, Reply, Suggested
from supportbot.model.session import Exchange, Message, Turn
from supportbot.runtime.records import build_record, conversation_of, day_of, knowledge_tokens, without_secrets

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    return desk_bot(tmp_path_factory.mktemp("bot"))


def turn_of(bot: Bot, text: str) -> Turn:
    session = start_session(bot, "s1", NOW - timedelta(minutes=1), "salesiq")
    return Turn(session, Message("m1", "s1", text, "chat", NOW), NOW)


def test_every_fact_stands_in_its_field(bot: Bot) -> None:
    turn = turn_of(bot, "my printer shows offline, mail ada@example.com")
    decision = replace(decide(bot, turn), handler="h", kind="guide")
    outcomes = (
        Outcome(CallAction("first"), True),
        Outcome(CallModel("printing"), False, error="timeout", tokens_in=3, tokens_out=4, cost=0.5),
        Outcome(CallAction("second"), False, error="pending"),
        Outcome(CallModel("printing"), True, "text", model="m/x", tokens_in=30, tokens_out=40, cost=0.25),
        Outcome(CallAction("third"), False, error="failed"),
    )
    after = replace(turn.session, state="closed", category="printing")
    concluded = Conclusion(after, Reply((Suggested("Hello"), Suggested("call 555-1234"))))
    record = build_record(bot, turn, decision, outcomes, concluded, "r1", 0.25, "resolved")
    assert len(record.id) == 32
    assert asdict(replace(record, id="")) == {
        "id": "",
        "session_id": "s1",
        "message_id": "m1",
        "request_id": "r1",
        "at": NOW,
        "revision": bot.revision,
        "channel": "chat",
        "text": "my printer shows offline, mail [e-mail]",
        "reply": "Hello\n\ncall [phone]",
        "state": "greeting",
        "next_state": "closed",
        "category": "printing",
        "handler": "h",
        "kind": "guide",
        "actions": ("first", "second", "third"),
        "model": "m/x",
        "tokens_in": 33,
        "tokens_out": 44,
        "error": "timeout",
        "elapsed": 0.25,
        "day": "2026-11-23",
        "conversation": "2026-11-23T10:14:00+00:00",
        "opening": True,
        "result": "resolved",
        "cost": 0.75,
        "saved": knowledge_tokens(bot) - 33,
    }


def test_a_greeting_opens_nothing_and_saves_nothing(bot: Bot) -> None:
    turn = turn_of(bot, "")
    record = build_record(bot, turn, None, (), Conclusion(turn.session, Reply(())), "", 0.0)
    assert (record.handler, record.kind, record.opening, record.saved) == ("greeting", "greeting", False, 0)
    assert (record.actions, record.model, record.tokens_in, record.error, record.cost) == ((), "", 0, "", 0.0)


def test_a_conversation_is_named_as_its_moment_is_written(bot: Bot) -> None:
    session = start_session(bot, "s1", NOW, "chat")
    elsewhere = replace(session, created_at=NOW.astimezone(timezone(timedelta(hours=1))))
    assert elsewhere.created_at == session.created_at
    for _ in range(2):
        assert conversation_of(session) == "2026-11-23T10:15:00+00:00"
        assert conversation_of(elsewhere) == "2026-11-23T11:15:00+01:00"


def test_a_day_ends_at_midnight_where_the_bot_works(bot: Bot) -> None:
    assert bot.settings.hours.zone.key == "Europe/London"
    before = datetime(2026, 7, 1, 22, 59, 59, 999_999, tzinfo=UTC)
    assert day_of(bot, before) == "2026-07-01"
    assert day_of(bot, before + timedelta(microseconds=1)) == "2026-07-02"


def test_a_secret_that_the_bot_repeats_is_not_kept(bot: Bot) -> None:
    said = Exchange("my password is hunter2", "So it is: password is hunter2?", "h", NOW)
    usual = Exchange("hello, call 555-1234", "I call ada@example.com", "h", NOW)
    assert without_secrets((usual,))[0] is usual
    (kept,) = without_secrets((said,))
    assert (kept.said, kept.answered) == ("my password is [secret]", "So it is: password is [secret]")
    assert without_secrets(()) == ()


def test_nothing_that_a_turn_leaves_is_looked_at_by_the_garbage_collector_and_all_of_it_is_freed(bot: Bot) -> None:
    def take(turn: Turn) -> Turn:
        decision = decide(bot, turn)
        conclusion = conclude(bot, turn, decision, ())
        record = build_record(bot, turn, decision, (), conclusion, "r1", 0.0)
        lasting = (record, conclusion.session, conclusion.reply, *conclusion.session.history)
        assert [type(item) for item in lasting if gc.is_tracked(item)] == []
        return replace(turn, session=replace(conclusion.session, history=without_secrets(conclusion.session.history)))

    turn = turn_of(bot, "my printer shows offline")
    was_on = gc.isenabled()
    gc.disable()  # what is in no cycle goes by itself
    try:
        for _ in range(100):
            turn = take(turn)
        before = sys.getallocatedblocks()
        for _ in range(500):
            turn = take(turn)
        assert sys.getallocatedblocks() - before < 250
    finally:
        if was_on:
            gc.enable()
