"""demo: without a terminal it plays its own conversation, with no key and no network."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli.conftest import Run

from supportbot.cli.demo import NEXT, SCRIPT


def test_it_loads_checks_itself_and_talks(command: Run, tmp_path: Path) -> None:
    done = command("demo", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    loaded, checked = done.stdout.splitlines()[:2]
    assert re.search(r"6 categories, \d+ guides, \d+ handlers, \d+ states, .* loaded \(\d+\.\d\d s\)$", loaded)
    assert re.search(r"✔ \d+ conversations and \d+ examples pass \(\d+\.\d\d s\)$", checked)
    for line in SCRIPT:
        assert f"you> {line}\n" in done.stdout
    for line, _ in NEXT:
        assert line in done.stdout


def test_the_conversation_shows_what_a_bot_does(command: Run) -> None:
    shown = command("demo").stdout
    answers = re.findall(r"— (\w+) (\w+) · (\w+) ·", shown)
    assert len(answers) == len(SCRIPT)
    assert ("guide", "printer_offline", "printing") in answers
    assert ("handler", "problem_not_resolved", "printing") in answers
    assert ("handler", "resolution_confirmed", "printing") in answers
    assert ("handler", "callback", "quickbooks") in answers
    assert [kind for kind, _, _ in answers].count("form") == 4
    assert "llm" not in {kind for kind, _, _ in answers}
