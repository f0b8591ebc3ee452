"""A server without a desk: no form is asked in vain, and what is off is said in a line a connection."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from supportbot.cli.queueing import with_off
from supportbot.cli.surroundings import actions_off
from supportbot.compiler.compile import load_bot
from supportbot.decision.conclude import conclude, start_session
from supportbot.decision.decide import decide
from supportbot.model.bot import Bot
from supportbot.model.decision import Conclusion, Decision
from supportbot.model.session import Message, Turn
from supportbot.resources import starter_bot

MONDAY, SUNDAY = datetime(2026, 11, 23, 10, tzinfo=UTC), datetime(2026, 11, 22, 10, tzinfo=UTC)
CONNECTED = {
    "ZOHO_CLIENT_ID": "1",
    "ZOHO_CLIENT_SECRET": "2",
    "ZOHO_REFRESH_TOKEN": "3",
    "DESK_ORG_ID": "4",
    "DESK_DEPARTMENT_ID": "5",
    "SALESIQ_SCREENNAME": "6",
}


@pytest.fixture(scope="module")
def bot() -> Bot:
    loaded = load_bot(starter_bot()).bot
    assert loaded is not None
    return loaded


def told(bot: Bot, text: str, now: datetime) -> tuple[Decision, Conclusion]:
    turn = Turn(start_session(bot, "s1", now), Message("m1", "s1", text, "chat", now), now)
    decision = decide(bot, turn)
    return decision, conclude(bot, turn, decision, ())


@pytest.mark.parametrize(("text", "form"), [("please call me back", "callback"), ("open a ticket", "ticket")])
def test_a_form_for_something_that_is_off_is_not_opened(bot: Bot, text: str, form: str) -> None:
    decision, conclusion = told(with_off(bot, {}), text, MONDAY)
    assert conclusion.session.form is None
    assert "no desk is connected" in conclusion.reply.text
    assert conclusion.reply.texts[-1].suggestions[0] == "Connect me"
    assert f"the form {form} is not opened: the action create_{form} is off" in decision.trace.note
    assert told(with_off(bot, {}), text, SUNDAY)[1].reply.texts[-1].suggestions[0] == "Contact details"


def test_with_everything_connected_and_without_a_server_forms_ask(bot: Bot) -> None:
    for served in (bot, with_off(bot, CONNECTED)):
        assert served.off == frozenset()
        assert told(served, "please call me back", MONDAY)[1].session.form is not None


def test_one_line_a_connection(bot: Bot) -> None:
    assert actions_off(bot, CONNECTED) == []
    lines = actions_off(bot, {})
    assert [line.split(" is off")[0] for line in lines] == ["the connection 'desk'", "the connection 'salesiq'"]
    assert lines[0].count("ZOHO_CLIENT_ID") == lines[0].count("DESK_DEPARTMENT_ID") == 1
    some = actions_off(bot, {name: value for name, value in CONNECTED.items() if name != "DESK_DEPARTMENT_ID"})
    assert some == [
        "of the connection 'desk', 'create_ticket', 'find_ticket', 'create_callback', 'find_callback' are off: "
        "set DESK_DEPARTMENT_ID"
    ]
