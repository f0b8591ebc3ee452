"""Which rule answers, and why the others do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from tests.decision.conftest import MONDAY, Talk

from supportbot.decision.decide import NO_HANDLER
from supportbot.model.bot import Bot
from supportbot.model.decision import CallAction, CallModel, Candidate
from supportbot.model.session import FormState, GuideState

Tell = Callable[..., Talk]


def more(*handlers: str) -> tuple[str, str, str]:
    """Further handlers, before those of the small bot."""
    return ("handlers.yaml", "handlers:\n", "handlers:\n" + "".join(f"  - {{{handler}}}\n" for handler in handlers))


def rejected(talk: Talk) -> Mapping[str, str]:
    assert talk.decision is not None
    return {item.id: item.rejected for item in talk.decision.trace.candidates if item.rejected}


def test_a_rule_that_only_talks_is_asked_anew_where_more_than_the_state_decides(tell: Tell) -> None:
    talk = tell(more("id: here, priority: 20, when: {message: [red]}, do: [{trigger: connect}, {reply: glad}]"))
    talk.put(state="offered")
    for hours in (0, 12, 24):  # open, closed, open
        talk.now = MONDAY + timedelta(hours=hours)
        assert talk.say("red").handler == ("llm_fallback" if hours == 12 else "here")
        talk.put(state="offered")


def test_what_a_rule_comes_to_is_remembered_by_state(tell: Tell) -> None:
    talk = tell(more("id: up, priority: 20, when: {message: [red]}, do: [{trigger: offer}, {reply: glad}]"))
    for state in ("idle", "offered", "over", "offered", "idle"):
        decision = talk.put(state=state, closed=False).say("red")
        moves = state != "over"
        assert (decision.handler, decision.next_state) == (("up", "offered") if moves else ("llm_fallback", "over"))
        assert decision.triggers == (("offer",) if moves else ())


# --- the order --------------------------------------------------------------------------------


def test_a_lower_priority_is_asked_first(tell: Tell) -> None:
    talk = tell(
        more(
            "id: late, priority: 30, when: {message: [red green blue]}, do: [{reply: glad}]",
            "id: soon, priority: 20, when: {message: [red]}, do: [{reply: glad}]",
        )
    )
    assert talk.say("red green blue").handler == "soon"
    assert rejected(talk) == {"late": "soon is asked first (priority 20)"}


def test_more_matched_words_win_at_the_same_priority(tell: Tell) -> None:
    talk = tell(
        more(
            "id: short, priority: 20, when: {message: [red]}, do: [{reply: glad}]",
            "id: long, priority: 20, when: {message: [red green]}, do: [{reply: glad}]",
        )
    )
    assert talk.say("red green").handler == "long"
    assert rejected(talk) == {"short": "long matched more words (2 against 1)"}


def test_the_files_decide_between_equals(tell: Tell) -> None:
    talk = tell(
        more(
            "id: first, priority: 20, when: {message: [green]}, do: [{reply: glad}]",
            "id: second, priority: 20, when: {message: [red]}, do: [{reply: glad}]",
        )
    )
    assert talk.say("red green").handler == "first"
    assert talk.say("green red").handler == "first"
    assert rejected(talk) == {"second": "first comes first in the files"}


def test_a_handler_without_message_fits_any_message_but_comes_in_its_turn(tell: Tell) -> None:
    talk = tell(more("id: any, priority: 50, do: [{reply: glad}]"))
    assert talk.say("qwertz").handler == "any"
    assert talk.say("talk to a person").handler == "person"


def test_a_block_of_none_alone_fits_any_message_without_these_words(tell: Tell) -> None:
    talk = tell(more("id: any, priority: 50, when: {message: {none: [printer]}}, do: [{reply: glad}]"))
    assert talk.say("qwertz").handler == "any"
    assert talk.say("my printer is offline").handler == "printer_offline"


def test_a_rule_for_short_messages_needs_no_words(tell: Tell) -> None:
    talk = tell(more("id: any, priority: 50, when: {message: {none: [printer], max_words: 2}}, do: [{reply: glad}]"))
    assert talk.say("qwertz qwertz?").handler == "any"
    assert talk.say("qwertz qwertz qwertz").kind == "llm"


def test_handlers_are_asked_before_guides_and_guides_before_the_model(talk: Talk) -> None:
    assert talk.say("printer offline, please call me").handler == "callback"
    assert rejected(talk) == {}
    talk.put(form=None)
    assert talk.say("printer offline").kind == "guide"
    decision = talk.say("qwertz")
    assert (decision.handler, decision.kind, decision.effects) == ("llm_fallback", "llm", (CallModel("printing"),))


# --- why not ----------------------------------------------------------------------------------


def test_every_obstacle_is_named(tell: Tell) -> None:
    talk = tell(
        more(
            "id: state, priority: 1, when: {state: [working, offered], message: [red]}, do: [{reply: glad}]",
            "id: category, priority: 2, when: {category: printing, message: [red]}, do: [{reply: glad}]",
            "id: condition, priority: 3, when: {if: session.turns > 3, message: [red]}, do: [{reply: glad}]",
            "id: trigger, priority: 4, when: {message: [red]}, do: [{trigger: decline}, {reply: glad}]",
            "id: wins, priority: 5, when: {message: [red]}, do: [{reply: glad}]",
        )
    )
    assert talk.say("red").handler == "wins"
    assert rejected(talk) == {
        "state": "the state is idle; it asks for offered or working",
        "category": "the category is other; it asks for printing",
        "condition": "the condition does not hold: session.turns > 3",
        "trigger": "the trigger decline leads nowhere from the state idle",
    }


def test_a_transition_needs_its_condition(tell: Tell) -> None:
    talk = tell(more("id: link, priority: 1, when: {message: [red]}, do: [{trigger: connect}, {reply: glad}]"))
    assert talk.say("red").next_state == "offered"
    talk.now = MONDAY + timedelta(days=2)  # Wednesday: closed
    assert talk.put(state="idle").say("red").handler == "llm_fallback"
    assert rejected(talk)["link"] == "the trigger connect leads nowhere from the state idle"


def test_one_alternative_that_holds_is_enough(talk: Talk) -> None:
    assert talk.put(state="offered", category="printing").say("sure").handler == "solved"
    assert talk.put(state="idle").say("sure").handler == "llm_fallback"


def test_the_winner_shows_its_words_and_patterns(talk: Talk) -> None:
    decision = talk.say("My PRINTER shows ofline")
    assert decision.trace.candidates == (
        Candidate("printer_offline", "guide", 50, True, ("printer shows ofline",), ("printer [is|shows] offline",)),
    )
    assert decision.trace.corrections == (("ofline", "offline"),)
    assert decision.trace.categories[0].id == "printing"
    assert decision.trace.categories[0].evidence == ("printer", "printer shows ofline")
    assert decision.trace.categories[0].score == 3


# --- the last resort --------------------------------------------------------------------------


def test_the_fallback_respects_its_own_conditions(tell: Tell) -> None:
    talk = tell(("handlers.yaml", "    priority: 100\n", "    priority: 100\n    when: {message: {none: [secret]}}\n"))
    assert talk.say("qwertz").kind == "llm"
    decision = talk.say("secret qwertz")
    assert (decision.handler, decision.kind, decision.effects) == (NO_HANDLER, "handler", ())
    assert talk.said == ["no_answer"]


def test_without_a_fallback_handler_the_fallback_is_said(tell: Tell) -> None:
    talk = tell(("handlers.yaml", "  - id: llm_fallback\n    priority: 100\n    do: [{llm: true}]\n", ""))
    assert talk.say("qwertz").handler == NO_HANDLER
    assert talk.said == ["no_answer"]


# --- categories -------------------------------------------------------------------------------


def test_without_evidence_the_category_stays(talk: Talk) -> None:
    assert talk.say("qwertz").category == "other"
    assert talk.say("the scanner").category == "printing"
    assert talk.say("qwertz").category == "printing"
    assert talk.say("a blueprint of a scanner").category == "printing"


def test_small_talk_says_nothing_about_the_category_and_gives_way_to_a_problem(talk: Talk) -> None:
    assert talk.say("hello").category == "other"
    decision = talk.say("hello, my printer is offline since this morning and nobody knows why")
    assert decision.handler == "printer_offline"
    assert talk.say("hello I am writing you about something that happened today").kind == "llm"


# --- guides -----------------------------------------------------------------------------------


def test_a_guide_goes_step_by_step_and_then_offers_a_person(talk: Talk) -> None:
    talk.say("my printer is offline")
    assert (talk.said, talk.session.guide) == (["offline_1"], GuideState("printer_offline", 0))
    assert talk.say("still the same").handler == "unsolved"
    assert (talk.said, talk.session.guide) == (["offline_2"], GuideState("printer_offline", 1, True))
    talk.say("not working")
    assert (talk.said, talk.session.state) == (["offer"], "offered")
    assert talk.session.attempts == 0


def test_a_restated_problem_goes_to_the_next_step(talk: Talk) -> None:
    talk.say("my printer is offline")
    assert talk.say("the printer is offline").handler == "printer_offline"
    assert talk.said == ["offline_2"]
    talk.say("printer offline")
    assert talk.said == ["offer"]


def test_another_problem_starts_another_guide(talk: Talk) -> None:
    talk.say("my printer is offline")
    assert talk.say("the paper is stuck").handler == "paper_jam"
    assert talk.session.guide == GuideState("paper_jam", 0, True)


def test_three_failed_answers_offer_a_person(talk: Talk) -> None:
    talk.put(state="working", attempts=2, guide=GuideState("printer_offline", 0))
    talk.say("still broken")
    assert talk.said == ["offer"]


def test_without_a_guide_the_model_is_asked_again(talk: Talk) -> None:
    talk.put(state="working")
    assert talk.say("still broken").effects == (CallModel("other"),)
    assert talk.session.attempts == 1


def test_attempts_count_within_one_category(tell: Tell) -> None:
    talk = tell(
        ("rules/categories/other.yaml", "guides:\n", "guides:\n  - {id: keys, match: [lost keys], steps: [jam_1]}\n")
    )
    talk.say("printer offline")
    talk.say("still")
    assert talk.session.attempts == 1
    talk.say("the paper is stuck")
    assert talk.session.attempts == 1
    talk.say("I lost keys, lost keys")
    assert (talk.session.category, talk.session.attempts) == ("other", 0)


def test_rules_that_run_in_circles_end(tell: Tell) -> None:
    talk = tell(
        more("id: loop, priority: 1, when: {message: [loop]}, do: [{guide: hello}]"),
        ("rules/categories/other.yaml", "    do: [{reply: welcome}]", "    do: [{reply: welcome}, {guide: hello}]"),
        ("supportbot.yaml", "exhausted: [", "exhausted: [{next_step: true}, "),
    )
    talk.say("loop")
    assert 0 < len(talk.said) <= 100
    talk.put(state="working", attempts=5).say("still")
    assert talk.session.version == 2


# --- captured values --------------------------------------------------------------------------


def test_a_captured_value_fills_its_slot(talk: Talk) -> None:
    talk.say("Hello, my name is Jane Doe")
    assert talk.session.slots["name"] == "Jane Doe"
    assert talk.said == ["ask_phone"]


# --- sessions of other rules ------------------------------------------------------------------


def test_a_session_of_other_rules_is_brought_home(talk: Talk) -> None:
    talk.put(state="gone", form=FormState("gone", "x"), guide=GuideState("gone", 3), category="gone", timeouts_fired=9)
    decision = talk.say("qwertz")
    assert (decision.next_state, decision.category) == ("idle", "other")
    assert (decision.session.form, decision.session.guide) == (None, None)


def test_a_guide_that_became_shorter_is_exhausted(talk: Talk) -> None:
    talk.put(state="working", guide=GuideState("printer_offline", 7)).say("still")
    assert talk.said == ["offer"]


def test_a_question_of_a_form_that_is_gone_is_asked_anew(talk: Talk) -> None:
    talk.put(state="calling", form=FormState("callback", "gone", {"name": "Jane"})).say("hm")
    assert talk.said == ["ask_phone"]


def test_what_is_known_of_the_visitor_is_not_lost_to_an_empty_field(talk: Talk) -> None:
    talk.say("hello", visitor={"name": "Jane", "email": ""})
    talk.say("hello", visitor={"name": "", "phone": "1"})
    assert talk.session.visitor == {"name": "Jane", "phone": "1"}


def test_a_long_message_is_read_up_to_its_limit(talk: Talk, bot: Bot) -> None:
    limit = bot.settings.limits.message_chars
    assert talk.say("x " * (limit // 2) + "my printer is offline").kind == "llm"
    assert len(talk.session.history[-1].said) == limit
    talk.put(state="calling", form=FormState("callback", "phone", {"name": "Jane"}))
    talk.say("x " * (limit // 2) + "07911 123456")
    assert talk.said == ["bad_phone"]


def test_an_action_gets_the_slots_of_its_moment(tell: Tell) -> None:
    talk = tell(
        more("id: act, when: {message: [act]}, do: [{set: {name: Ann}}, {action: book_call}, {set: {name: Bob}}]")
    )
    (effect,) = talk.say("act").effects
    assert isinstance(effect, CallAction)
    assert effect.slots["name"] == "Ann"
    assert talk.session.slots["name"] == "Bob"


@pytest.mark.parametrize("text", ["my printer is offline", "talk to a person", "qwertz", ""])
def test_counters_grow_by_one(talk: Talk, text: str) -> None:
    talk.say(text)
    assert (talk.session.version, talk.session.turns, talk.session.updated_at) == (1, 1, MONDAY)
    assert talk.session.history[-1].said == text
    talk.say(text)
    assert (talk.session.version, talk.session.turns) == (2, 2)


# --- a message that says "no" and names something else ------------------------------------------


def test_no_with_another_problem_goes_to_that_problem(talk: Talk) -> None:
    talk.say("my printer is offline")
    decision = talk.say("no, now the paper is stuck")
    assert decision.handler == "unsolved"
    assert talk.said == ["jam_1"]
    assert talk.session.guide == GuideState("paper_jam", 0, True)


def test_no_with_the_same_problem_goes_to_the_next_step(talk: Talk) -> None:
    talk.say("my printer is offline and the paper is fine")
    assert talk.say("no, still offline my printer").handler == "unsolved"
    assert talk.said == ["offline_2"]


def test_answers_in_one_go_count_for_their_category_unless_they_are_small_talk(bot: Bot) -> None:
    guide = bot.guides["hello"]
    assert guide.small_talk
    assert not guide.steps
