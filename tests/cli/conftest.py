"""The command as people have it, and a small bot to use it on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

SMALL = Path(__file__).parent / "small"
COMMAND = Path(sys.executable).parent / "supportbot"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A copy of the small bot that a test may change."""
    folder = tmp_path / "small"
    shutil.copytree(SMALL, folder)
    return folder


@pytest.fixture
def broken(small: Path) -> Path:
    """The small bot with one mistake: a response that is not there."""
    handlers = small / "handlers.yaml"
    handlers.write_text(handlers.read_text("utf-8").replace("{reply: bye}", "{reply: by}"), "utf-8")
    return small


@pytest.fixture
def command() -> Run:
    """Run the installed command in a folder, with extra environment variables and standard input."""

    def run(
        *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(COMMAND), *arguments],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run
