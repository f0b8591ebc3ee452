"""What silence does. The small bot: after 10 minutes a question, after 20 the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.decision.conftest import Talk

from supportbot.decision.timeouts import MOST
from supportbot.model.session import FormState

Tell = Callable[..., Talk]
TIMES = (
    "    timeouts: [{after: 10m, do: [{reply: still_there}]}, {after: 20m, do: [{trigger: finish}, {reply: goodbye}]}]"
)


def timeouts(new: str) -> tuple[str, str, str]:
    return ("states.yaml", TIMES, f"    timeouts: [{new}]")


def test_each_time_out_fires_once_and_in_order(talk: Talk) -> None:
    talk.put(state="offered")
    assert talk.wait(9.9) is None
    talk.wait(0.1)
    assert talk.said == ["still_there"]
    assert talk.wait(9.9) is None
    talk.wait(0.1)
    assert (talk.said, talk.session.state, talk.session.closed) == (["goodbye"], "over", True)
    assert talk.wait(600) is None


def test_a_long_silence_fires_all_that_are_due(talk: Talk) -> None:
    talk.put(state="offered").wait(60)
    assert (talk.said, talk.session.state) == (["still_there", "goodbye"], "over")


def test_the_order_in_the_file_does_not_matter(tell: Tell) -> None:
    talk = tell(timeouts("{after: 20m, do: [{reply: goodbye}]}, {after: 10m, do: [{reply: still_there}]}"))
    talk.put(state="offered").wait(60)
    assert talk.said == ["still_there", "goodbye"]


def test_a_message_starts_the_clock_anew(talk: Talk) -> None:
    talk.put(state="offered").wait(10)
    talk.say("hello")
    assert talk.session.timeouts_fired == 0
    assert talk.wait(9) is None
    talk.wait(1)
    assert talk.said == ["still_there"]


def test_a_state_entered_by_silence_counts_from_then(tell: Tell) -> None:
    talk = tell(
        timeouts("{after: 10m, do: [{trigger: decline}, {reply: declined}]}"),
        (
            "states.yaml",
            "title: Waiting for a question}",
            "title: Idle, timeouts: [{after: 5m, do: [{reply: goodbye}]}]}",
        ),
    )
    talk.put(state="offered").wait(14.9)
    assert (talk.said, talk.session.state) == (["declined"], "idle")
    talk.wait(0.1)
    assert talk.said == ["goodbye"]


def test_two_states_cannot_send_each_other_around_for_ever(tell: Tell) -> None:
    talk = tell(
        timeouts("{after: 1m, do: [{trigger: decline}, {reply: declined}]}"),
        (
            "states.yaml",
            "title: Waiting for a question}",
            "title: Idle, timeouts: [{after: 1m, do: [{trigger: offer}, {reply: offer}]}]}",
        ),
    )
    talk.put(state="offered").wait(60 * 24 * 365)
    assert len(talk.said) == MOST


def test_staying_in_a_state_does_not_remind_again(tell: Tell) -> None:
    talk = tell(
        timeouts("{after: 1m, do: [{trigger: offer}, {reply: still_there}]}"),
    )
    talk.put(state="offered").wait(60)
    assert talk.said == ["still_there"]
    assert talk.wait(60) is None


def test_a_time_out_without_words_says_nothing(tell: Tell) -> None:
    talk = tell(timeouts("{after: 1m, do: [{trigger: decline}]}"))
    talk.put(state="offered").wait(2)
    assert (talk.said, talk.session.state) == ([], "idle")
    assert talk.session.history == ()


def test_silence_that_leaves_the_state_closes_its_form(talk: Talk) -> None:
    talk.put(state="offered", form=FormState("callback", "phone")).wait(10)
    assert talk.session.form is not None
    talk.wait(10)
    assert talk.session.form is None


@pytest.mark.parametrize("fields", [{"closed": True, "state": "offered"}, {"state": "gone"}, {"state": "over"}])
def test_some_conversations_hear_nothing_of_silence(talk: Talk, fields: dict[str, object]) -> None:
    assert talk.put(**fields).wait(60 * 24) is None


def test_silence_is_no_turn_but_a_new_version(talk: Talk) -> None:
    talk.put(state="offered").wait(10)
    assert (talk.session.turns, talk.session.version) == (0, 1)
    assert [(item.said, item.answered, item.handler) for item in talk.session.history] == [
        ("", "Are you still there?", "timeout")
    ]
