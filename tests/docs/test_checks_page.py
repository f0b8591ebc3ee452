"""docs/checks.md: every code has a section, and every example does what the page says."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest

from supportbot.cli.validate import check
from supportbot.compiler.compile import load_bot
from supportbot.compiler.references import UNUSED, Kind
from supportbot.runtime.checks import run_checks

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "engine" / "supportbot"
SMALL = ROOT / "tests" / "cli" / "small"

_BLOCK = re.compile(r"^(Wrong[^\n]*|Right[^\n]*|and):\n\n```(sh|yaml)\n(.*?)```", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"[a-z]+(-[a-z0-9]+)+|alias|anchor")
_MAKERS = {
    "error",
    "warning",
    "info",
    "warn",
    "make",
    "Problem",
    "NumberProblem",
    "Mistake",
    "_add",
    "_report",
    "_mistake",
}


@dataclass(frozen=True)
class Block:
    language: str
    text: str

    def apply(self, bot: Path) -> None:
        if self.language == "sh":
            search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            command = ["bash", "-c", self.text]
            subprocess.run(command, cwd=bot, env={**os.environ, "PATH": search}, check=True, capture_output=True)
            return
        first, _, content = self.text.partition("\n")
        path = bot / first.removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")


@dataclass(frozen=True)
class Section:
    code: str
    severity: str
    wrong: tuple[Block, ...]
    right: tuple[Block, ...]


def sections() -> Iterator[Section]:
    page = (ROOT / "docs" / "checks.md").read_text("utf-8")
    for part in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        code, _, body = part.partition("\n")
        body = body.split("\n## ")[0]
        severity = re.search(r"^\*(\w+)\*", body, re.MULTILINE)
        assert severity is not None, f"{code} has no severity"
        blocks = [(label, Block(language, text)) for label, language, text in _BLOCK.findall(body)]
        wrong = tuple(block for label, block in blocks if label.startswith("Wrong"))
        right = tuple(block for label, block in blocks if not label.startswith("Wrong"))
        if any(label.startswith("Right, with the same") for label, _ in blocks):
            right = (*wrong, *right)
        yield Section(code.strip(), severity[1], wrong, right)


SECTIONS = list(sections())
RELOADING = {"files-changing", "trial-failed"}  # a running server says them; tests/runtime/test_reload.py shows how
RUNNABLE = [section for section in SECTIONS if section.code not in RELOADING]


def findings(bot: Path) -> dict[str, set[str]]:
    """Codes by severity, of validate and of the conversation tests."""
    found = list(check(bot)[0])
    loaded = load_bot(bot)
    if loaded.bot is not None:
        found += run_checks(loaded.bot, bot).diagnostics
    return {kind: {item.code for item in found if item.severity == kind} for kind in ("error", "warning", "info")}


def codes_in_the_package() -> set[str]:
    """The first text of every call that makes a finding, and the families that are put together from a kind."""
    found = {"failing-example"} | {f"unused-{kind}" for kind in UNUSED}
    used = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0].value
            if name in _MAKERS and isinstance(first, str) and _CODE.fullmatch(first):
                found.add(first)
            if name == "use" and first in get_args(Kind):
                used.add(f"unknown-{first}")
    return found | used


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(SMALL, tmp_path / "bot"))
    for part in ("responses", "lists"):
        (folder / "rules" / part).mkdir()
    return folder


def test_every_code_has_a_section() -> None:
    documented = [section.code for section in SECTIONS]
    assert len(documented) == len(set(documented))
    assert codes_in_the_package() == set(documented)


@pytest.mark.parametrize("section", RUNNABLE, ids=lambda section: section.code)
def test_the_wrong_example_is_wrong(section: Section, bot: Path) -> None:
    for block in section.wrong:
        block.apply(bot)
    assert section.wrong
    assert section.code in findings(bot)[section.severity]


@pytest.mark.parametrize("section", RUNNABLE, ids=lambda section: section.code)
def test_the_right_example_is_right(section: Section, bot: Path) -> None:
    for block in section.right:
        block.apply(bot)
    found = findings(bot)
    assert section.right
    assert section.code not in found[section.severity]
    assert found["error"] == set()
