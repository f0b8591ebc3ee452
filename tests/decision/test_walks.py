"""Any conversation: no text and no session makes a turn fail, repeat itself differently or trap the visitor."""

from __future__ import annotations

from copy import copy
from datetime import timedelta
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.decision.conftest import MONDAY, Talk, load_small

from supportbot.decision import conclude, decide, elapse, explain, start_session, welcome
from supportbot.model.decision import CallModel, Conclusion, Decision, Effect, Outcome
from supportbot.model.rules import Talks
from supportbot.model.session import Exchange, FormState, GuideState, Message, Session, Turn

BOT = load_small()


class NoTalks(Talks):
    """Every rule is asked thoroughly, as if each did more than talk."""

    def get(self, key: object, default: object = None) -> None:  # type: ignore[override]
        return None


FORGETFUL = copy(BOT)
object.__setattr__(FORGETFUL, "talks", NoTalks())
SAYINGS = [
    "hello",
    "my printer is offline",
    "the paper is stuck, jammmed",
    "still the same",
    "it works now",
    "it works, but the scanner is dead",
    "yes",
    "no",
    "no thanks",
    "call me",
    "call me on 07911 123456 tomorrow at 3",
    "my name is Jane Doe",
    "Jane",
    "07911 123456",
    "tomorrow at 3, it is urgent",
    "in half an hour",
    "the name is Ann",
    "no rush",
    "talk to a person",
    "I do not want to talk to a person",
    "cancel",
    "never mind, it works",
    "what?",
    "qwertz",
    "",
]
TEXTS = st.sampled_from(SAYINGS) | st.lists(st.sampled_from(SAYINGS), max_size=3).map(", ".join) | st.text(max_size=60)
OUTCOMES = st.sampled_from(
    [
        Outcome(CallModel(""), ok=True, text="Restart it."),
        Outcome(CallModel(""), ok=True, text="I will get somebody.\nREQUEST: offer"),
        Outcome(CallModel(""), ok=True, text="REQUEST: nonsense"),
        Outcome(CallModel(""), ok=True, text=""),
        Outcome(CallModel(""), ok=True, values={"call_number": 7}),
        Outcome(CallModel(""), ok=False, error="timeout"),
        Outcome(CallModel(""), ok=False, error="off"),
    ]
)
TURNS = st.lists(st.tuples(TEXTS, OUTCOMES, st.sampled_from([0, 0, 0, 1, 10, 25, 60 * 24])), max_size=12)


def whole_turn(session: Session, text: str, outcome: Outcome, now: Any) -> tuple[Decision, Conclusion]:
    """One turn, done twice: both must be equal, and what grows must have grown."""
    turn = Turn(session, Message("m", session.id, text, session.channel, now), now)
    decision = decide(BOT, turn)
    assert decision == decide(BOT, turn) == decide(FORGETFUL, turn)
    outcomes = [replace(outcome, effect=effect) for effect in decision.effects]
    conclusion = conclude(BOT, turn, decision, outcomes)
    assert conclusion == conclude(BOT, turn, decision, outcomes)
    assert conclusion.session.version == session.version + 1
    assert conclusion.session.turns == session.turns + 1
    assert conclusion.session.state in BOT.graph.states
    assert conclusion.session.category in BOT.categories
    assert conclusion.reply.texts or conclusion.reply.handoff or conclusion.reply.closed
    assert [item.id for item in decision.trace.candidates if item.fired][-1:] == [decision.handler]
    return decision, conclusion


@settings(max_examples=150)
@given(TURNS)
def test_a_conversation_never_fails_and_never_traps(turns: list[tuple[str, Outcome, int]]) -> None:
    session, now = start_session(BOT, "s1", MONDAY), MONDAY
    for text, outcome, minutes in turns:
        now += timedelta(minutes=minutes)
        passed = elapse(BOT, session, now)
        assert passed == elapse(BOT, session, now)
        session = passed.session if passed else session
        if session.closed:  # as the runtime does it
            session = start_session(BOT, "s1", now)
        session = whole_turn(session, text, outcome, now)[1].session
        if session.form is not None:
            event("a form is open")
            assert_ways_out(session, now)


def assert_ways_out(session: Session, now: Any) -> None:
    talk = Talk(BOT, session, now)
    assert talk.say("talk to a person").handler == "person"
    assert (talk.session.form, talk.said) == (None, ["handing_over"])
    talk = Talk(BOT, session, now)
    talk.say("cancel")
    assert (talk.session.form, talk.said) == (None, ["goodbye"])


@settings(max_examples=100)
@given(TURNS, st.text(max_size=20))
def test_even_nonsense_leads_out_of_a_form(turns: list[tuple[str, Outcome, int]], nonsense: str) -> None:
    """Whoever goes on saying the same thing is let go: each question has its limit."""
    talk = Talk(BOT, start_session(BOT, "s1", MONDAY))
    for text, _, _ in turns:
        talk.say(text)
    talk.put(closed=False, state="calling", form=FormState("callback", "name"))
    questions = len(BOT.forms["callback"].slots) + 1
    for _ in range(questions * BOT.forms["callback"].retries):
        if talk.session.form is None:
            break
        talk.say(nonsense)
    assert talk.session.form is None


ODD = st.sampled_from(["", "gone", "name", "phone", "moment", "urgency"])
SLOT_VALUES = st.text(max_size=10) | st.integers() | st.floats(allow_nan=False) | st.booleans()
ODD_SESSIONS = st.builds(
    Session,
    id=st.text(max_size=5),
    state=st.sampled_from([*BOT.graph.states, "gone", ""]),
    created_at=st.just(MONDAY),
    updated_at=st.just(MONDAY),
    channel=st.sampled_from(["chat", "salesiq", ""]),
    language=st.sampled_from(["", "en", "fr", "x-y-z"]),
    category=st.sampled_from([*BOT.categories, "gone", ""]),
    slots=st.dictionaries(ODD, SLOT_VALUES, max_size=3),
    visitor=st.dictionaries(st.sampled_from(["name", "phone", "language", "x"]), st.text(max_size=10), max_size=3),
    form=st.none()
    | st.builds(
        FormState,
        st.sampled_from(["callback", "gone"]),
        st.none() | ODD,
        st.dictionaries(ODD, SLOT_VALUES, max_size=3),
        st.integers(0, 5),
    ),
    guide=st.none() | st.builds(GuideState, st.sampled_from([*BOT.guides, "gone"]), st.integers(0, 9), st.booleans()),
    attempts=st.integers(0, 9),
    turns=st.integers(0, 9),
    timeouts_fired=st.integers(0, 5),
    history=st.lists(st.builds(Exchange, TEXTS, TEXTS, ODD, st.just(MONDAY), st.booleans()), max_size=3).map(tuple),
    variants=st.dictionaries(st.sampled_from([*BOT.responses, "gone"]), st.integers(0, 9), max_size=3),
    closed=st.booleans(),
    version=st.integers(0, 9),
)


@settings(max_examples=300)
@given(ODD_SESSIONS, TEXTS, OUTCOMES, st.integers(0, 10_000))
def test_no_session_makes_a_turn_fail(session: Session, text: str, outcome: Outcome, minutes: int) -> None:
    now = MONDAY + timedelta(minutes=minutes)
    passed = elapse(BOT, session, now)
    if passed is not None:
        assert passed.session.version == session.version + 1
    whole_turn(session, text, outcome, now)
    turn = Turn(session, Message("m", session.id, text, session.channel, now), now)
    assert welcome(BOT, turn) == welcome(BOT, turn)
    assert explain(BOT, turn, "callback").as_json()["handler"] == decide(BOT, turn).handler


def test_an_effect_without_an_outcome_counts_as_switched_off() -> None:
    turn = Turn(start_session(BOT, "s1", MONDAY), Message("m", "s1", "qwertz", "chat", MONDAY), MONDAY)
    decision = decide(BOT, turn)
    effects: tuple[Effect, ...] = decision.effects
    assert effects == (CallModel("other"),)
    assert conclude(BOT, turn, decision, []) == conclude(BOT, turn, decision, [Outcome(effects[0], False, error="off")])
