"""validate --fix: safe edits, comments and layout kept, nothing done twice."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cli.conftest import SMALL, Run

from supportbot.cli.fixing import as_diff, mend_bot, write
from supportbot.errors import UsageError

ROOT = Path(__file__).parents[2]

# What a person writes, and what must stand there afterwards: (file, before, after).
MENDED = [
    ("handlers.yaml", "{reply: bye}", "{reply: by}", "{reply: by}"),  # so few letters prove nothing
    ("handlers.yaml", "{trigger: stop}", "{trigger: stpo}", "{trigger: stop}"),
    ("handlers.yaml", "{close: true}", "{close: yes}", "{close: true}"),
    ("handlers.yaml", "priority: 5", 'priority: "5"', "priority: 5"),
    ("handlers.yaml", "priority: 5", "priorty: 5", "priority: 5"),
    ("handlers.yaml", "priority: 5", "priority:  5  # first", "priority:  5  # first"),
]
LISTS = [
    ("a: {{ visitor.name }} here", 'a: "{{ visitor.name }} here"'),
    ("a: Note: restart it", 'a: "Note: restart it"'),
    ("a: @agent", 'a: "@agent"'),
    ("a: %d", 'a: "%d"'),
    ("a:text", "a: text"),
    (
        "a: {variants: [{{ bot.name }} here, {{ visitor.name }}]}",
        'a: {variants: ["{{ bot.name }} here", "{{ visitor.name }}"]}',
    ),
    ("a: 12345678901234567890", 'a: "12345678901234567890"'),
    ("a: {text: 5}", 'a: {text: "5"}'),
    ("a: {text: x, suggestions: one}", 'a: {text: x, suggestions: ["one"]}'),
    ("a: @agent  # who", 'a: "@agent"  # who'),
    ("a: @agent\r\n    # who", 'a: "@agent"\r\n    # who'),
    ('a: "C:\\Program"', "a: 'C:\\Program'"),
    ('a: "{{ visitor.nmae }}"  # who', 'a: "{{ visitor.name }}"  # who'),
    ('a: "{{ visitor.name | uper }}"', 'a: "{{ visitor.name | upper }}"'),
]


@pytest.mark.parametrize(("file", "good", "bad", "wanted"), MENDED, ids=lambda item: str(item))
def test_rules(small: Path, file: str, good: str, bad: str, wanted: str) -> None:
    path = small / file
    path.write_text("# first\n" + path.read_text("utf-8").replace(good, bad, 1), "utf-8")
    before = path.read_text("utf-8")
    write(mend_bot(small))
    assert path.read_text("utf-8") == before.replace(bad, wanted, 1)


@pytest.mark.parametrize(("bad", "wanted"), LISTS)
def test_responses(small: Path, bad: str, wanted: str) -> None:
    path = small / "rules" / "responses" / "more.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(f"# why\r\nresponses:\r\n  # here\r\n  {bad}\r\n  b: c\r\n".encode("utf-8-sig"))
    write(mend_bot(small))
    assert path.read_bytes() == f"# why\r\nresponses:\r\n  # here\r\n  {wanted}\r\n  b: c\r\n".encode("utf-8-sig")
    again = mend_bot(small)
    assert (again.after, again.edits) == ({}, 0)


@pytest.mark.parametrize(
    "text",
    [
        "a: @agent #1 will help you",
        "a: {{ bot.name }} #1 is here",
        "a: Note: press #1",
        "a: @agent will help\n    you soon",
        "a: Note: restart it\n\n    and go on",
        "a: {{ bot.name }} and\n    {{ visitor.name }}",
        "a: {variants: [{{ bot.name }}\n      and more, b]}",
    ],
)
def test_no_quotes_around_half_of_a_text(small: Path, text: str) -> None:
    """What stands behind the quotes would become a comment, or no YAML."""
    path = small / "rules" / "responses" / "more.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"responses:\n  {text}\n  b: c\n", "utf-8")
    found = mend_bot(small)
    assert (found.after, found.edits) == ({}, 0)
    assert any(item.place.file.endswith("more.yaml") and item.code == "yaml-syntax" for item in found.findings)


def test_phrases_that_stand_twice_and_ignores_of_no_use(small: Path) -> None:
    path = small / "rules" / "lists.yaml"
    path.write_text(
        "lists:\n  a: [one, two, one]  # kept\n  b:\n    - x y\n    - z\n    - x y\n"
        "    # supportbot: ignore unused-response nobody says it\n    - w\n",
        "utf-8",
    )
    write(mend_bot(small))
    assert path.read_text("utf-8") == "lists:\n  a: [one, two]  # kept\n  b:\n    - x y\n    - z\n    - w\n"


def test_a_mistake_behind_another_is_mended_too(small: Path) -> None:
    path = small / "handlers.yaml"
    text = path.read_text("utf-8")
    path.write_text(text.replace("{trigger: stop}", "{triger: stpo}") + "# end\n", "utf-8")
    write(mend_bot(small))
    assert path.read_text("utf-8") == text + "# end\n"


@pytest.mark.parametrize("bot", [SMALL, ROOT], ids=["small", "starter"])
def test_a_sound_bot_stays_as_it_is(bot: Path) -> None:
    assert mend_bot(bot).after == {}


def test_doubtful_mistakes_stay(small: Path) -> None:
    path = small / "rules" / "responses" / "more.yaml"
    path.parent.mkdir(exist_ok=True)
    text = "responses:\n  printer_offline_7: one\n\ttab: two\n  three: 'it's'\n"
    path.write_text(text, "utf-8")
    mended = mend_bot(small)
    write(mended)
    assert path.read_text("utf-8") == text
    assert mended.findings


def test_the_command_reports_what_is_left(command: Run, small: Path) -> None:
    handlers = small / "handlers.yaml"
    text = handlers.read_text("utf-8")
    handlers.write_text(
        text.replace("{trigger: stop}, {reply: bye}", "{trigger: stpo}, {reply: nothing_near}"), "utf-8"
    )
    done = command("validate", "--fix", cwd=small)
    assert done.returncode == 1
    assert done.stdout.startswith("mended: 1 edit in handlers.yaml")
    assert "there is no response 'nothing_near'" in done.stdout
    assert "stpo" not in done.stdout
    handlers.write_text(text.replace("{trigger: stop}", "{trigger: stpo}"), "utf-8")
    assert command("validate", "--fix", "--format", "json", cwd=small).returncode == 0
    assert handlers.read_text("utf-8") == text


def test_diff_writes_nothing(command: Run, small: Path) -> None:
    handlers = small / "handlers.yaml"
    text = handlers.read_text("utf-8")
    broken = text.replace("{trigger: stop}", "{trigger: stpo}")
    handlers.write_text(broken, "utf-8")
    done = command("validate", "--fix", "--diff", cwd=small)
    assert done.returncode == 1
    assert handlers.read_text("utf-8") == broken
    lines = done.stdout.splitlines()
    assert lines[:2] == ["--- a/handlers.yaml", "+++ b/handlers.yaml"]
    assert [line for line in lines if line.startswith("-")][1:] == [
        "-" + next(line for line in broken.splitlines() if "stpo" in line)
    ]
    handlers.write_text(text, "utf-8")
    quiet = command("validate", "--fix", "--diff", cwd=small)
    assert quiet.returncode == 0
    assert "no mistakes" in quiet.stdout
    assert command("validate", "--diff", cwd=small).returncode == 2


def test_a_file_that_changed_meanwhile_is_left_alone(small: Path) -> None:
    handlers = small / "handlers.yaml"
    handlers.write_text(handlers.read_text("utf-8").replace("{trigger: stop}", "{trigger: stpo}"), "utf-8")
    mended = mend_bot(small)
    assert as_diff(mended)
    handlers.write_text("handlers: []\n", "utf-8")
    with pytest.raises(UsageError, match="changed meanwhile"):
        write(mended)
    assert handlers.read_text("utf-8") == "handlers: []\n"


def test_a_bot_without_files_does_not_fail(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SMALL, tmp_path / "bot"))
    (folder / "states.yaml").unlink()
    (folder / "handlers.yaml").write_bytes(b"\xff\xfe")
    assert mend_bot(folder).after == {}


FILES = ("handlers.yaml", "states.yaml", "supportbot.yaml", "rules/responses.yaml", "rules/categories/printing.yaml")


@settings(max_examples=30, deadline=None)
@given(file=st.sampled_from(FILES), at=st.integers(0, 2000), kind=st.sampled_from(["drop", "twice", "swap", "space"]))
def test_what_was_mended_is_not_mended_again(file: str, at: int, kind: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        bot = Path(shutil.copytree(SMALL, Path(name) / "bot"))
        text = (bot / file).read_text("utf-8")
        at %= len(text) - 1
        changed = {"drop": "", "twice": text[at] * 2, "swap": text[at + 1] + text[at], "space": text[at] + " "}[kind]
        (bot / file).write_text(text[:at] + changed + text[at + (2 if kind == "swap" else 1) :], "utf-8")
        before = mend_bot(bot)
        write(before)
        after = mend_bot(bot)
        assert after.after == {}
        assert after.findings == before.findings
