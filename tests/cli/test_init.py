"""init: a new bot that is sound from the first minute, with everything around it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import Run

from supportbot import __version__
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
    assert written.count(f"supportbot=={__version__}") == 4  # workflow, Dockerfile, two hooks


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
    assert {path for path in made.rglob("*.yaml") if not path.name.startswith(".")} == covered


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


def test_every_setting_of_the_example_is_empty_or_harmless(made: Path) -> None:
    lines = (made / ".env.example").read_text("utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert {value for value in settings.values() if value} == {"INFO"}
    assert {"OPENAI_API_KEY", "DESK_ACCESS_TOKEN", "SALESIQ_ACCESS_TOKEN", "PORT"} <= set(settings)
