"""explain-check: the section of every code, as a terminal shows it."""

from __future__ import annotations

import pytest
from tests.cli.conftest import Run
from tests.docs.test_checks_page import codes_in_the_package

from supportbot.cli.check_pages import sections
from supportbot.cli.explain_check import explained, listed, section_of
from supportbot.cli.terminal import Paint
from supportbot.errors import UsageError

PLAIN = Paint(False)


@pytest.mark.parametrize("code", sorted(codes_in_the_package()))
def test_every_code_is_explained(code: str) -> None:
    text = explained(section_of(code), PLAIN)
    assert text.startswith(f"{code}\n")
    assert "\nWrong" in text
    assert "\nRight" in text
    assert "```" not in text
    assert sections()[code].severity in ("error", "warning", "info")
    assert sections()[code].chapter


def test_the_command(command: Run) -> None:
    done = command("explain-check", "unknown-response")
    assert done.returncode == 0
    assert "    do: [{reply: by}]" in done.stdout.replace("        do", "    do")
    assert done.stdout == command("explain-check", "[Unknown_Response]").stdout


def test_a_code_that_does_not_exist(command: Run) -> None:
    done = command("explain-check", "unknown-respons")
    assert done.returncode == 2
    assert "did you mean 'unknown-response'?" in done.stderr
    with pytest.raises(UsageError, match="lists all of them"):
        section_of("qqq")


def test_without_a_code_all_are_listed(command: Run) -> None:
    done = command("explain-check")
    assert done.returncode == 0
    assert done.stdout.rstrip("\n") == listed(PLAIN)
    shown = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert shown == set(sections())
