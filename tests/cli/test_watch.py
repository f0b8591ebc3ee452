"""validate --watch: after each save once, whatever happens to the files."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import COMMAND, Run

from supportbot.cli.checking import check
from supportbot.cli.watching import settled, snapshot, wait_for_change
from supportbot.config import folder
from supportbot.config.folder import Memory, read_bot


class Watching:
    """The command while it runs; ``until`` reads what it prints up to a line that holds a text."""

    def __init__(self, bot: Path) -> None:
        self.process = subprocess.Popen(
            [str(COMMAND), "validate", "--watch"],
            cwd=bot,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "GITHUB_ACTIONS": "true"},
        )
        self.alarm = threading.Timer(60, self.process.kill)  # a test that hangs ends here, with what was read so far
        self.alarm.start()

    def until(self, wanted: str) -> list[str]:
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line.rstrip("\n"))
            if wanted in line:
                return lines
        raise AssertionError(f"{wanted!r} never came: {lines}")

    def round(self) -> list[str]:
        return self.until("watching;")


@pytest.fixture
def watching(small: Path) -> Iterator[Watching]:
    started = Watching(small)
    yield started
    started.alarm.cancel()
    if started.process.poll() is None:
        started.process.kill()
    started.process.communicate()


def test_every_save_is_checked(watching: Watching, small: Path) -> None:
    handlers = small / "handlers.yaml"
    text = handlers.read_text("utf-8")
    assert any(line.startswith("no mistakes") for line in watching.round())
    handlers.write_text(text.replace("{reply: bye}", "{reply: byee}"), "utf-8")
    second = watching.round()
    assert "after a change of handlers.yaml" in second[0]
    assert any("there is no response 'byee'" in line for line in second)
    assert any("{reply: byee}" in line for line in second)  # the line as it is now, not as it was
    handlers.unlink()
    assert any("the bot has no handlers.yaml" in line for line in watching.round())
    handlers.write_text(text[:40], "utf-8")
    assert any("error" in line for line in watching.round())
    handlers.write_text(text, "utf-8")
    assert any(line.startswith("no mistakes") for line in watching.round())


def test_an_interrupt_ends_it(watching: Watching) -> None:
    watching.round()
    watching.process.send_signal(signal.SIGINT)
    assert watching.process.wait(timeout=30) == 130
    assert watching.process.stdout is not None
    assert "Traceback" not in watching.process.stdout.read()


@pytest.mark.parametrize("arguments", [["--fix"], ["--format", "json"]], ids=" ".join)
def test_it_prints_text_and_changes_nothing(command: Run, small: Path, arguments: list[str]) -> None:
    done = command("validate", "--watch", *arguments, cwd=small)
    assert done.returncode == 2
    assert "--watch" in done.stderr


def test_files_that_come_and_go_are_seen(small: Path) -> None:
    seen = snapshot(small)
    assert "handlers.yaml" in seen
    assert "rules/categories/printing.yaml" in seen
    (small / "rules" / "lists.yaml").write_text("lists: {}\n", "utf-8")
    state, changed = wait_for_change(small, seen)
    assert changed == ("rules/lists.yaml",)
    (small / "rules" / "lists.yaml").unlink()
    assert wait_for_change(small, state)[1] == ("rules/lists.yaml",)
    assert snapshot(small / "nowhere") == {}


def test_a_save_in_several_goes_is_waited_for(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = snapshot(small)
    states = [{"a": (1, 1, 1)}, {"a": (2, 2, 1)}, {"a": (2, 2, 1)}]
    monkeypatch.setattr("supportbot.cli.watching.snapshot", lambda _root: states.pop(0))
    assert settled(small, {"a": (0, 0, 1)}, seen) == {"a": (2, 2, 1)}


def test_only_changed_files_are_parsed_again(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    original = folder.read_yaml

    def counting(source: str | bytes, file: str) -> object:
        parsed.append(file)
        return original(source, file)

    monkeypatch.setattr(folder, "read_yaml", counting)
    memory = Memory()
    first = read_bot(small, memory)
    assert "handlers.yaml" in parsed
    assert len(parsed) == len(first.documents)
    parsed.clear()
    assert read_bot(small, memory) == first
    assert parsed == []
    handlers = small / "handlers.yaml"
    handlers.write_text(handlers.read_text("utf-8") + "# more\n", "utf-8")
    assert read_bot(small, memory) == read_bot(small)
    assert parsed.count("handlers.yaml") == 2  # one of them without the memory
    assert parsed.count("states.yaml") == 1


def test_a_remembered_bot_gives_the_same_findings(broken: Path) -> None:
    memory = Memory()
    assert check(broken, memory) == check(broken, memory) == check(broken)


def test_contents_can_be_tried(small: Path) -> None:
    text = (small / "handlers.yaml").read_bytes()
    findings, _ = check(small, None, {"handlers.yaml": text.replace(b"{reply: bye}", b"{reply: byee}")})
    assert [item.code for item in findings if item.severity == "error"] == ["unknown-response"]
    assert check(small)[0] == ()
