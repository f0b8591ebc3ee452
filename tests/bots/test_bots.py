"""Bots with mistakes and what is said about them, word for word; and bots without any, about which nothing is said.

A folder of tests/bots/err holds the files in which that bot differs from tests/bots/ok/desk, what to do to it
(``setup.sh``, if anything), and ``expected.txt``: every finding, with its hint and related places. After a message was
reworded: ``python -m tests.bots.write_expected``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from benchmarks.world import write_bot
from msgspec.structs import replace
from tests.docs.test_checks_page import codes_in_the_package

from supportbot.cli.junit import diagnostics_as_cases, render_junit
from supportbot.cli.output import render_github, render_json, render_text
from supportbot.cli.sarif import render_sarif
from supportbot.cli.terminal import Paint
from supportbot.cli.validate import check
from supportbot.compiler.compile import load_bot
from supportbot.decision.conclude import start_session
from supportbot.decision.decide import decide
from supportbot.diagnostics import Diagnostic, Place
from supportbot.model.session import Message, Turn
from supportbot.proofs.ground import Ground
from supportbot.proofs.shadows import find_shadows

ELSEWHERE = {"files-changing", "trial-failed", "stale-schema"}

BOTS = Path(__file__).parent
BASE = BOTS / "ok" / "desk"
OK = sorted(path for path in (BOTS / "ok").iterdir() if path.is_dir())
ERR = sorted(path for path in (BOTS / "err").iterdir() if path.is_dir()) if (BOTS / "err").exists() else []


def merged(overlay: Path, target: Path) -> Path:
    """The bot of an overlay, whole."""
    shutil.copytree(BASE, target)
    shutil.copytree(overlay, target, dirs_exist_ok=True)
    (target / "expected.txt").unlink(missing_ok=True)
    setup = target / "setup.sh"
    if setup.exists():
        subprocess.run(["bash", "setup.sh"], cwd=target, check=True, capture_output=True)
        setup.unlink()
    return target


def found(bot: Path) -> str:
    return "".join(f"{line}\n" for finding in check(bot)[0] for line in lines(finding))


def lines(finding: Diagnostic) -> list[str]:
    """A finding as expected.txt has it."""
    also = [f"  also: {_at(related.place)}: {related.message}" for related in finding.related]
    return [str(finding), *([f"  hint: {finding.hint}"] if finding.hint else []), *also]


def _at(place: Place) -> str:
    return f"{place.file}:{place.line}:{place.column}"


@pytest.mark.parametrize("bot", OK, ids=lambda path: path.name)
def test_nothing_is_said_about_a_good_bot(bot: Path) -> None:
    assert found(bot) == ""


@pytest.mark.parametrize("overlay", ERR, ids=lambda path: path.name)
def test_a_broken_bot_is_told_what_is_wrong(overlay: Path, tmp_path: Path) -> None:
    assert found(merged(overlay, tmp_path / "bot")) == (overlay / "expected.txt").read_text("utf-8")


def test_every_code_has_a_bot() -> None:
    """All codes that validate can give; the other ones come from reloading a server or from editors' schemas."""
    told = "".join((overlay / "expected.txt").read_text("utf-8") for overlay in ERR)
    shown = set(re.findall(r"^\S+: \w+ \[([a-z0-9-]+)\]", told, re.MULTILINE))
    assert codes_in_the_package() - shown == ELSEWHERE
    assert len(ERR) > 80


@pytest.mark.parametrize("overlay", ERR, ids=lambda path: path.name)
def test_a_witness_is_answered_as_claimed(overlay: Path, tmp_path: Path) -> None:
    bot = load_bot(merged(overlay, tmp_path / "bot")).bot
    for finding in find_shadows(Ground(bot)) if bot is not None else []:
        witness = finding.witness
        session = replace(start_session(bot, "s", witness.moment), state=witness.state, category=witness.category)
        message = Message("m", "s", witness.text, "chat", witness.moment)
        assert decide(bot, Turn(session, message, witness.moment)).handler == witness.winner
        assert f'"{witness.text}"' in finding.diagnostic.message or witness.winner not in finding.diagnostic.message


@pytest.mark.parametrize("name", [path.name for path in ERR if path.name.startswith(("inline-secret", "secret-"))])
def test_a_secret_is_not_repeated(name: str, tmp_path: Path) -> None:
    overlay = BOTS / "err" / name
    bot = merged(overlay, tmp_path / "bot")
    findings, files = check(bot)
    said = "\n".join(
        [
            render_text(findings, bot, Paint(False)),
            render_json(findings, files),
            render_github(findings, bot),
            render_sarif(findings, bot),
            render_junit(diagnostics_as_cases(findings, True), "validate"),
        ]
    )
    assert findings
    assert not [
        secret for secret in ("my-own-token", "0123456789abcdef", "open-sesame", "sk-proj-abc") if secret in said
    ]


def test_nothing_is_said_about_many_rules(tmp_path: Path) -> None:
    write_bot(tmp_path, 1000, 5)
    assert found(tmp_path) == ""
