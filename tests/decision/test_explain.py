"""Why this answer, and why not that rule."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.decision.conftest import MONDAY

from supportbot.decision import explain, start_session
from supportbot.model.bot import Bot
from supportbot.model.session import FormState, Message, Session, Turn

CONTRACT = ["id", "text", "state", "category", "handler", "kind", "next_state", "reply", "candidates"]
CANDIDATE = {"id", "priority", "fired", "matched", "rejected"}


def turn(bot: Bot, text: str, **fields: Any) -> Turn:
    start = start_session(bot, "s1", MONDAY)
    session = Session(**{name: getattr(start, name) for name in Session.__struct_fields__} | fields)
    return Turn(session, Message("m", "s1", text, "chat", MONDAY), MONDAY)


@pytest.mark.parametrize("text", ["my printer is offline", "call me", "qwertz", "yes", ""])
def test_one_json_object_with_the_agreed_keys(bot: Bot, text: str) -> None:
    result = json.loads(json.dumps(explain(bot, turn(bot, text, state="working")).as_json(7)))
    assert list(result)[: len(CONTRACT)] == CONTRACT
    assert (result["id"], result["text"], result["state"]) == (7, text, "working")
    assert result["kind"] in ("handler", "guide", "form", "llm")
    for candidate in result["candidates"]:
        assert candidate.keys() >= CANDIDATE
        assert candidate["fired"] is (candidate["rejected"] == "")
    assert [item["id"] for item in result["candidates"] if item["fired"]] == [result["handler"]]


def test_what_the_object_says(bot: Bot) -> None:
    result = explain(bot, turn(bot, "My PRINTER is ofline")).as_json()
    assert result["category"] == "printing"
    assert result["handler"] == "printer_offline"
    assert result["kind"] == "guide"
    assert result["next_state"] == "working"
    assert result["reply"] == "Is it switched on?"
    assert result["candidates"] == [
        {
            "id": "printer_offline",
            "kind": "guide",
            "priority": 50,
            "fired": True,
            "matched": ["printer is ofline"],
            "patterns": ["printer [is|shows] offline"],
            "rejected": "",
        }
    ]
    assert result["corrections"] == {"ofline": "offline"}


def test_nothing_but_the_model_fits(bot: Bot) -> None:
    result = explain(bot, turn(bot, "qwertz")).as_json()
    assert (result["handler"], result["kind"]) == ("llm_fallback", "llm")


WHY_NOT: list[tuple[str, str, dict[str, Any], str]] = [
    ("callback", "phone me", {}, "none of its phrases is in the message; nearest: 'call me [back]'"),
    ("person", "I do not want to talk to a person", {}, "excluded by none: 'do not want'"),
    ("unsolved", "still the same", {}, "the state is idle; it asks for working"),
    ("callback", "call me", {"state": "over"}, "the trigger call leads nowhere from the state over"),
    ("callback", "call me, talk to a person", {}, "person is asked first (priority 7)"),
    ("printer_offline", "printer offline, call me", {}, "callback (handler) is asked first"),
    (
        "hello",
        "hello I am writing about something that happened to me",
        {},
        "is small talk: its words must be a quarter of the message",
    ),
    ("callback", "call me", {"form": FormState("callback", "name")}, "form.callback (form) is asked first"),
    ("paper_jam", "printer offline, paper stuck", {}, "printer_offline comes first in the files"),
]


@pytest.mark.parametrize(("rule", "text", "fields", "reason"), WHY_NOT)
def test_why_a_rule_did_not_answer(bot: Bot, rule: str, text: str, fields: dict[str, Any], reason: str) -> None:
    found = explain(bot, turn(bot, text, **fields), rule).why_not
    assert found is not None
    assert not found.fired
    assert any(reason in line for line in found.reasons), found.reasons
    assert found.place.partition(":")[0].endswith(".yaml")


def test_each_alternative_has_its_reasons(bot: Bot) -> None:
    found = explain(bot, turn(bot, "maybe"), "person").why_not
    assert found is not None
    assert [line.partition(":")[0] for line in found.reasons] == ["alternative 1", "alternative 2"]
    assert "the state is idle; it asks for offered" in found.reasons[1]


def test_a_rule_that_answered_says_so(bot: Bot) -> None:
    found = explain(bot, turn(bot, "call me"), "callback").why_not
    assert found is not None
    assert found.fired
    assert explain(bot, turn(bot, "call me"), "callback").as_json()["why_not"] == {
        "rule": "callback",
        "fired": True,
        "reasons": ["it is the rule that answered"],
        "place": found.place,
    }


def test_an_unknown_rule_is_an_error(bot: Bot) -> None:
    with pytest.raises(KeyError):
        explain(bot, turn(bot, "call me"), "no_such_rule")
