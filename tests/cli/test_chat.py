"""chat: a conversation through a pipe."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run


def test_a_conversation(command: Run, small: Path) -> None:
    said = "my printer is offline\n\n/wait 11m\n/trace\ngoodbye\n/wait soon\n/what\n/reset\n/quit\nnever read\n"
    done = command("chat", cwd=small, stdin=said)
    assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout
    assert shown.count("Hello! What is wrong?") == 2  # at the start, and after /reset
    assert "bot> Switch the printer off and on again." in shown
    assert "guide printer_offline · printing · greeting → working" in shown
    assert "bot> Are you still there?" in shown
    assert "the conversation is closed" in shown
    assert "rule  goodbye (handler, priority 5)" in shown
    assert "/wait 31m, /wait 90s, /wait 2h" in shown
    assert "never read" not in shown


def test_the_end_of_the_input_ends_it(command: Run, small: Path) -> None:
    done = command("chat", "--trace", cwd=small, stdin="anything at all")
    assert done.returncode == 0
    assert "model: off" in done.stdout
    assert "I do not know that yet." in done.stdout


def test_a_visitors_text_cannot_steer_the_terminal(command: Run, small: Path) -> None:
    done = command("chat", "--trace", cwd=small, stdin="printer offline \x1b[31m\x07\n")
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


def test_a_broken_env_file_is_named(command: Run, small: Path) -> None:
    (small / ".env").write_bytes(b"NAME=\xff\xfe")
    done = command("chat", cwd=small)
    assert done.returncode == 2
    assert ".env cannot be read" in done.stderr
