"""The wheel: built once, unpacked into a fresh environment, used in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([sys.executable, "-m", "build", *options, str(ROOT)], check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment that holds the wheel and sees the libraries of this one, but not its supportbot."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    options = ["install", "--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, *options, str(wheel)], check=True, capture_output=True, timeout=120)
    site = next((folder / "lib").glob("python*/site-packages"))
    # A plain path: what .pth files in that folder say, such as where a checkout is, does not count.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return folder / "bin"


def run(bin_folder: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(bin_folder / arguments[0]), *arguments[1:]]
    return subprocess.run(
        command, cwd=folder, env=os.environ, capture_output=True, encoding="utf-8", timeout=120, check=False
    )


def test_it_holds_the_bot_the_schemas_and_the_pages(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("supportbot.yaml", "states.yaml", "handlers.yaml", "prompts/system.md.j2"):
        assert f"supportbot/_data/starter/{name}" in names
    for folder in ("rules/categories", "rules/responses", "prompts/categories", "tests/conversations"):
        assert any(name.startswith(f"supportbot/_data/starter/{folder}/") for name in names), folder
    assert {name for name in names if name.startswith("supportbot/_data/schemas/")} == {
        f"supportbot/_data/schemas/{path.name}" for path in (ROOT / "schemas").glob("*.json")
    }
    assert "supportbot/_data/checks.md" in names
    pages = {path.name for path in (ROOT / "engine/supportbot/server/pages").iterdir() if path.suffix != ".py"}
    assert {f"supportbot/server/pages/{name}" for name in pages} <= names
    assert {"supportbot/py.typed", "supportbot/cli/newbot/gitignore"} <= names
    outside = {name.split("/")[0] for name in names}
    assert {name for name in outside if not name.endswith(".dist-info")} == {"supportbot"}


def test_it_is_the_wheel_that_runs(installed: Path, tmp_path: Path) -> None:
    code = "import supportbot, supportbot.resources as r; print(supportbot.__file__, r.starter_bot(), r.schemas())"
    done = run(installed, tmp_path, "python", "-c", code)
    assert done.returncode == 0, done.stderr
    for path in done.stdout.split():
        assert Path(path).is_relative_to(installed.parent)


def test_it_works_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    demo = run(installed, tmp_path, "supportbot", "demo")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    made = run(installed, tmp_path, "supportbot", "init", "x")
    assert made.returncode == 0, made.stderr
    for verb in ("validate", "test"):
        done = run(installed, tmp_path / "x", "supportbot", verb)
        assert done.returncode == 0, done.stdout
    for arguments in (["explain-check", "unknown-response"], ["schema", "--write"], ["validate", "--fix"]):
        done = run(installed, tmp_path / "x", "supportbot", *arguments)
        assert done.returncode == 0, done.stderr
    ready = run(installed, tmp_path / "x", "supportbot", "serve", "--get", "/widget")
    assert ready.returncode == 0, ready.stderr
    assert "<html" in ready.stdout.lower()
