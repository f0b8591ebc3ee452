"""The runner of conversation tests and examples, itself tested."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.runtime.desk_bot import CONVERSATIONS, FILES, desk_bot

from supportbot.errors import UsageError
from supportbot.runtime.checks import CheckReport, failing_examples, run_checks

TESTS = "tests/conversations/a.yaml"


def checked(folder: Path, conversations: str, changes: dict[str, str] | None = None) -> CheckReport:
    bot = desk_bot(folder, {TESTS: conversations, **(changes or {})})
    return run_checks(bot, folder)


def one(steps: str, name: str = "one") -> str:
    return f"conversations:\n  - name: {name}\n    steps:\n{steps}"


def test_conversations_that_hold(tmp_path: Path) -> None:
    report = checked(tmp_path, CONVERSATIONS)
    assert report.ok, [str(failure) for item in report.conversations for failure in item.failures]
    assert [item.name for item in report.conversations] == ["printer offline, then a ticket", "the model"]
    assert len(report.examples) == 10
    said = [played.reply.text for played in report.conversations[0].played]
    assert said == ["Is it switched on?", "Are you still there?", "Your ticket is DEMO-1001."]


@pytest.mark.parametrize(
    ("expect", "key", "expected", "got"),
    [
        ("category: other", "category", "'other'", "'printing'"),
        ("handler: [ticket, bye]", "handler", "'ticket' or 'bye'", "'printer_offline'"),
        ("handler: tickt", "handler", "'tickt' (there is no 'tickt'; did you mean 'ticket'?)", "'printer_offline'"),
        ("state: greeting", "state", "'greeting'", "'troubleshooting'"),
        ("reply: offline_2", "reply", "'offline_2'", "'offline_1'"),
        ("contains: Switched off", "contains", "'Switched off'", "'Is it switched on?'"),
        ("suggestions: [Yes]", "suggestions", "'Yes'", "nothing"),
        ("slots: {summary: it}", "slots.summary", "'it'", "nothing"),
        ("actions: [create_ticket]", "actions", "'create_ticket'", "nothing"),
        ("llm: true", "llm", "true", "false"),
    ],
)
def test_a_failure_says_where_what_and_why(tmp_path: Path, expect: str, key: str, expected: str, got: str) -> None:
    report = checked(tmp_path, one(f"      - say: my printer is offline\n        expect: {{{expect}}}\n"))
    (failure,) = report.conversations[0].failures
    assert (failure.key, failure.expected, failure.got) == (key, expected, got)
    assert (failure.place.file, failure.place.line, failure.step) == (TESTS, 5, 1)
    assert str(failure).startswith(f"{TESTS}:5:")
    assert any("printer_offline" in line and "answered" in line for line in failure.trace)
    assert not report.ok


@pytest.mark.parametrize(
    "expect",
    [
        "category: [other, printing]",
        "reply: [offline_2, offline_1]",
        "contains: ['nothing', 'SWITCHED   on']",
        "suggestions: []",
        "actions: []",
        "slots: {summary: null}",
        "llm: false",
    ],
)
def test_what_is_enough(tmp_path: Path, expect: str) -> None:
    assert checked(tmp_path, one(f"      - say: my printer is offline\n        expect: {{{expect}}}\n")).ok


def test_a_form_may_be_named_with_or_without_its_prefix(tmp_path: Path) -> None:
    steps = """
      - say: my details
        expect: {handler: ask_name, reply: ask_summary}
      - say: the chair squeaks
        expect: {handler: details, slots: {summary: the chair squeaks}}
      - say: my details
      - say: it squeaks still
        expect: {handler: form.details}
"""
    report = checked(tmp_path, one(steps))
    assert report.ok, [str(failure) for item in report.conversations for failure in item.failures]


def test_the_clock_of_a_test(tmp_path: Path) -> None:
    changes = {
        "rules/responses.yaml": FILES["rules/responses.yaml"].replace('"Goodbye."', '"{{ now.date }} {{ now.time }}"')
    }
    conversations = """
conversations:
  - name: default
    steps: [{say: goodbye, expect: {contains: "2026-11-23 10:00"}}]
  - name: in the bot's zone
    at: 2026-07-01T09:30
    steps: [{wait: 1h, say: goodbye, expect: {contains: "2026-07-01 10:30"}}]
  - name: closed by silence, then new
    steps:
      - say: printer offline
      - {wait: 31m, expect: {state: closed}}
      - {say: printer offline, expect: {state: troubleshooting}}
"""
    report = checked(tmp_path, conversations, changes)
    assert report.ok, [str(failure) for item in report.conversations for failure in item.failures]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("conversations: [", None),
        (one("      - say: hello\n        expect: {categry: x}\n"), "unknown-key"),
        (one("      - expect: {llm: true}\n"), "missing-key"),
        (one("      - wait: soon\n"), None),
        ("conversations:\n  - name: x\n    at: yesterday\n    steps: [{say: hi}]\n", "bad-date"),
        ("- a\n", None),
        ("", None),
    ],
)
def test_a_test_file_that_is_wrong_is_a_finding(tmp_path: Path, text: str, code: str | None) -> None:
    report = checked(tmp_path, text)
    assert not report.ok
    assert report.diagnostics[0].place.file == TESTS
    assert code is None or code in [item.code for item in report.diagnostics]


def test_an_example_that_its_rule_does_not_win(tmp_path: Path) -> None:
    handlers = FILES["handlers.yaml"].replace("please open a ticket", "my printer is offline, open the ticket")
    (finding,) = failing_examples(desk_bot(tmp_path, {"handlers.yaml": handlers}))
    assert (finding.code, finding.place.file, finding.place.line) == ("failing-example", "handlers.yaml", 7)
    assert "the guide printer_offline answers it" in finding.message
    assert "none of its patterns" in finding.hint


def test_an_example_that_its_rule_must_not_win(tmp_path: Path) -> None:
    handlers = FILES["handlers.yaml"].replace("the parking ticket machine", "open a ticket machine")
    (finding,) = failing_examples(desk_bot(tmp_path, {"handlers.yaml": handlers}))
    assert "should not belong to the handler ticket" in finding.message
    assert "(open|raise) [a] ticket" in finding.hint


def test_examples_of_categories_states_and_conditions(tmp_path: Path) -> None:
    handlers = (
        FILES["handlers.yaml"]
        + """
  - id: late
    priority: 3
    when: {message: [late], if: "not hours.open"}
    do: [{reply: thanks}]
    examples: {match: [too late]}
  - id: tired
    priority: 4
    when: {state: [troubleshooting], message: [tired], if: "session.attempts >= 3"}
    do: [{reply: thanks}]
    examples: {match: [{text: so tired, state: troubleshooting}, i am tired]}
  - id: never
    priority: 5
    when: {message: [never], if: "session.turns > 1000"}
    do: [{reply: thanks}]
    examples: {match: [oh never]}
"""
    )
    printing = FILES["rules/categories/printing.yaml"].replace("[the screen]", "[x]").replace("the screen", "print it")
    changes = {"handlers.yaml": handlers, "rules/categories/printing.yaml": printing}
    findings = failing_examples(desk_bot(tmp_path, changes))
    assert [finding.message.split(",")[0] for finding in findings] == [
        "'oh never' should belong to the handler never",
        "'print it' should not belong to the category printing",
    ]
    assert findings[0].hint == "the condition does not hold: session.turns > 1000"


def test_coverage_counts_and_places_what_no_test_shows(tmp_path: Path) -> None:
    coverage = checked(tmp_path, CONVERSATIONS).coverage
    shown = {item.part: (item.shown, item.total) for item in coverage.parts}
    assert shown == {
        "handler": (2, 4),
        "guide": (1, 1),
        "step": (1, 2),
        "form": (0, 1),
        "response": (4, 14),
        "state": (3, 4),
        "transition": (3, 5),
    }
    missing = [(item.id, item.place.file, item.place.line) for item in coverage.missing if item.part == "step"]
    assert missing == [("printer_offline, step 2", "rules/categories/printing.yaml", 8)]
    assert round(coverage.percent, 1) == round(100 * 14 / 31, 1)


def test_a_time_out_covers_its_transition(tmp_path: Path) -> None:
    report = checked(tmp_path, one("      - say: printer offline\n      - wait: 40m\n"))
    assert "end to closed" not in [item.id.split(" (")[0] for item in report.coverage.missing]


def test_choosing_by_path_and_by_name(tmp_path: Path) -> None:
    bot = desk_bot(tmp_path, {TESTS: CONVERSATIONS, "tests/conversations/b.yaml": one("      - say: x\n", "other")})
    assert len(run_checks(bot, tmp_path).conversations) == 3
    chosen = run_checks(bot, tmp_path, [tmp_path / "tests/conversations/b.yaml"])
    assert [item.name for item in chosen.conversations] == ["other"]
    assert chosen.examples == ()
    assert [item.name for item in run_checks(bot, tmp_path, name="MODEL").conversations] == ["the model"]
    assert [item.name for item in run_checks(bot, tmp_path, name="printer*").conversations] == [
        "printer offline, then a ticket"
    ]
    with pytest.raises(UsageError, match="does not exist"):
        run_checks(bot, tmp_path, [tmp_path / "nowhere.yaml"])


def test_a_bot_without_tests_has_none_to_fail(tmp_path: Path) -> None:
    report = run_checks(desk_bot(tmp_path), tmp_path)
    assert report.conversations == ()
    assert report.ok


def test_the_runner_stays_light() -> None:
    program = "import sys, supportbot.runtime.checks; print({'aiohttp', 'litellm', 'asyncio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
