"""Colors, widths, and texts that must not steer a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from supportbot.cli.output import underlined
from supportbot.cli.terminal import decide_color, safe, width


@pytest.mark.parametrize(
    ("choice", "environment", "isatty", "wanted"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"TERM": "dumb", "FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, True, False),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("always", {"NO_COLOR": "1", "TERM": "dumb"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_who_decides_about_color(choice: str, environment: Mapping[str, str], isatty: bool, wanted: bool) -> None:
    assert decide_color(choice, environment, isatty) is wanted


@pytest.mark.parametrize("arguments", [["--color", "always", "validate"], ["validate", "--color", "always"]])
def test_color_may_stand_before_or_after_the_verb(command: Run, small: Path, arguments: list[str]) -> None:
    assert "\x1b[" in command(*arguments, cwd=small).stdout


def test_after_the_verb_wins(command: Run, small: Path) -> None:
    assert "\x1b[" not in command("--color", "always", "validate", "--color", "never", cwd=small).stdout


def test_errors_are_colored_as_asked(command: Run, tmp_path: Path) -> None:
    assert "\x1b[" in command("--color", "always", "validate", cwd=tmp_path).stderr
    assert "\x1b[" not in command("validate", cwd=tmp_path).stderr
    assert "\x1b[" in command("validate", cwd=tmp_path, env={"FORCE_COLOR": "1"}).stderr


def test_control_characters_become_visible() -> None:
    assert safe("a\x1b[31mb\rc\u202ed") == "a␛[31mb␍c\ufffdd"
    assert safe("a\nb") == "a␊b"
    assert safe("a\nb", lines=True) == "a\nb"


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("漢字", 4), ("e\u0301", 1), ("a\u200db", 2), ("", 0)])
def test_width(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(
    ("source", "start", "end", "shown", "indent", "length"),
    [
        ("reply: by", 8, 10, "reply: by", 7, 2),
        ("漢字: by", 5, 7, "漢字: by", 6, 2),
        ("by: 漢字", 5, 7, "by: 漢字", 4, 4),
        ("\tby", 2, 4, "    by", 4, 2),
        ("e\u0301: by", 5, 7, "e\u0301: by", 3, 2),
        ("short", 1, 99, "short", 0, 5),
        ("short", 99, 120, "short", 5, 1),
        ("", 1, 1, "", 0, 1),
    ],
)
def test_underlines_stand_under_what_they_mean(
    source: str, start: int, end: int, shown: str, indent: int, length: int
) -> None:
    assert underlined(source, start, end, 80) == (shown, indent, length)


def test_long_lines_are_cut_around_the_mark() -> None:
    source = "a" * 300 + "WRONG" + "b" * 300
    shown, indent, length = underlined(source, 301, 306, 60)
    assert width(shown) <= 60
    assert shown[indent : indent + length] == "WRONG"
    assert shown.startswith("…")
    assert shown.endswith("…")


def test_a_long_mark_is_cut_too() -> None:
    shown, indent, length = underlined("x" * 500, 1, 501, 60)
    assert width(shown) <= 60
    assert (indent, length) == (0, 52)
