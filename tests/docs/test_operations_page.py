"""docs/operations.md says what the code does: made tables are current, the others name everything and nothing more."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import get_args

from tests.docs.operations_tables import PAGE, ROOT, families, filled

from supportbot.cli.main import VERBS
from supportbot.runtime.alerts import Kind
from supportbot.server.app import routes
from supportbot.server.logs import CONTEXT

ENGINE = ROOT / "engine/supportbot"
TEXT = PAGE.read_text("utf-8")
NAME = re.compile(r"\b(?:SUPPORTBOT|SALESIQ|DESK|ZOHO|OPENAI|ERROR)_[A-Z][A-Z_]*[A-Z]\b|\bLOG_LEVEL\b|\bPORT\b")
NOT_VARIABLES = {"SALESIQ_NOTE", "ERROR_KINDS", "DEFAULT_PORT"}
# In examples of schemas only: whoever writes a connection chooses the names.
EXAMPLES = {"SALESIQ_BILLING_ID", "DESK_API_KEY", "DESK_USER", "DESK_PASSWORD"}


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> set[str]:
    """What stands in code font in the first column of a section's tables."""
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_made_tables_are_current() -> None:
    assert filled(TEXT) == TEXT, "docs/operations.md is old: run  python -m tests.docs.operations_tables"


def test_every_metric_can_be_made() -> None:
    assert len(families()) > 20
    for name, family in families().items():
        assert family.samples, f"nothing counts {name} in this test: add it to tests/docs/operations_tables.py"
        assert family.documentation


def sources() -> Iterator[tuple[Path, str]]:
    for path in sorted(ENGINE.rglob("*")):
        if path.suffix == ".py" or path.name == "env.example":
            yield path, path.read_text("utf-8")
    for path in (
        ROOT / "supportbot.yaml",
        *sorted((ROOT / "rules").rglob("*.yaml")),
        *(ROOT / "schemas").glob("*.json"),
    ):
        yield path, path.read_text("utf-8")


def test_every_variable_is_described() -> None:
    used = {name for _, text in sources() for name in NAME.findall(text)} - NOT_VARIABLES - EXAMPLES
    described = first_cells(section("Environment"))
    assert used - described == set(), "docs/operations.md, Environment, does not have these"
    assert described - used <= {"NO_COLOR", "FORCE_COLOR", "SALESIQ_APP_ID"}, "nothing reads these"


def logged_fields() -> set[str]:
    """Keywords of log calls, and keys of the facts that two functions collect first."""
    found: set[str] = set()
    for path in (ENGINE / "server").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"logs.log", "logs.log_failure"}:
                found |= {keyword.arg for keyword in node.keywords if keyword.arg}
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if ast.unparse(target) == "facts" and isinstance(node.value, ast.Dict):
                    found |= {key.value for key in node.value.keys if isinstance(key, ast.Constant)}
                if isinstance(target, ast.Subscript) and ast.unparse(target.value) == "facts":
                    found.add(ast.literal_eval(target.slice))
    return found


def test_every_log_field_is_described() -> None:
    always = {"time", "level", "logger", "event", "traceback", *(name for name, _ in CONTEXT)}
    assert {"handler", "seconds", "tokens", "errors", "path"} <= logged_fields()
    assert first_cells(section("Logs")) == always | logged_fields()


def test_every_alert_of_the_bot_is_in_the_runbook() -> None:
    assert set(get_args(Kind)) <= first_cells(section("Runbook"))


def test_files_and_paths_exist() -> None:
    for name in re.findall(
        r"`((?:deploy|benchmarks|docs|tests|schemas)/[^`* ]+|Dockerfile|railway\.json|Procfile)`", TEXT
    ):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"\]\(([a-z-]+\.(?:md|png))\)", TEXT):
        assert (PAGE.parent / name).exists(), name
    known = {re.sub(r"\{[^}]*\}", "ID", route.path) for route in routes()}
    for path in re.findall(r"`(?:GET |POST |DELETE )?(/[a-z.]+(?:/[a-zA-Z]+)*)`", TEXT):
        assert path in known, path


def test_links_inside_the_page_lead_somewhere() -> None:
    titles = {title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)}
    linked = re.findall(r"\]\(#([^)]+)\)", TEXT)
    assert linked
    assert set(linked) <= titles


def test_the_reference_has_every_path() -> None:
    page = (PAGE.parent / "reference.md").read_text("utf-8")
    rows = [
        line.split(" | ")
        for line in page.split("\n## HTTP\n")[1].split("\n## ")[0].splitlines()
        if line.startswith("| `/")
    ]
    described = {
        (path, method)
        for paths, methods, *_ in rows
        for path in re.findall(r"`([^`]+)`", paths)
        for method in methods.split(", ")
    }
    files = re.compile(r"/(?:widget|dashboard)/")
    served = {(route.path, route.method) for route in routes() if not files.match(route.path)}
    assert {(path, method) for path, method in described if method != "HEAD"} == served


def test_commands_and_their_options_exist() -> None:
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))
    lines = re.findall(r"`(supportbot [^`]+)`", TEXT) + re.findall(r"^(supportbot .+)$", blocks, re.MULTILINE)
    assert "supportbot serve --get /health" in lines
    for line in lines:
        verb, _, rest = line.removeprefix("supportbot ").partition(" ")
        assert verb in VERBS, verb
        command = import_module(f"supportbot.cli.{verb.replace('-', '_')}").command
        known = {name for parameter in command.params for name in parameter.opts}
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in known, f"supportbot {verb} has no {option}"


def test_the_reference_has_every_command() -> None:
    page = (PAGE.parent / "reference.md").read_text("utf-8")
    table = page.split("\n## ")[1].split("\n### ")[0]
    assert set(re.findall(r"^\| `([a-z-]+)", table, re.MULTILINE)) == set(VERBS)
