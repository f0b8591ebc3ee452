"""A bot without mistakes becomes the records that its files describe."""

from __future__ import annotations

from datetime import date, time

from tests.compiler.conftest import SMALL, Load

from supportbot.model.bot import BodyMap
from supportbot.model.steps import AskModel, FireTrigger, OpenForm, RunAction, SayResponse, SetSlots, Template


def test_the_small_bot_has_no_finding(load: Load) -> None:
    compiled = load()
    assert compiled.diagnostics == ()
    assert compiled.bot is not None
    assert compiled.files == len(SMALL)


def test_handlers_are_sorted_by_priority(load: Load) -> None:
    bot = load().bot
    assert [handler.id for handler in bot.handlers] == ["callback", "person", "llm_fallback"]
    callback, person, fallback = bot.handlers
    assert [step.values[0][0] for step in callback.do if isinstance(step, SetSlots)] == ["urgent"]
    assert callback.do[1] == OpenForm("callback")
    assert person.do == (FireTrigger("offer"), SayResponse("offer_person"))
    assert [item.text for item in person.examples.match] == ["a person please"]
    assert fallback.do == (AskModel(),)
    assert fallback.when[0].block is None


def test_alternatives_of_a_rule_are_parts_of_it(load: Load) -> None:
    bot = load().bot
    person = bot.handler_by_id["person"]
    assert person.when[0].states == {"working", "offered"}
    assert person.when[1].categories == {"printing"}
    assert person.when[1].condition.source == "session.attempts >= 2"
    blocks = [bot.index.blocks[when.block] for when in person.when]
    assert [(block.owner, block.part) for block in blocks] == [(("handler", "person"), 0), (("handler", "person"), 1)]


def test_categories_and_guides(load: Load) -> None:
    bot = load().bot
    printing = bot.categories["printing"]
    assert printing.guides == ("printer_offline", "hello_printer")
    assert printing.prompt == SMALL["prompts/categories/printing.md"]
    assert bot.categories["other"].block is None
    assert bot.guides["printer_offline"].steps == ("step_1", "step_2")
    assert bot.guides["printer_offline"].order < bot.guides["hello_printer"].order
    assert [item.text for item in bot.guides["hello_printer"].examples.match] == ["hello printer x"]


def test_slots_come_from_forms_steps_patterns_and_actions(load: Load) -> None:
    assert load().bot.slots == {"phone", "urgency", "urgent", "topic", "model", "ticket", "note"}


def test_responses_by_language_and_channel(load: Load) -> None:
    wordings = load().bot.responses["welcome"].wordings
    shown = {key: [part.source for part in wording.variants] for key, wording in wordings.items()}
    assert shown == {(None, None): ["Hello"], (None, "salesiq"): ["Hello there"], ("fr", None): ["Bonjour"]}
    assert [part.source for part in wordings[None, "salesiq"].suggestions] == ["My printer"]


def test_texts_without_markup_are_literal(load: Load) -> None:
    bot = load().bot
    literal = {name: item.wordings[None, None].variants[0].literal for name, item in bot.responses.items()}
    assert literal["step_1"]
    assert not literal["step_2"]


def test_actions_know_their_body_and_what_they_read(load: Load) -> None:
    bot = load().bot
    action = bot.actions["create_call"]
    assert action.inputs == {"topic", "phone", "urgency"}
    assert action.save == (("ticket", "/id"),)
    assert action.method == "POST"
    assert isinstance(action.body, BodyMap)
    body = dict(action.body.items)
    assert isinstance(body["phone"], Template)
    assert isinstance(body["tags"], tuple)
    assert body["tags"][0].source == "bot"
    assert body["priority"] == 3
    assert bot.connections["desk"].timeout == 5
    assert bot.forms["callback"].done == (RunAction("create_call"),)


def test_forms(load: Load) -> None:
    bot = load().bot
    phone, urgency = bot.forms["callback"].slots
    assert phone.prefill == ("visitor.phone", "message")
    owners = [bot.index.blocks[block].owner for _, block in urgency.choices]
    assert owners == [("choice", "callback.urgency.high"), ("choice", "callback.urgency.low")]
    words = bot.form_words
    assert [bot.index.blocks[block].owner for block in (words.yes, words.no, words.cancel)] == [
        ("form", "yes"),
        ("form", "no"),
        ("form", "cancel"),
    ]


def test_settings(load: Load) -> None:
    settings = load().bot.settings
    assert settings.hours.days == {0: ((time(9), time(12)), (time(13), time(17, 30)))}
    assert settings.hours.holidays == {date(2026, 12, 25)}
    assert str(settings.hours.zone) == "Europe/London"
    assert settings.llm.deadline == 8
    assert settings.llm.requests == {"person": (FireTrigger("offer"),)}
    assert settings.llm.system is not None
    assert settings.llm.system.place.file == "prompts/system.md.j2"


def test_timeouts_are_in_order(load: Load) -> None:
    working = load().bot.graph.states["working"]
    assert [item.after for item in working.timeouts] == [600, 1800]
    assert working.title == "working"
