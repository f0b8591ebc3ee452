"""What is said at the end of a turn, and what outcomes change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.decision.conftest import MONDAY, Talk, answers

from supportbot.decision import conclude, reset, start_session, welcome
from supportbot.model.bot import Bot
from supportbot.model.decision import CallAction, CallModel, Handing, Outcome
from supportbot.model.session import FormState, GuideState, Message, Turn

Tell = Callable[..., Talk]
BOOK = CallAction("book_call")


# --- the model --------------------------------------------------------------------------------


def test_an_answer_of_the_model_is_said(talk: Talk) -> None:
    talk.script["llm"] = answers("Restart it.\nThen call.")
    talk.say("qwertz")
    assert (talk.text, talk.session.state) == ("Restart it.\nThen call.", "working")
    assert talk.session.history[-1].topic


@pytest.mark.parametrize(
    "answer",
    [
        "Let me get somebody.\nREQUEST: offer",
        "Let me get somebody.\n\nREQUEST: offer.\n",
        "Let me get somebody.\n**request: offer**",
        "Let me get somebody. REQUEST: offer",
        "REQUEST: `offer`\nLet me get somebody.",
    ],
)
def test_a_request_is_taken_off_the_answer_and_honoured(talk: Talk, answer: str) -> None:
    talk.script["llm"] = answers(answer)
    talk.say("qwertz")
    assert talk.said == ["Let me get somebody.", "offer"]
    assert talk.session.state == "offered"


def test_a_request_alone_is_enough(talk: Talk) -> None:
    talk.script["llm"] = answers("REQUEST: offer")
    talk.say("qwertz")
    assert talk.said == ["offer"]


def test_a_request_that_is_not_declared_does_nothing(talk: Talk) -> None:
    talk.script["llm"] = answers("All right.\nREQUEST: delete_everything")
    talk.say("qwertz")
    assert (talk.said, talk.session.state) == (["All right."], "working")
    assert talk.conclusion is not None
    assert "'delete_everything', which is not declared" in talk.conclusion.note


def test_a_request_that_the_state_forbids_does_nothing(tell: Tell) -> None:
    talk = tell(("supportbot.yaml", "requests: {offer: [{trigger: offer}", "requests: {offer: [{trigger: decline}"))
    talk.script["llm"] = answers("All right.\nREQUEST: offer")
    talk.say("qwertz")
    assert talk.said == ["All right."]
    assert talk.conclusion is not None
    assert "the state idle does not allow" in talk.conclusion.note


def test_nothing_but_a_refused_request_is_no_answer(talk: Talk) -> None:
    talk.script["llm"] = answers("REQUEST: something")
    talk.say("qwertz")
    assert (talk.said, talk.session.state) == (["offer"], "offered")


@pytest.mark.parametrize("error", ["off", "timeout", "rate_limited", "failed", "empty"])
def test_a_model_that_fails_offers_a_person(talk: Talk, error: str) -> None:
    talk.script["llm"] = Outcome(CallModel(""), ok=False, text="half an ans", error=error)
    talk.say("qwertz")
    assert (talk.said, talk.session.state) == (["offer"], "offered")
    assert talk.conclusion is not None
    assert talk.conclusion.note == f"the model gave no answer: {error}"


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_an_empty_answer_is_a_failure(talk: Talk, text: str) -> None:
    talk.script["llm"] = answers(text)
    talk.say("qwertz")
    assert talk.said == ["offer"]


# --- actions ----------------------------------------------------------------------------------

FILLED = FormState("callback", None, {"name": "Jane", "phone": "07911123456", "moment": "2026-11-24T15:00"})


def test_an_action_that_succeeds_fills_its_slots(talk: Talk) -> None:
    talk.script["book_call"] = Outcome(BOOK, ok=True, values={"call_number": "C-7"})
    decision = talk.put(state="calling", form=FILLED).say("yes")
    assert [effect.slots["name"] for effect in decision.effects if isinstance(effect, CallAction)] == ["Jane"]
    assert (talk.text, talk.session.slots["call_number"]) == ("Booked: C-7.", "C-7")
    assert (talk.session.state, talk.session.closed, talk.session.form) == ("over", True, None)


def test_an_action_that_fails_takes_its_own_way(talk: Talk) -> None:
    talk.script["book_call"] = Outcome(BOOK, ok=False, error="timeout")
    talk.put(state="calling", form=FILLED).say("yes")
    assert (talk.said, talk.session.state) == (["offer"], "offered")


def test_an_action_that_is_switched_off_says_so(talk: Talk) -> None:
    talk.put(state="calling", form=FILLED).say("yes")
    assert talk.said == ["call_off"]


def test_without_a_word_for_that_it_counts_as_failed(tell: Tell) -> None:
    talk = tell(("rules/actions.yaml", "    when_off: [{reply: call_off}]\n", ""))
    talk.put(state="calling", form=FILLED).say("yes")
    assert talk.said == ["offer"]


def test_of_two_equal_calls_each_has_its_own_outcome(bot: Bot, talk: Talk) -> None:
    decision = talk.put(state="calling", form=FILLED).say("yes")
    first, second = (replace(decision.effects[0]) for _ in range(2))
    turn = Turn(talk.session, Message("m", "s1", "yes", "chat", MONDAY), MONDAY)
    outcomes = [Outcome(second, ok=True), Outcome(first, ok=False, error="timeout")]
    concluded = conclude(bot, turn, replace(decision, effects=(first, second)), outcomes)
    assert "offer" in [part.response for part in concluded.reply.texts], "the first call failed"


def test_what_an_outcome_asks_for_is_not_lost_in_silence(tell: Tell) -> None:
    talk = tell(("rules/actions.yaml", "on_failure: [", "on_failure: [{llm: true}, {action: book_call}, "))
    talk.script["book_call"] = Outcome(BOOK, ok=False, error="timeout")
    talk.put(state="calling", form=FILLED).say("yes")
    assert talk.said == ["offer"]
    assert talk.conclusion is not None
    assert talk.conclusion.note.endswith("a question to the model, the action book_call")


# --- words ------------------------------------------------------------------------------------


def test_variants_take_turns_and_are_repeatable(bot: Bot, talk: Talk) -> None:
    texts = []
    for _ in range(6):
        talk.say("hello")
        texts.append(talk.text)
    assert len(set(texts[:3])) == 3
    assert texts[:3] == texts[3:]
    again = Talk(bot, start_session(bot, "s1", MONDAY))
    again.say("hello")
    assert again.text == texts[0]
    firsts = set()
    for number in range(20):
        other = Talk(bot, start_session(bot, f"visitor {number}", MONDAY))
        other.say("hello")
        firsts.add(other.text)
    assert len(firsts) > 1


def test_suggestions_come_with_their_text(talk: Talk) -> None:
    talk.say("hello")
    assert talk.conclusion is not None
    assert talk.conclusion.reply.texts[0].suggestions == ("Printer", "A person")


LANGUAGES = (
    ("supportbot.yaml", "language: en\n", "language: en\nlanguages: [en, fr]\n"),
    (
        "rules/responses.yaml",
        'glad: "Glad to hear it."',
        "glad: {text: Glad., channels: {salesiq: {text: Glad in SalesIQ.}}, "
        "languages: {fr: {text: Content., channels: {salesiq: {text: Content en SalesIQ.}}}}}",
    ),
)


@pytest.mark.parametrize(
    ("language", "channel", "text"),
    [
        ("", "chat", "Glad."),
        ("en", "chat", "Glad."),
        ("en-GB", "salesiq", "Glad in SalesIQ."),
        ("fr", "chat", "Content."),
        ("fr-CA", "chat", "Content."),
        ("FR_fr", "salesiq", "Content en SalesIQ."),
        ("de", "chat", "Glad."),
        ("de", "salesiq", "Glad in SalesIQ."),
    ],
)
def test_words_of_the_language_and_channel(tell: Tell, language: str, channel: str, text: str) -> None:
    talk = tell(*LANGUAGES).put(state="working", channel=channel)
    talk.say("it works", visitor={"language": language})
    assert talk.text == text


def test_templates_see_the_hours(talk: Talk) -> None:
    talk.say("talk to a person")
    assert talk.text == "A person takes over."
    assert talk.conclusion is not None
    assert talk.conclusion.reply.handoff == Handing(None)
    talk.now = MONDAY + timedelta(days=2)
    talk.say("talk to a person")
    assert talk.text == "We open Monday at 09:00."


def test_a_text_that_comes_out_empty_is_replaced(tell: Tell) -> None:
    talk = tell(("rules/responses.yaml", 'glad: "Glad to hear it."', 'glad: "{{ slots.name | trim }}"'))
    talk.put(state="working").say("it works")
    assert talk.said == ["no_answer"]
    talk.put(state="working", slots={"name": "Jane"}).say("it works")
    assert talk.text == "Jane"


# --- the whole conversation -------------------------------------------------------------------


def test_the_history_is_bounded(tell: Tell) -> None:
    talk = tell(("supportbot.yaml", "name: Small\n", "name: Small\nlimits: {history: 2}\n"))
    for text in ("one", "two", "three"):
        talk.say(text)
    assert [exchange.said for exchange in talk.session.history] == ["two", "three"]


def test_a_bot_may_remember_nothing(tell: Tell) -> None:
    talk = tell(("supportbot.yaml", "name: Small\n", "name: Small\nlimits: {history: 0}\n"))
    talk.say("one")
    talk.say("two")
    talk.wait(10)
    assert talk.session.history == ()


def greet(talk: Talk) -> list[str]:
    conclusion = welcome(talk.bot, Turn(talk.session, Message("m", "s1", "", "chat", MONDAY), MONDAY))
    assert conclusion.session.version == talk.session.version + 1
    assert conclusion.session.history[-1].handler == "greeting"
    return [part.response for part in conclusion.reply.texts]


def test_a_conversation_without_a_question_is_greeted(talk: Talk) -> None:
    assert greet(talk) == ["welcome"]


def test_without_a_greeting_nothing_is_said(tell: Tell) -> None:
    assert greet(tell(("supportbot.yaml", "greeting: welcome\n", ""))) == []


def test_reset_begins_again_with_the_same_visitor(bot: Bot, talk: Talk) -> None:
    talk.say("my printer is offline", visitor={"name": "Jane"})
    fresh = reset(bot, talk.session, MONDAY)
    assert (fresh.state, fresh.turns, fresh.history, fresh.guide) == ("idle", 0, (), None)
    assert (fresh.visitor, fresh.version) == ({"name": "Jane"}, 2)


def test_only_problems_are_topics(talk: Talk) -> None:
    talk.put(guide=GuideState("printer_offline", 0))
    for text in ("hello", "my printer is offline", "still", "qwertz"):
        talk.put(state="working").say(text)
    assert [exchange.topic for exchange in talk.session.history] == [False, True, False, True]
