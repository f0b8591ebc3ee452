"""0 fine, 1 findings, 2 wrong usage, 3 internal error, 130 interrupted: of the command as it is installed."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from tests.cli.conftest import COMMAND, Run

from supportbot import __version__
from supportbot.cli import main
from supportbot.cli.crash import report, without_secrets


def test_version(command: Run) -> None:
    done = command("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"supportbot, version {__version__}")


def test_help_names_every_verb(command: Run) -> None:
    done = command("--help")
    assert done.returncode == 0
    for verb in main.VERBS:
        assert f"  {verb} " in done.stdout


@pytest.mark.parametrize("verb", list(main.VERBS))
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([verb, "--help"]) == 0
    assert f"Usage: supportbot {verb}" in capsys.readouterr().out


def test_a_sound_bot_is_0(command: Run, small: Path) -> None:
    done = command("validate", str(small))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("no mistakes in 6 files")


def test_the_bot_is_found_from_a_folder_inside_it(command: Run, small: Path) -> None:
    done = command("validate", cwd=small / "rules" / "categories")
    assert done.returncode == 0


def test_a_broken_bot_is_1(command: Run, broken: Path) -> None:
    done = command("validate", cwd=broken)
    assert done.returncode == 1
    assert "handlers.yaml:5:35: error [unknown-response]" in done.stdout


def test_a_verb_that_needs_a_sound_bot_shows_the_mistakes(command: Run, broken: Path) -> None:
    done = command("graph", cwd=broken)
    assert (done.returncode, done.stdout) == (1, "")
    assert "handlers.yaml:5:35: error [unknown-response]" in done.stderr
    assert "supportbot validate" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["valdiate"], "did you mean 'validate'?"),
        (["validate", "--strickt"], "No such option"),
        (["validate", "--format", "yaml"], "Invalid value for '--format'"),
        (["validate", "not-there"], "there is no folder not-there"),
        (["explain"], "say what to explain"),
        (["explain", "hello", "--state", "greting"], "did you mean 'greeting'?"),
        (["explain", "hello", "--why-not", "goodby"], "did you mean 'goodbye'?"),
        (["explain", "hello", "--at", "noon"], "write it like"),
        (["explain", "--input", "nothing.jsonl"], "nothing.jsonl"),
    ],
)
def test_wrong_usage_is_2(command: Run, small: Path, arguments: list[str], said: str) -> None:
    done = command(*arguments, cwd=small)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_no_bot_anywhere_is_2(command: Run, tmp_path: Path) -> None:
    done = command("validate", cwd=tmp_path)
    assert done.returncode == 2
    assert "supportbot init" in done.stderr


def test_a_bug_is_3_with_a_report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def explode(*_: object, **__: object) -> None:
        token = "tok-" + "12345"
        raise RuntimeError(f"the token is {token}, somehow")

    monkeypatch.setenv("DESK_ACCESS_TOKEN", "tok-12345")
    monkeypatch.setattr(main.supportbot, "make_context", explode)
    assert main.run(["explain", "my private words", "--format=json"]) == 3
    shown = capsys.readouterr().err
    assert f"supportbot {__version__}" in shown
    assert "RuntimeError: the token is [DESK_ACCESS_TOKEN], somehow" in shown
    assert "tok-12345" not in shown
    assert "my private words" not in shown
    assert "command: supportbot explain ... --format" in shown


def test_reports_name_no_folder_of_this_machine() -> None:
    try:
        raise ValueError(f"could not read {Path.home()}/bot")
    except ValueError as problem:
        text = report(problem, ["validate"])
    assert str(Path.home()) not in text
    assert "~/bot" in text


def test_short_values_are_no_secrets() -> None:
    assert without_secrets("a bad line", {"API_KEY": "a"}) == "a bad line"


def test_interrupting_is_130(small: Path) -> None:
    chatting = subprocess.Popen(
        [str(COMMAND), "chat", str(small)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert chatting.stdout is not None
    assert chatting.stdout.readline()  # it has begun
    chatting.send_signal(signal.SIGINT)
    _, shown = chatting.communicate(timeout=60)
    assert chatting.returncode == 130
    assert b"Traceback" not in shown


def test_a_reader_that_goes_away_is_no_error(small: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [str(COMMAND), "graph", str(small)], stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_validate_says_its_exit_codes(command: Run) -> None:
    shown = command("validate", "--help").stdout
    for code in ("0 fine", "1 findings", "2 wrong usage", "3 internal error", "130"):
        assert code in " ".join(shown.split())


def test_an_empty_file_that_a_bot_needs_is_not_to_be_deleted(command: Run, small: Path) -> None:
    (small / "handlers.yaml").write_text("", "utf-8")
    shown = command("validate", cwd=small).stdout
    assert "[empty-value] the file holds nothing" in shown
    assert "delete it" not in shown


def test_validate_reports_broken_conversation_tests(command: Run, small: Path) -> None:
    (small / "tests" / "conversations" / "more.yaml").write_text("conversations:\n  - nam: x\n", "utf-8")
    done = command("validate", cwd=small)
    assert done.returncode == 1
    assert "tests/conversations/more.yaml:2:5: error" in done.stdout
