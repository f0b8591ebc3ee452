"""How the reader can call this command from where they are: a name that is not on their PATH helps nobody."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

NAME = "supportbot"


def called(folder: Path | None = None) -> str:
    """``supportbot`` where that is this very command, else its path as seen from ``folder`` (default: here)."""
    script = Path(sys.executable).with_name(NAME)
    found = shutil.which(NAME)
    if not script.is_file() or (found is not None and Path(found).resolve() == script.resolve()):
        return NAME
    here = Path.cwd()
    near = folder is None or folder.resolve() == here
    path = script.relative_to(here) if near and script.is_relative_to(here) else script
    return f"'{path}'" if " " in str(path) else str(path)


def activation() -> str:
    """The command that puts it on the PATH; empty when it is there already."""
    if called() == NAME:
        return ""
    script = Path(sys.executable).with_name("activate")
    here = Path.cwd()
    return f"source {script.relative_to(here) if script.is_relative_to(here) else script}" if script.is_file() else ""
