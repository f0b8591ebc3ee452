"""Conditions that never hold or always do, and blocks that no message fits."""

from __future__ import annotations

import pytest
from tests.proofs.worlds import GRAPH, SETTINGS, compiled

from supportbot.diagnostics import Diagnostic
from supportbot.proofs.conditions import find_constant_conditions
from supportbot.proofs.ground import Ground
from supportbot.proofs.phrases import find_idle_phrases

HOURS = "hours: {monday: ['09:00-17:30']}\n"
FORMS = (
    "words: {yes: [ok], no: [nope], cancel: [stop]}\nforms:\n  - id: f\n    slots: [{name: urgency, type: choice, ask: r, choices: {low: [low], high: [high]}},"
    " {name: other, type: text, ask: r}]\n    done: [{reply: r}]\n"
)
LAST = "  - {id: llm_fallback, priority: 100, do: [{llm: true}]}\n"


def findings(condition: str) -> list[Diagnostic]:
    rule = f'  - {{id: one, priority: 1, when: {{message: [foo], if: "{condition}"}}, do: [{{form: f}}]}}\n'
    sources = {"handlers.yaml": "handlers:\n" + rule + LAST, "rules/forms.yaml": FORMS}
    bot = compiled({**sources, "supportbot.yaml": SETTINGS + HOURS, "states.yaml": GRAPH})
    return find_constant_conditions(bot)


def codes(condition: str) -> list[str]:
    return [item.code for item in findings(condition)]


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        (
            "now.weekday == 'monday'",
            "weekdays are written Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday",
        ),
        ("session.category == 'x'", "known: c"),
        ("slots.urgency == 'hihg'", "did you mean 'high'?"),
        ("slots.urgency == 'low' and not slots.urgency", "change the condition, or remove the rule"),
    ],
)
def test_a_value_that_is_never_there_is_told_from_those_that_are(condition: str, hint: str) -> None:
    assert [item.hint for item in findings(condition)] == [hint]


@pytest.mark.parametrize(
    "condition",
    [
        "not slots.other and slots.other",
        "slots.other == 'a' and slots.other == 'b'",
        "slots.urgency == 'medium'",
        "slots.urgency == 'medium' and slots.other",
        "now.hour == 8 and hours.open",
        "now.weekday == 'Sunday' and hours.open",
        "now.hour == 24",
        "now.hour > 23 and slots.other",
        "session.state == 'over'",
        "bot.name == 'other'",
        "(slots.other | length > 3) and not (slots.other | length > 3)",
    ],
)
def test_what_can_never_hold_is_found(condition: str) -> None:
    assert codes(condition) == ["condition-never-holds"]


@pytest.mark.parametrize(
    "condition",
    ["slots.other == 'a' or slots.other != 'a'", "slots.other or not slots.other", "now.hour < 24 or slots.other"],
)
def test_what_always_holds_is_found(condition: str) -> None:
    assert codes(condition) == ["condition-always-holds"]


@pytest.mark.parametrize(
    "condition",
    [
        "slots.other",
        "slots.other and not slots.urgency",
        "slots.other == 'a' or slots.other == 'b'",
        "slots.other != 'a' and slots.other != 'b'",
        "slots.other and slots.other == 'a'",
        "slots.urgency == 'low'",
        "not slots.urgency",
        "now.hour == 17 and hours.open",
        "now.hour == 12 and not hours.open",
        "session.state == 'two'",
        "slots.other | length > 3 and slots.other | length < 9",
    ],
)
def test_nothing_is_said_about_other_conditions(condition: str) -> None:
    assert codes(condition) == []


def idle(message: str) -> list[tuple[str, str]]:
    rule = f"  - {{id: one, priority: 1, when: {{message: {message}}}, do: [{{reply: r}}]}}\n"
    bot = compiled({"handlers.yaml": "handlers:\n" + rule + LAST})
    return [(item.code, item.severity) for item in find_idle_phrases(Ground(bot))]


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("{any: [alpha beta gamma], max_words: 2}", [("self-cancelling", "error")]),
        ("{any: [alpha, beta gamma delta], max_words: 2}", [("phrase-never-matches", "warning")]),
        ("{all: [alpha beta gamma, beta], max_words: 2}", [("self-cancelling", "error")]),
        ('{any: [alpha beta, "alpha * beta"], max_words: 2}', []),
        (
            "{all: [{phrase: alpha, at: whole}, {phrase: beta, at: whole}]}",
            [("self-cancelling", "error")],
        ),
        ("{any: [beta], all: [{phrase: alpha, at: whole}]}", [("self-cancelling", "error")]),
        ("{any: [beta], all: [{phrase: alpha beta, at: whole}]}", []),
        ("{any: [{phrase: alpha, at: whole}, {phrase: beta, at: whole}]}", []),
    ],
)
def test_a_block_that_no_message_fits_is_found(message: str, found: list[tuple[str, str]]) -> None:
    assert idle(message) == found
