"""An open form: answers, corrections, ways out. The form of the small bot asks for name, phone and time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from tests.decision.conftest import MONDAY, Talk

from supportbot.model.session import Exchange, FormState

Tell = Callable[..., Talk]
KNOWN = {"name": "Jane", "phone": "07911123456", "moment": "2026-11-24T15:00"}
FORMS = "rules/forms.yaml"


def asked(talk: Talk, asking: str | None, values: Mapping[str, object] | None = None, tries: int = 0) -> Talk:
    return talk.put(state="calling", form=FormState("callback", asking, dict(values or {}), tries))


def values(talk: Talk) -> dict[str, object]:
    assert talk.session.form is not None
    return dict(talk.session.form.values)


# --- opening ----------------------------------------------------------------------------------


def test_a_form_asks_for_what_it_does_not_know(talk: Talk) -> None:
    decision = talk.say("call me")
    assert (decision.handler, decision.kind, decision.trigger) == ("callback", "handler", "call")
    assert (talk.said, talk.session.state) == (["ask_name"], "calling")
    decision = talk.say("Jane")
    assert (decision.handler, decision.kind) == ("form.callback", "form")
    assert talk.said == ["ask_phone"]
    talk.say("07911 123456")
    assert talk.said == ["ask_time"]
    talk.say("tomorrow at 3")
    assert talk.text == "Call Jane at 07911123456 on 2026-11-24T15:00?"
    talk.say("yes")
    assert talk.said == ["call_off"]
    assert talk.session.form is None
    assert talk.session.slots == KNOWN


def test_the_opening_message_fills_what_it_can(talk: Talk) -> None:
    talk.say("please call me on 07911 123456 tomorrow at 3")
    assert (talk.said, values(talk)) == (["ask_name"], {"phone": "07911123456", "moment": "2026-11-24T15:00"})


def test_the_visitor_fills_what_is_known(talk: Talk) -> None:
    talk.say("call me tomorrow at 3", visitor={"name": "Jane", "phone": "07911 123456"})
    assert talk.said == ["confirm_call"]
    assert values(talk) == KNOWN


def test_a_phone_of_the_visitor_that_is_none_is_asked_for(talk: Talk) -> None:
    talk.say("call me", visitor={"name": "Jane", "phone": "unknown"})
    assert talk.said == ["ask_phone"]


def test_earlier_answers_are_taken_up(talk: Talk) -> None:
    talk.put(slots={"name": "Jane"}).say("call me")
    assert talk.said == ["ask_phone"]


def test_a_text_is_filled_with_the_problem(tell: Tell) -> None:
    added = "- {name: problem, ask: ask_name, prefill: [message]}\n      - {name: name, "
    talk = tell((FORMS, "- {name: name, ", added))
    talk.put(
        history=(
            Exchange("hello", "Hi", "hello", MONDAY),
            Exchange("my printer is offline", "?", "printer_offline", MONDAY, topic=True),
            Exchange("and slow", "?", "llm_fallback", MONDAY, topic=True),
        )
    ).say("call me")
    assert values(talk)["problem"] == "my printer is offline"


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("call me back, the paper is stuck", "call me back, the paper is stuck"),  # a story is kept whole
        ("please call me back", None),
        ("call me about the printer", None),  # a thing, but no trouble
    ],
)
def test_a_text_is_filled_with_a_problem_in_the_opening_message(tell: Tell, message: str, problem: str | None) -> None:
    added = "- {name: problem, ask: ask_name, prefill: [message]}\n      - {name: name, "
    talk = tell((FORMS, "- {name: name, ", added))
    talk.say(message)
    assert values(talk).get("problem") == problem


def test_a_problem_that_is_only_said_again_is_told_in_its_first_words(tell: Tell) -> None:
    added = "- {name: problem, ask: ask_name, prefill: [message]}\n      - {name: name, "
    talk = tell((FORMS, "- {name: name, ", added))
    talk.say("my printer is offline")
    talk.say("call me, the printer is offline")
    assert values(talk)["problem"] == "my printer is offline"


@pytest.mark.parametrize(
    ("slot", "answer", "taken"),
    [
        ("summary", "no", False),
        ("summary", "yes please", False),
        ("summary", "no toner", True),
        ("details", "yes", False),
        ("details", "no", True),  # nothing else
        ("reason", "yes", True),  # what the question was is not known
    ],
)
def test_yes_and_no_are_no_story(tell: Tell, slot: str, answer: str, taken: bool) -> None:
    talk = tell(
        (
            FORMS,
            "- {name: name, type: text,",
            f"- {{name: {slot}, type: text, ask: ask_name}}\n      - {{name: name, type: text,",
        )
    )
    asked(talk, slot).say(answer)
    assert values(talk).get(slot) == (answer if taken else None)


# --- answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Jane van Dyk", "Jane van Dyk"),
        ("I'm Jane", "Jane"),
        ("I’m Jane", "Jane"),
        ("my name is Jane Doe", "Jane Doe"),
        ("it's Jane", "Jane"),
        ("This is Jane.", "Jane"),
        ("Jane, 07911 123456", "Jane"),
        ("Stopford", "Stopford"),
        ("I am Jane and it is urgent", "Jane"),
        ("my name is actually Janet", "Janet"),
        ("my name is Jane Roe, number 07911 123456, tuesday 2pm", "Jane Roe"),
        ("Roe, Jane", "Roe, Jane"),
        ("jane roe please", "jane roe"),
        ("Will", "Will"),
        ("my name's Jane", "Jane"),
        ("Jane. I need it fast", "Jane"),
        ("it's for Bob Smith", "Bob Smith"),
    ],
)
def test_a_name_is_taken_out_of_its_sentence(talk: Talk, text: str, name: str) -> None:
    asked(talk, "name").say(text)
    assert values(talk)["name"] == name


def test_several_answers_at_once(talk: Talk) -> None:
    asked(talk, "name").say("Jane, 07911 123456, tomorrow at 3")
    assert (talk.said, values(talk)) == (["confirm_call"], KNOWN)


def test_an_answer_to_another_question_counts(talk: Talk) -> None:
    asked(talk, "phone", {"name": "Jane"}).say("tomorrow at 3")
    assert talk.said == ["ask_phone"]
    assert values(talk)["moment"] == "2026-11-24T15:00"
    assert talk.session.form is not None
    assert talk.session.form.tries == 0


@pytest.mark.parametrize(
    ("text", "moment"), [("3", "2026-11-23T15:00"), ("11", "2026-11-23T11:00"), ("3pm", "2026-11-23T15:00")]
)
def test_a_bare_hour_answers_when(talk: Talk, text: str, moment: str) -> None:
    asked(talk, "moment", {"name": "Jane", "phone": "1234567"}).say(text)
    assert values(talk)["moment"] == moment


def test_an_optional_slot_is_never_asked_but_taken(talk: Talk) -> None:
    asked(talk, "moment", {"name": "Jane", "phone": "07911123456"}).say("tomorrow at 3, it is urgent")
    assert talk.said == ["confirm_call"]
    assert values(talk) == KNOWN | {"urgency": "high"}


def test_a_choice_that_is_required_is_asked_and_recognised(tell: Tell) -> None:
    talk = tell((FORMS, ", optional: true", ""))
    asked(talk, "urgency", KNOWN).say("hm")
    assert talk.said == ["ask_time"]
    talk.say("no rush at all")
    assert (talk.said, values(talk)["urgency"]) == (["confirm_call"], "low")


@pytest.mark.parametrize(
    ("asking", "text", "again"),
    [("phone", "six", "bad_phone"), ("moment", "hm", "bad_time"), ("name", "...", "ask_name")],
)
def test_an_invalid_answer_is_asked_again(talk: Talk, asking: str, text: str, again: str) -> None:
    asked(talk, asking, {name: value for name, value in KNOWN.items() if name != asking}).say(text)
    assert talk.said == [again]


def test_after_three_invalid_answers_a_person_is_offered(talk: Talk) -> None:
    asked(talk, "phone", {"name": "Jane"})
    for expected in (["bad_phone"], ["bad_phone"], ["offer"]):
        talk.say("hm")
        assert talk.said == expected
    assert (talk.session.form, talk.session.state) == (None, "offered")


def test_a_good_answer_forgives_the_bad_ones(talk: Talk) -> None:
    asked(talk, "phone", {"name": "Jane"}, tries=2).say("07911 123456")
    assert talk.session.form is not None
    assert talk.session.form.tries == 0


# --- the confirmation -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "slot", "value"),
    [
        ("no, my number is 07911 999999", "phone", "07911999999"),
        ("make it Wednesday at 11", "moment", "2026-11-25T11:00"),
        ("the name is Ann Doe", "name", "Ann Doe"),
        ("please change the name to Ann", "name", "Ann"),
        ("yes, and it is urgent", "urgency", "high"),
    ],
)
def test_a_correction_at_the_confirmation(talk: Talk, text: str, slot: str, value: str) -> None:
    asked(talk, None, KNOWN).say(text)
    assert talk.said == ["confirm_call"]
    assert values(talk) == KNOWN | {slot: value}


def test_yes_with_the_same_values_is_yes(talk: Talk) -> None:
    asked(talk, None, KNOWN).say("yes, 07911 123456")
    assert talk.session.form is None


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("yes", True),
        ("sure, no problem", True),
        ("ok yes please", True),
        ("not sure", False),
        ("no, not yes", False),
        ("no, that sounds good but is wrong", False),
        ("hm", False),
    ],
)
def test_what_is_a_yes(talk: Talk, text: str, done: bool) -> None:
    asked(talk, None, KNOWN).say(text)
    assert (talk.session.form is None) is done


def test_no_asks_what_should_be_different(talk: Talk) -> None:
    asked(talk, None, KNOWN).say("no")
    assert talk.said == ["change_call"]
    talk.say("the phone is 07911 999999")
    assert talk.said == ["confirm_call"]
    assert values(talk)["phone"] == "07911999999"


def test_no_without_such_a_question_confirms_again(tell: Tell) -> None:
    talk = tell((FORMS, "    change: change_call\n", ""))
    asked(talk, None, KNOWN).say("nope")
    assert talk.said == ["confirm_call"]


def test_a_confirmation_that_is_never_given_ends(talk: Talk) -> None:
    asked(talk, None, KNOWN)
    for _ in range(3):
        talk.say("no")
    assert (talk.said, talk.session.form) == (["offer"], None)


def test_a_form_without_confirmation_is_done_at_its_last_answer(tell: Tell) -> None:
    talk = tell((FORMS, "    confirm: confirm_call\n    change: change_call\n", ""))
    asked(talk, "moment", {"name": "Jane", "phone": "07911123456"}).say("tomorrow at 3")
    assert (talk.said, talk.session.form) == (["call_off"], None)


# --- ways out ---------------------------------------------------------------------------------


@pytest.mark.parametrize("asking", ["name", "phone", "moment", None])
def test_cancel_works_at_every_question(talk: Talk, asking: str | None) -> None:
    asked(talk, asking, KNOWN).say("never mind, cancel that")
    assert (talk.said, talk.session.form, talk.session.state) == (["goodbye"], None, "over")


def test_cancel_inside_a_longer_story_is_part_of_it(talk: Talk) -> None:
    asked(talk, "name").say("my name is Jane and the printer would not stop printing the same page")
    assert talk.session.form is not None
    assert talk.session.form.asking == "phone"


@pytest.mark.parametrize("asking", ["name", "phone", "moment", None])
def test_a_person_can_be_asked_for_at_every_question(talk: Talk, asking: str | None) -> None:
    decision = asked(talk, asking, KNOWN).say("let me talk to a human")
    assert (decision.handler, decision.kind) == ("person", "handler")
    assert (talk.session.form, talk.session.state) == (None, "offered")


def test_not_wanting_a_person_is_no_request_for_one(talk: Talk) -> None:
    asked(talk, "phone", {"name": "Jane"}).say("I do not want to talk to a person")
    assert talk.said == ["bad_phone"]


# --- questions in between ---------------------------------------------------------------------


def test_a_question_in_between_is_answered_and_the_form_goes_on(talk: Talk) -> None:
    decision = asked(talk, "phone", {"name": "Jane"}).say("my printer is offline")
    assert (decision.handler, decision.kind) == ("printer_offline", "guide")
    assert talk.said == ["offline_1", "ask_phone"]
    assert (talk.session.state, talk.session.guide) == ("calling", None)
    talk.say("07911 123456")
    assert talk.said == ["ask_time"]


def test_at_the_confirmation_too(talk: Talk) -> None:
    asked(talk, None, KNOWN).say("hello")
    assert talk.said == ["welcome", "confirm_call"]


def test_a_text_is_taken_unless_it_is_a_question_that_a_rule_answers(talk: Talk) -> None:
    asked(talk, "name").say("Jane, all right?")
    assert values(talk) == {"name": "Jane"}
    asked(talk, "name").say("printer is offline?")
    assert talk.said == ["offline_1", "ask_name"]


def test_what_is_captured_in_between_is_kept(tell: Tell) -> None:
    talk = tell(
        (
            "handlers.yaml",
            "handlers:\n",
            "handlers:\n  - {id: room, priority: 1, when: {message: ['room {name:text}']}, do: [{reply: glad}]}\n",
        )
    )
    asked(talk, "phone").say("room 12")
    assert (talk.said, talk.session.slots["name"]) == (["glad", "ask_phone"], "12")


def test_a_rule_that_moves_on_takes_the_form_with_it(tell: Tell) -> None:
    talk = tell(
        (
            "handlers.yaml",
            "handlers:\n",
            "handlers:\n"
            "  - {id: bye, priority: 1, when: {message: [bye]}, do: [{trigger: finish}, {reply: goodbye}]}\n"
            "  - {id: desk, priority: 1, when: {message: [desk]}, do: [{handoff: true}, {reply: glad}]}\n",
        )
    )
    asked(talk, "phone").say("bye")
    assert (talk.said, talk.session.form) == (["goodbye"], None)
    asked(talk, "phone").put(closed=False).say("desk")
    assert (talk.said, talk.session.form) == (["glad"], None)


def test_a_guide_in_between_needs_its_conditions(tell: Tell) -> None:
    talk = tell(
        (
            "rules/categories/printing.yaml",
            '    match: ["printer [is|shows] offline"]',
            '    when: {message: ["printer offline"], if: "session.turns > 5"}',
        )
    )
    asked(talk, "phone", {"name": "Jane"}).say("printer offline")
    assert talk.said == ["bad_phone"]
    asked(talk, "phone", {"name": "Jane"}).put(turns=6).say("printer offline")
    assert talk.said == ["offline_1", "ask_phone"]


def test_the_same_form_is_not_opened_inside_itself(talk: Talk) -> None:
    asked(talk, "phone", {"name": "Jane"}).say("call me")
    assert (talk.said, values(talk)) == (["bad_phone"], {"name": "Jane"})


def test_the_trace_says_what_the_form_did(talk: Talk) -> None:
    decision = asked(talk, "phone", {"name": "Jane"}).say("07911 123456, my printer is offline")
    assert decision.trace.note == "phone answered"
    assert [(item.id, item.kind, item.fired, item.rejected) for item in decision.trace.candidates] == [
        ("form.callback", "form", True, ""),
        ("printer_offline", "guide", False, "the open form takes the message"),
    ]


# --- second thoughts while the form is still being filled ---------------------------------------


def test_the_answer_before_can_be_taken_back(talk: Talk) -> None:
    talk.say("call me back")
    talk.say("Bob")
    talk.say("actually it's Rob")
    assert talk.said == ["ask_phone"]
    talk.say("020 7123 4567")
    talk.say("my name is Janet")
    assert talk.said == ["ask_time"]
    talk.say("tomorrow at 3pm")
    assert talk.session.slots["name"] == "Janet"


def test_an_optional_choice_is_heard_in_the_opening_message(talk: Talk) -> None:
    talk.say("call me back, it is urgent")
    assert talk.session.form is not None
    assert talk.session.form.values["urgency"] == "high"


# --- what was rejected is not sent --------------------------------------------------------------


@pytest.mark.parametrize("no", ["no", "no, not tomorrow"])
def test_a_yes_after_a_no_asks_for_the_confirmation_anew(talk: Talk, no: str) -> None:
    asked(talk, None, KNOWN).say(no)
    assert talk.said == ["change_call"]
    talk.say("yes")
    assert talk.said == ["confirm_call"]
    talk.say("yes")
    assert (talk.said, talk.session.form) == (["call_off"], None)


def test_a_correction_after_a_no_is_confirmed(talk: Talk) -> None:
    asked(talk, None, KNOWN).say("no")
    talk.say("the phone is 07911 999999")
    assert talk.said == ["confirm_call"]
    talk.say("yes")
    assert talk.session.form is None


def test_only_every_second_moment_that_is_not_possible_counts(tell: Tell) -> None:
    talk = tell((FORMS, "invalid: bad_time,", "invalid: bad_time, in_hours: true, refused: ask_time,"))
    asked(talk, "moment", {"name": "Jane", "phone": "07911123456"})
    for _ in range(5):
        talk.say("Sunday at 11")
        assert talk.said == ["ask_time"]
    talk.say("Sunday at 11")
    assert (talk.said, talk.session.form) == (["offer"], None)


def test_a_statement_without_its_subject_is_no_question(tell: Tell) -> None:
    talk = tell((FORMS, "- {name: name, type: text,", "- {name: summary, type: text,"))
    asked(talk, "summary").say("Cannot see why the printer is offline")
    assert values(talk)["summary"] == "Cannot see why the printer is offline"


@pytest.mark.parametrize(("slot", "again"), [("moment", "ask_time"), ("phone", "ask_phone")])
def test_yes_is_no_answer_to_when_or_which(talk: Talk, slot: str, again: str) -> None:
    asked(talk, slot, {name: value for name, value in KNOWN.items() if name != slot}).say("yes please")
    assert talk.said == [again]


@pytest.mark.parametrize("text", ["no thanks", "please no", "no, thank you"])
def test_a_polite_no_to_a_question_leaves_the_form(talk: Talk, text: str) -> None:
    asked(talk, "phone", {"name": "Jane"}).say(text)
    assert (talk.said, talk.session.form) == (["goodbye"], None)


@pytest.mark.parametrize("text", ["\N{THUMBS UP SIGN}", "I do not have one", "please call my colleague at once"])
def test_what_holds_no_name_is_asked_again(talk: Talk, text: str) -> None:
    asked(talk, "name").say(text)
    assert (talk.said, values(talk)) == (["ask_name"], {})


def test_a_wish_is_no_name(talk: Talk) -> None:
    asked(talk, "name").say("my printer is offline")
    assert (talk.said, values(talk)) == (["offline_1", "ask_name"], {})


@pytest.mark.parametrize(
    ("message", "summary"),
    [
        ("call me back, the paper is stuck in tray 2", "the paper is stuck in tray 2"),
        ("the paper is stuck again, call me back on 07911 123456", "the paper is stuck again"),
    ],
)
def test_a_title_is_the_problem_without_the_wish(tell: Tell, message: str, summary: str) -> None:
    added = "- {name: summary, max_chars: 80, ask: ask_name, prefill: [message]}\n      - {name: name, "
    talk = tell((FORMS, "- {name: name, ", added))
    talk.say(message)
    assert values(talk)["summary"] == summary


def test_a_title_keeps_its_day(tell: Tell) -> None:
    talk = tell((FORMS, "- {name: name, type: text,", "- {name: summary, type: text,"))
    asked(talk, "summary").say("no wifi since monday")
    assert values(talk)["summary"] == "no wifi since monday"


def test_a_day_without_a_time_that_is_clear_counts_half(talk: Talk) -> None:
    asked(talk, "moment", {"name": "Jane", "phone": "07911123456"})
    for text in ("not on monday", "monday or tuesday", "next week"):
        talk.say(text)
        assert talk.said == ["bad_time"]
    talk.say("tuesday at 10")
    assert talk.said == ["confirm_call"]
