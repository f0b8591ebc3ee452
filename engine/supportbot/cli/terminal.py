"""What a terminal needs to know: whether to color, how wide a text is, which characters are safe to print."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TextIO

import click

ColorChoice = Literal["auto", "always", "never"]
COLOR_CHOICES: tuple[ColorChoice, ...] = ("auto", "always", "never")

TAB = 4  # columns that a tabulator is shown as


def decide_color(choice: str, environment: Mapping[str, str], isatty: bool) -> bool:
    """``--color`` wins over NO_COLOR, that over FORCE_COLOR, that over TERM=dumb, that over the terminal itself.

    Empty variables count as not set (no-color.org).
    """
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return environment["FORCE_COLOR"] not in ("0", "false")
    if environment.get("TERM") == "dumb":
        return False
    return isatty


def color_wanted(choices: Mapping[str, str] | None, stream: TextIO | None = None) -> bool:
    """The decision for one stream; ``choices["color"]`` is what ``--color`` said, if anything."""
    return decide_color((choices or {}).get("color", "auto"), os.environ, (stream or sys.stdout).isatty())


@dataclass(frozen=True, slots=True)
class Paint:
    """Colors, or none. The names say what a text is, not how it looks."""

    on: bool

    def _style(self, text: str, **style: object) -> str:
        return click.style(text, **style) if self.on else text  # type: ignore[arg-type]

    def strong(self, text: str) -> str:
        return self._style(text, bold=True)

    def faint(self, text: str) -> str:
        return self._style(text, dim=True)

    def good(self, text: str) -> str:
        return self._style(text, fg="green")

    def bad(self, text: str) -> str:
        return self._style(text, fg="red", bold=True)

    def doubtful(self, text: str) -> str:
        return self._style(text, fg="yellow", bold=True)

    def note(self, text: str) -> str:
        return self._style(text, fg="cyan")

    def severity(self, severity: str, text: str | None = None) -> str:
        shown = severity if text is None else text
        return {"error": self.bad, "warning": self.doubtful}.get(severity, self.note)(shown)


def safe(text: str, *, lines: bool = False) -> str:
    """Without anything that could steer the terminal: control characters become visible stand-ins.

    ``lines`` keeps line breaks. Direction overrides go as well: they can show a text that is not there.
    """
    return "".join(_visible(character, lines) for character in text)


def _visible(character: str, lines: bool) -> str:
    if character == "\n" and lines:
        return character
    if character == "\t":
        return " " * TAB
    category = unicodedata.category(character)
    if category == "Cc":
        return chr(0x2400 + ord(character)) if ord(character) < 0x20 else "\ufffd"
    if category == "Cs" or character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
        return "\ufffd"
    return character


def width(text: str) -> int:
    """Columns that a text takes in a terminal: wide East Asian characters two, combining and invisible ones none."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Me", "Mn"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def columns(default: int = 100) -> int:
    """Width of the terminal; ``default`` when there is none (a file, a pipe, CI)."""
    return shutil.get_terminal_size((default, 24)).columns if sys.stdout.isatty() else default


def say(text: str = "", err: bool = False) -> None:
    """Print for people. Colors were decided by then, so click must not take them out again."""
    click.echo(text, err=err, color=True)


def put(text: str) -> None:
    """Print for programs: JSON and XML are UTF-8 wherever they go."""
    click.echo(text.encode("utf-8"))


def prepare_streams() -> None:
    """Never fail on a character that the terminal's encoding lacks: show its escape instead."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
