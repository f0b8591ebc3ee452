"""The report of a bug: everything that helps to find it, nothing that must stay private."""

from __future__ import annotations

import os
import platform
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from supportbot import __version__
from supportbot.resources import PACKAGE

_PRIVATE_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "WEBHOOK", "COOKIE")


def report(problem: BaseException, arguments: Sequence[str]) -> str:
    """A text to paste into a bug report. Values of arguments and of private variables are left out."""
    lines = [
        "supportbot has a bug: this should not have happened, and it is not your bot's fault.",
        "Please report it with the text below; secrets were taken out.",
        "",
        f"supportbot {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        f"command: {_command(arguments)}",
        "",
        *_frames(problem),
        f"{type(problem).__name__}: {problem}",
    ]
    return without_secrets("\n".join(lines), os.environ)


def _command(arguments: Sequence[str]) -> str:
    """The verb and the names of its options; what they were given may be a visitor's words."""
    shown = [item.partition("=")[0] if item.startswith("--") else "..." for item in arguments[1:]]
    return " ".join(["supportbot", *arguments[:1], *shown])


def _frames(problem: BaseException) -> list[str]:
    lines = []
    for frame in traceback.extract_tb(problem.__traceback__):
        lines.append(f"  {_short_path(frame.filename)}:{frame.lineno} in {frame.name}")
        if frame.line:
            lines.append(f"      {frame.line}")
    return lines


def _short_path(filename: str) -> str:
    """The path inside the package or the library, without the folders of this machine."""
    path = Path(filename)
    bases = [PACKAGE.parent, *(Path(entry) for entry in sys.path if entry)]
    for base in sorted(bases, key=lambda item: -len(item.parts)):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return path.name


def without_secrets(text: str, environment: Mapping[str, str]) -> str:
    """The text with values of private environment variables replaced by their names, and the home folder by ~."""
    for name, value in sorted(environment.items(), key=lambda item: -len(item[1])):
        if len(value) >= 4 and any(part in name.upper() for part in _PRIVATE_NAMES):
            text = text.replace(value, f"[{name}]")
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text
