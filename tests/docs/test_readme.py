"""README.md: its commands run, its output is what they print, its links lead somewhere, and it stays short."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, "PATH": search},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


@pytest.fixture(scope="module")
def my_bot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has after the first commands and the two files."""
    folder = tmp_path_factory.mktemp("readme")
    (start,) = (text for text in blocks("sh") if "supportbot init" in text)
    done = run(f"{start.strip()} && pwd", folder)
    assert done.returncode == 0, done.stderr
    bot = Path(done.stdout.splitlines()[-1])
    for text in blocks("yaml"):
        first = text.partition("\n")[0]
        path = bot / first.removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return bot


def console(command: str) -> str:
    """The output that the README shows below a command."""
    (text,) = (text for text in blocks("console") if text.startswith(f"$ {command}"))
    return text.partition("\n")[2]


def test_it_is_short() -> None:
    assert len(README.split()) <= 700


def test_the_two_commands_are_targets_of_make() -> None:
    (text,) = (text for text in blocks("sh") if text.startswith("make"))
    commands = [line.partition("#")[0].split() for line in text.strip().splitlines()]
    assert commands == [["make", "demo"], ["make", "test"]]
    for command in commands:
        done = run(" ".join([*command, "--dry-run"]), ROOT)
        assert done.returncode == 0, done.stderr


def test_the_rule_answers_as_shown(my_bot: Path) -> None:
    command = 'supportbot explain "our cofee machine leaks again"'
    done = run(command, my_bot)
    assert done.stdout == console(command)


def test_the_bot_with_the_rule_is_sound(my_bot: Path) -> None:
    done = run("supportbot validate --strict && supportbot test", my_bot)
    assert done.returncode == 0, done.stdout


def test_the_broken_rule_is_reported_as_shown(my_bot: Path) -> None:
    rule = my_bot / "rules" / "categories" / "kitchen.yaml"
    sound = rule.read_text("utf-8")
    assert "`steps: [coffee_leak_try]`" in README
    rule.write_text(sound.replace("[coffee_leak_tray]", "[coffee_leak_try]"), "utf-8")
    try:
        done = run("supportbot validate", my_bot)
    finally:
        rule.write_text(sound, "utf-8")
    assert done.returncode == 1
    assert done.stdout.startswith(console("supportbot validate"))


def test_the_model_is_chosen_as_shown(my_bot: Path) -> None:
    (text,) = (text for text in blocks("sh") if text.startswith("export"))
    without = run("supportbot serve --get /health", my_bot)
    with_model = run(f"{text.strip()}\nsupportbot serve --get /health", my_bot)
    assert json.loads(without.stdout)["model"] == {"status": "off"}
    assert with_model.returncode == 0, with_model.stderr
    assert json.loads(with_model.stdout)["model"] != {"status": "off"}


def test_the_conversation_of_the_quickstart_passes(my_bot: Path) -> None:
    page = (ROOT / "docs" / "quickstart.md").read_text("utf-8")
    (text,) = re.findall(r"^```yaml\n(# tests/conversations/kitchen.yaml\n.*?)^```", page, re.DOTALL | re.MULTILINE)
    (my_bot / "tests" / "conversations" / "kitchen.yaml").write_text(text, "utf-8")
    done = run("supportbot test --run coffee", my_bot)
    assert done.stdout.startswith("1 passed"), done.stdout


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file) if file else path
        assert linked.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in slugs, target
