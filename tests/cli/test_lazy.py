"""What people and CI run all day must start fast: no server, no model library."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("litellm", "aiohttp", "opentelemetry", "sqlite3", "hypothesis", "jsonschema", "importlib.metadata", "asyncio")
PROBE = """
import sys, json
from supportbot.cli.main import run
code = run(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def modules_after(folder: Path, *arguments: str) -> tuple[int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=True
    )
    code, names = json.loads(done.stderr.splitlines()[-1])
    return code, set(names)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["validate"],
        ["validate", "--format", "sarif"],
        ["test", "--coverage"],
        ["explain", "my printer is offline", "--why-not", "goodbye"],
        ["graph", "--format", "svg"],
    ],
    ids=" ".join,
)
def test_heavy_libraries_stay_out(small: Path, arguments: list[str]) -> None:
    code, names = modules_after(small, *arguments)
    assert code == 0
    assert "supportbot.cli.main" in names
    assert names.isdisjoint(HEAVY)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=" ".join)
def test_asking_for_help_imports_no_verb(small: Path, arguments: list[str]) -> None:
    _, names = modules_after(small, *arguments)
    ours = {name for name in names if name.startswith("supportbot.")}
    assert names.isdisjoint({"yaml", "jinja2", "transitions", "re2", "msgspec"})
    assert ours <= {
        "supportbot.cli",
        "supportbot.cli.main",
        "supportbot.cli.options",
        "supportbot.cli.terminal",
        "supportbot.diagnostics",
        "supportbot.errors",
    }


def test_the_probe_sees_heavy_libraries(small: Path) -> None:
    _, names = modules_after(small, "serve", "--help")
    assert "aiohttp" in names


@pytest.mark.parametrize("module", ["supportbot", "supportbot.cli.main"])
def test_the_command_is_also_a_module(module: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("supportbot, version ")
