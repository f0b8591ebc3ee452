"""init: a new bot that is sound from the first minute, with everything around it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import Run

from supportbot.cli.init import AROUND, write_bot
from supportbot.cli.main import VERBS
from supportbot.cli.terminal import Paint
from supportbot.cli.watching import watch
from supportbot.errors import UsageError
from supportbot.resources import schemas


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("init") / "my-bot"
    write_bot(folder)
    return folder


def test_the_new_bot_passes_everything(command: Run, tmp_path: Path) -> None:
    assert command("init", "new", cwd=tmp_path).returncode == 0
    validated = command("validate", "--strict", cwd=tmp_path / "new")
    assert validated.returncode == 0, validated.stdout
    tested = command("test", cwd=tmp_path / "new")
    assert tested.returncode == 0, tested.stdout
    assert re.match(r"\d+ passed: \d+ conversations and \d+ examples", tested.stdout.strip())


def test_a_folder_that_holds_something_is_refused(command: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    refused = command("init", ".", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert command("init", ".", "--force", cwd=tmp_path).returncode == 0
    assert (tmp_path / "notes.txt").read_text("utf-8") == "mine"
    assert (tmp_path / "supportbot.yaml").is_file()


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bot").write_text("", "utf-8")
    with pytest.raises(UsageError, match="is a file"):
        write_bot(tmp_path / "bot")


def test_everything_around_is_there(made: Path) -> None:
    for name in AROUND.values():
        assert (made / name).read_text("utf-8").strip()
    written = "".join((made / name).read_text("utf-8") for name in AROUND.values())
    assert not re.search(r"@[A-Z]+@", written)


def test_nothing_that_is_written_installs_the_name_from_an_index(made: Path) -> None:
    """There it belongs to somebody else, whose code would run."""
    root = Path(__file__).parents[2]
    files = [path for path in made.rglob("*") if path.is_file() and path.suffix != ".png"]
    files += [root / name for name in (".pre-commit-hooks.yaml", "Dockerfile", "Makefile", "README.md", "Procfile")]
    files += [path for folder in ("docs", "deploy") for path in (root / folder).rglob("*") if path.suffix != ".png"]
    for path in filter(Path.is_file, files):
        for line in path.read_text("utf-8").splitlines():
            assert not re.search(r"supportbot\s*[=~<>]=|additional_dependencies", line), f"{path}: {line}"
            assert not re.search(r"\b(pip|pipx|uv|uvx)\b.*\b(install|add|run)\b.*[\s\"']supportbot\b(?![-/*])", line), (
                path
            )


def workflow_script(made: Path) -> str:
    workflow = yaml.safe_load((made / ".github/workflows/supportbot.yml").read_text("utf-8"))
    (script,) = [step["run"] for step in workflow["jobs"]["check"]["steps"] if "pip install" in step.get("run", "")]
    return str(script)


@pytest.mark.parametrize(
    ("package", "vendored", "installed"),
    [
        ("", False, None),
        ("supportbot", False, None),
        ("supportbot==0.1.0", True, None),
        ("", True, "vendor/supportbot-0.1.0-py3-none-any.whl"),
        ("git+https://git.example/it/supportbot@v1", False, "git+https://git.example/it/supportbot@v1"),
        ("https://files.example/supportbot-0.1.0.whl", True, "https://files.example/supportbot-0.1.0.whl"),
    ],
)
def test_the_workflow_installs_only_what_was_named(
    made: Path, tmp_path: Path, package: str, vendored: bool, installed: str | None
) -> None:
    (tmp_path / "bin").mkdir()
    pip = tmp_path / "bin" / "pip"
    pip.write_text('#!/bin/sh\necho "pip $*"\n', "utf-8")
    pip.chmod(0o755)
    if vendored:
        (tmp_path / "vendor").mkdir()
        (tmp_path / "vendor" / "supportbot-0.1.0-py3-none-any.whl").write_bytes(b"")
    done = subprocess.run(
        ["bash", "-e", "-c", workflow_script(made)],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "SUPPORTBOT_PACKAGE": package},
        capture_output=True,
        text=True,
        check=False,
    )
    if installed is None:
        assert (done.returncode, "pip" in done.stdout) == (1, False)
        assert "Where is supportbot?" in done.stdout
    else:
        assert (done.returncode, done.stdout) == (0, f"pip install {installed}\n")


def test_the_minimal_bot_passes_everything(command: Run, tmp_path: Path) -> None:
    assert command("init", "--minimal", "new", cwd=tmp_path).returncode == 0
    validated = command("validate", "--strict", cwd=tmp_path / "new")
    assert validated.returncode == 0, validated.stdout
    tested = command("test", cwd=tmp_path / "new")
    assert tested.returncode == 0, tested.stdout
    assert "SUPPORTBOT_LLM_MODEL=\n" in (tmp_path / "new" / ".env.example").read_text("utf-8")


def test_pages_that_the_bot_points_to_are_there(made: Path) -> None:
    texts = [*made.glob("*.yaml"), *made.glob("rules/**/*.yaml"), *made.glob("schemas/*.json"), *made.glob("docs/*.md")]
    named = {name for path in texts for name in re.findall(r"(?<![/\w])docs/[\w/.-]*\w", path.read_text("utf-8"))}
    assert {"docs/zoho.md", "docs/examples/zendesk"} <= named
    assert not [name for name in named if not (made / name).exists()]
    for page in made.glob("docs/*.md"):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_hints_can_be_typed(command: Run, tmp_path: Path) -> None:
    """Also where the command is not on the PATH."""
    for line in command("init", "new", cwd=tmp_path).stdout.splitlines()[2:]:
        program = line.split()[0]
        assert shutil.which(program) or Path(program).is_file()


def test_the_editor_knows_a_schema_for_every_file(made: Path) -> None:
    settings = json.loads((made / ".vscode" / "settings.json").read_text("utf-8"))
    mapped = settings["yaml.schemas"]
    assert {Path(name).name for name in mapped} == {path.name for path in schemas().glob("*.json")}
    for name, patterns in mapped.items():
        assert (made / name).is_file()
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            assert not pattern.startswith("/")
    patterns = [one for each in mapped.values() for one in ([each] if isinstance(each, str) else each)]
    covered = {path for pattern in patterns for path in made.glob(pattern)}
    own = {path for path in made.rglob("*.yaml") if not path.name.startswith(".")} - set(made.glob("docs/**/*"))
    assert own == covered


def test_the_problem_matcher_reads_what_validate_prints(command: Run, broken: Path, made: Path) -> None:
    tasks = json.loads((made / ".vscode" / "tasks.json").read_text("utf-8"))
    pattern = tasks["tasks"][0]["problemMatcher"]["pattern"]["regexp"]
    shown = command("validate", cwd=broken).stdout.splitlines()
    found = re.match(pattern, shown[0])
    assert found is not None
    assert found.groups() == ("handlers.yaml", "5", "35", "error", "unknown-response", "there is no response 'by'")


def test_the_watching_task_knows_where_a_round_begins_and_ends(
    small: Path, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = json.loads((made / ".vscode" / "tasks.json").read_text("utf-8"))["tasks"]
    (watching,) = (task for task in tasks if "--watch" in task["command"])
    background = watching["problemMatcher"]["background"]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("supportbot.cli.watching.wait_for_change", stop)
    with pytest.raises(KeyboardInterrupt):
        watch(small, lambda: None, Paint(False))
    first, last = capsys.readouterr().out.splitlines()
    assert re.match(background["beginsPattern"], first)
    assert re.match(background["endsPattern"], last)
    verbs = {task["command"].split()[1] for task in tasks}
    assert verbs <= set(VERBS)


def test_the_workflow_and_the_hooks_run_existing_verbs(made: Path) -> None:
    workflow = yaml.safe_load((made / ".github/workflows/supportbot.yml").read_text("utf-8"))
    steps = [step["run"] for step in workflow["jobs"]["check"]["steps"] if "run" in step]
    assert steps[1:] == ["supportbot validate", "supportbot test"]
    hooks = yaml.safe_load((made / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == ["supportbot validate", "supportbot test"]
    files = re.compile(hooks[0]["files"])
    assert files.search("rules/categories/printing.yaml")
    assert not files.search("docs/rules.md")


def test_every_variable_of_the_bot_is_in_the_example(made: Path) -> None:
    lines = (made / ".env.example").read_text("utf-8").splitlines()
    settings = [re.match(r"(?:# )?([A-Z][A-Z0-9_]+)=(.*)", line) for line in lines]
    written = [found[1] for found in settings if found]
    assert len(written) == len(set(written))
    texts = [path.read_text("utf-8") for path in (made / "supportbot.yaml", *(made / "rules").rglob("*.yaml"))]
    code = "\n".join(line for text in texts for line in text.splitlines() if not line.lstrip().startswith("#"))
    named = set(re.findall(r"\$\{(\w+)", code))
    assert {"ZOHO_CLIENT_ID", "DESK_DEPARTMENT_ID", "SALESIQ_SCREENNAME", "DESK_URL"} <= named
    assert named <= set(written)
    assert {"OPENAI_API_KEY", "SUPPORTBOT_ADMIN_TOKEN", "PORT"} <= set(written)
    assert [line for line in lines if not line.startswith("#") and not line.endswith("=") and line] == [
        "LOG_LEVEL=INFO"
    ]
