"""test: conversations, examples, coverage, in three formats."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from tests.cli.conftest import Run

CONVERSATIONS = "tests/conversations/printing.yaml"


def spoil(small: Path, old: str, new: str, file: str = CONVERSATIONS) -> None:
    path = small / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_a_sound_bot_passes(command: Run, small: Path) -> None:
    done = command("test", cwd=small)
    assert done.returncode == 0
    assert done.stdout.startswith("5 passed: 1 conversation and 4 examples")


def test_a_failed_conversation_says_what_where_and_why(command: Run, small: Path) -> None:
    spoil(small, "state: working", "state: closed")
    done = command("test", cwd=small)
    assert done.returncode == 1
    assert "failed offline, then the end" in done.stdout
    assert f'{CONVERSATIONS}:5:71: step 1, "my printer is offline"' in done.stdout
    assert "state: expected 'closed'" in done.stdout
    assert "but got  'working'" in done.stdout
    assert "guide printer_offline" in done.stdout


def test_a_failed_example_fails_test_and_validate(command: Run, small: Path) -> None:
    spoil(small, "my printer is offline", "my scanner is offline", "rules/categories/printing.yaml")
    tested, validated = command("test", cwd=small), command("validate", cwd=small)
    assert (tested.returncode, validated.returncode) == (1, 1)
    for done in (tested, validated):
        assert "rules/categories/printing.yaml:8:24:" in done.stdout
        assert "'my scanner is offline' should belong to the guide printer_offline" in done.stdout


def test_a_wrong_test_file_fails(command: Run, small: Path) -> None:
    spoil(small, "wait: 11m", "waits: 11m")
    done = command("test", cwd=small)
    assert done.returncode == 1
    assert f"{CONVERSATIONS}:6:9: error [" in done.stdout


def test_choosing_by_name_and_by_path(command: Run, small: Path, tmp_path: Path) -> None:
    for arguments in (["--run", "then the"], ["--run", "offline*"], [CONVERSATIONS], ["tests"]):
        done = command("test", *arguments, cwd=small)
        assert done.stdout.startswith("1 passed: 1 conversation and 0 examples"), done.stderr
    from_outside = command("test", f"small/{CONVERSATIONS}", cwd=tmp_path)
    assert from_outside.stdout.startswith("1 passed")
    whole = command("test", "small", cwd=tmp_path)
    assert whole.stdout.startswith("5 passed")


def test_a_name_or_path_that_fits_nothing_is_wrong_usage(command: Run, small: Path) -> None:
    done = command("test", "--run", "ofline", cwd=small)
    assert done.returncode == 2
    assert "offline, then the end" in done.stderr
    assert command("test", "tests/nothing.yaml", cwd=small).returncode == 2


def test_coverage(command: Run, small: Path) -> None:
    done = command("test", "--coverage", cwd=small)
    assert done.returncode == 0
    assert "handlers.yaml:7: handler llm_fallback" in done.stdout
    assert command("test", "--fail-under", "10", cwd=small).returncode == 0
    short = command("test", "--fail-under", "100", cwd=small)
    assert short.returncode == 1
    assert "100 % was asked for" in short.stdout


def test_json(command: Run, small: Path) -> None:
    spoil(small, "handler: goodbye", "handler: goodby")
    done = command("test", "--format", "json", cwd=small)
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert document["summary"] == {"conversations": 1, "examples": 4, "failed": 1}
    (conversation,) = document["conversations"]
    assert (conversation["passed"], conversation["file"]) == (False, CONVERSATIONS)
    (failure,) = conversation["failures"]
    assert failure["key"] == "handler"
    assert "did you mean 'goodbye'?" in failure["expected"]
    assert {item["kind"] for item in document["examples"]} == {"match", "no_match"}


def test_json_stays_whole_when_too_little_is_covered(command: Run, small: Path) -> None:
    done = command("test", "--format", "json", "--fail-under", "100", cwd=small)
    assert done.returncode == 1
    assert json.loads(done.stdout)["summary"]["failed"] == 0
    assert "100 % was asked for" in done.stderr


def test_junit(command: Run, small: Path) -> None:
    spoil(small, "state: working", "state: closed")
    done = command("test", "--format", "junit", cwd=small)
    tree = ElementTree.fromstring(done.stdout.encode())
    assert (tree.attrib["tests"], tree.attrib["failures"]) == ("5", "1")
