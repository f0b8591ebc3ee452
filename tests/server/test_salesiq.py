"""The SalesIQ webhook: tolerant of every shape, strict in what it answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.server.views import SESSION as SESSION_OF
from tests.server.views import VIEW
from tests.server.world import World, quick, run, says

from supportbot.model.decision import Handing, Reply, Suggested
from supportbot.server import salesiq
from supportbot.server.options import Texts
from supportbot.server.salesiq_reply import render

CONVERSATION = "430872000002553007"
SESSION = f"siq_{CONVERSATION}"


def message(text: object = "My printer is offline", **more: object) -> dict[str, object]:
    return {
        "handler": "message",
        "operation": "message",
        "org_id": "55778119",
        "message": {"text": text},
        "attachments": [],
        "visitor": {"name": "Jane Roe", "email": "jane@example.com", "active_conversation_id": CONVERSATION},
        "request": {"id": "4f1a-0002"},
        **more,
    }


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_address_can_be_tried(method: str) -> None:
    async def test(world: World) -> None:
        async with world.client.request(method, f"{world.url}/webhook/salesiq") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "application/json"

    run(test)


def test_a_message_is_a_turn() -> None:
    async def test(world: World) -> None:
        answer = await world.salesiq(message())
        assert answer == {
            "action": "reply",
            "replies": ["You said: My printer is offline"],
            "suggestions": ["Yes", "No"],
        }
        (taken,) = world.conversations.messages
        assert (taken.id, taken.session_id, taken.channel) == ("4f1a-0002", SESSION, "salesiq")
        assert taken.visitor == {"name": "Jane Roe", "email": "jane@example.com"}

    run(test)


@pytest.mark.parametrize("kind", ["text/plain", "text/html", "application/x-www-form-urlencoded", None])
@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*"])
def test_content_is_never_negotiated(kind: str | None, accept: str) -> None:
    async def test(world: World) -> None:
        headers = {"Accept": accept} | ({"Content-Type": kind} if kind else {})
        data = json.dumps(message()).encode()
        async with world.client.post(f"{world.url}/webhook/salesiq", data=data, headers=headers) as answer:
            assert answer.status == 200
            assert (await answer.json())["action"] == "reply"
        assert len(world.conversations.messages) == 1

    run(test)


def test_a_trigger_without_a_question_greets() -> None:
    async def test(world: World) -> None:
        answer = await world.salesiq({"handler": "trigger", "visitor": {"active_conversation_id": CONVERSATION}})
        assert answer == {"action": "reply", "replies": ["Welcome!"], "suggestions": ["Printer", "Password"]}
        assert [begun.session_id for begun in world.conversations.begun] == [SESSION]

    run(test)


def test_a_trigger_with_a_question_answers_it() -> None:
    async def test(world: World) -> None:
        visitor = {"active_conversation_id": CONVERSATION, "question": "QuickBooks is frozen"}
        answer = await world.salesiq({"handler": "trigger", "visitor": visitor})
        assert answer["replies"] == ["You said: QuickBooks is frozen"]

    run(test)


def test_a_trigger_without_a_conversation_stores_nothing() -> None:
    async def test(world: World) -> None:
        answer = await world.salesiq(
            {"handler": "trigger", "visitor": {"name": "Visitor 51234"}, "request": {"id": "1"}}
        )
        assert answer == {"action": "reply", "replies": ["Hello! How can I help?"]}
        assert world.conversations.sessions == {}

    run(test)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("person", {"action": "forward", "department": "3465000000005", "replies": ["Connecting"]}),
        ("anyone", {"action": "forward", "replies": ["I am connecting you to a colleague."]}),
        ("bye", {"action": "end", "replies": ["Goodbye then"], "delay": "30"}),
        ("mute", {"action": "reply", "replies": ["Hello! How can I help?"]}),
        ("two", {"action": "reply", "replies": ["First", "Second"]}),
    ],
)
def test_actions(word: str, expected: dict[str, object]) -> None:
    async def test(world: World) -> None:
        assert await world.salesiq(message(word)) == expected

    run(test)


@pytest.mark.parametrize("word", ["boom", "disk"])
def test_a_turn_that_fails_is_still_answered(word: str) -> None:
    async def test(world: World) -> None:
        assert await world.salesiq(message(word)) == {"action": "reply", "replies": [Texts().trouble]}

    run(test)


def test_at_the_deadline_a_text_goes_out_and_the_turn_goes_on() -> None:
    async def test(world: World) -> None:
        assert await world.salesiq(message("slow")) == {"action": "reply", "replies": [Texts().late]}
        assert world.conversations.finished == []
        world.conversations.gate.set()
        while not world.conversations.finished:
            await asyncio.sleep(0.01)
        assert world.conversations.finished == [SESSION]

    run(test, quick())


def test_a_failed_hand_over_is_not_answered_with_another() -> None:
    async def test(world: World) -> None:
        failure = {
            "handler": "failure",
            "cause": {"code": 1002, "desc": "operators_not_available"},
            "failed_response": {"action": "forward"},
            "visitor": {"active_conversation_id": CONVERSATION, "question": "person"},
            "message": {"text": "person"},
        }
        assert (await world.salesiq(failure))["action"] == "reply"
        assert world.conversations.messages == []

    run(test)


def test_a_file_without_words_asks_for_words() -> None:
    async def test(world: World) -> None:
        answer = await world.salesiq(message("", attachments=[{}]))
        assert answer == {"action": "reply", "replies": [Texts().words_please]}
        assert world.conversations.messages == []

    run(test)


ODD_SHAPES: list[Any] = [
    {},
    {"handler": "message"},
    {"handler": None, "message": None, "visitor": None, "request": None},
    {"handler": "message", "message": "plain string", "visitor": None},
    {"handler": "message", "message": {"text": "hi"}},
    {"handler": "message", "message": ["hi"], "visitor": []},
    {"handler": "message", "message": 5, "visitor": "x", "request": "y"},
    {"handler": "message", "message": {"text": None}},
    {"handler": "message", "message": {"text": {"text": "hi"}}},
    {"handler": ["message"], "message": {"text": "hi"}},
    {"handler": "context", "context_id": "callback", "answers": {"phone": {"text": "+15550100"}}},
    {"handler": "context", "answers": "text"},
    {"handler": "failure"},
    {"handler": "failure", "cause": 5},
    {"handler": "unheard-of"},
    {"handler": "trigger", "visitor": {"question": 7}},
    {"handler": "trigger", "visitor": {"active_conversation_id": {"a": 1}}},
    {"handler": "message", "operation": 5, "attachments": "many"},
    message("hi", visitor={"active_conversation_id": 430872000002553007}),
    message("hi", visitor={"active_conversation_id": "botpreview_1a2b"}),
    message("hi", visitor={"active_conversation_id": "../../etc"}),
    message("hi", visitor={"active_conversation_id": "a" * 5000}),
    message("hi", visitor={"active_conversation_id": True, "uuid": "u-1"}),
    message("hi", visitor={"name": 5, "email": [], "phone": {}, "language": None}),
    message("hi", request={"id": ["x"]}),
    message("hi", request={"id": "x" * 5000}),
    message("\ud800 lone"),
    message("x" * 100_000),
    {"entity_type": "conversation", "event": "conversation.operator.replied", "entity": {"id": "1"}},
]


@pytest.mark.parametrize("payload", ODD_SHAPES, ids=[str(number) for number in range(len(ODD_SHAPES))])
def test_every_shape_gets_a_valid_action(payload: Any) -> None:
    async def test(world: World) -> None:
        answer = await world.salesiq(payload)
        assert answer["action"] in {"reply", "forward", "end"}
        assert answer["replies"]
        assert all(isinstance(text, str) and text.strip() for text in answer["replies"])
        assert set(answer) <= {"action", "replies", "suggestions", "department"}
        for session_id in world.conversations.sessions:
            assert session_id.startswith("siq_")
            assert len(session_id) <= 64

    run(test)


@pytest.mark.parametrize(
    ("visitor", "session_id"),
    [
        ({"active_conversation_id": "1", "uuid": "2", "visitid": "3"}, "siq_1"),
        ({"uuid": "2", "visitid": "3"}, "siq_2"),
        ({"visitid": "3"}, "siq_3"),
        ({"active_conversation_id": "", "visitid": 33}, "siq_33"),
    ],
)
def test_the_session_is_the_conversation_else_the_visitor(visitor: dict[str, object], session_id: str) -> None:
    assert salesiq.parse(message(visitor=visitor)).session_id == session_id


def test_unsafe_keys_become_digests_that_stay_the_same_and_differ() -> None:
    made = [salesiq.session_id(key) for key in ("a/b", "a/b", "a b", "x" * 61)]
    assert made[0] == made[1]
    assert len(set(made)) == 3
    assert all(len(one) == 64 for one in made)


@pytest.mark.parametrize("name", ["Visitor 51234", "visitor 1", "Visitor", "VISITOR#77", "Visitor_9"])
def test_a_placeholder_is_no_name(name: str) -> None:
    assert salesiq.parse(message(visitor={"name": name})).visitor == {}


@pytest.mark.parametrize("name", ["Jane Visitor", "Visitoria", "Vi 51234"])
def test_a_name_like_it_is_one(name: str) -> None:
    assert salesiq.parse(message(visitor={"name": name})).visitor == {"name": name}


def test_calls_without_any_key_never_share_a_session() -> None:
    first, second = (salesiq.parse({"handler": "message", "message": "hi"}) for _ in range(2))
    assert first.session_id != second.session_id
    assert not first.known


def test_suggestions_belong_to_the_last_text() -> None:
    reply = Reply((Suggested("Which number?", ("Mine",)), Suggested("Please type it.")))
    assert "suggestions" not in render(reply, SESSION_OF, VIEW)
    assert render(says("Well?", "Yes"), SESSION_OF, VIEW)["suggestions"] == ["Yes"]


def test_a_hand_over_shows_no_suggestions() -> None:
    reply = Reply((Suggested("One moment", ("Never mind",)),), Handing("5"))
    assert "suggestions" not in render(reply, SESSION_OF, VIEW)
