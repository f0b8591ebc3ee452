"""``supportbot init``: a bot of one's own, with everything around it that a team needs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import click

from supportbot.cli.naming import called
from supportbot.cli.options import color_option, paint_of
from supportbot.cli.terminal import say
from supportbot.config.environment import references
from supportbot.errors import UsageError
from supportbot.resources import PACKAGE, checks_page, pages, schemas, starter_bot

FILES = ("supportbot.yaml", "states.yaml", "handlers.yaml")
FOLDERS = ("rules", "prompts", "tests/conversations")
NEWBOT = PACKAGE / "cli" / "newbot"
PAGES = (
    "architecture.md",
    "zoho.md",
    "salesiq.md",
    "writing-rules.md",
    "operations.md",
    "reference.md",
    "glossary.md",
    "dashboard.png",
)

# File in the package -> file of the new bot. The leading dots would keep some tools from packing them.
AROUND: Mapping[str, str] = {
    "gitignore": ".gitignore",
    "env.example": ".env.example",
    "workflow.yml": ".github/workflows/supportbot.yml",
    "pre-commit-config.yaml": ".pre-commit-config.yaml",
    "vscode-settings.json": ".vscode/settings.json",
    "vscode-extensions.json": ".vscode/extensions.json",
    "vscode-tasks.json": ".vscode/tasks.json",
    "Dockerfile": "Dockerfile",
    "dockerignore": ".dockerignore",
    "README.md": "README.md",
    "vendor.md": "vendor/README.md",
}


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--minimal", is_flag=True, help="The least a bot needs, with comments: to start another bot.")
@click.option("--force", is_flag=True, help="Write into a folder that holds something; files of the same name go.")
@color_option
@click.pass_context
def command(context: click.Context, folder: Path, minimal: bool, force: bool) -> None:
    """Start a bot of your own in DIR: the one for IT support, ready to change.

    With editor settings, a CI workflow, commit hooks, a Dockerfile and .env.example.
    """
    written = write_bot(folder, force, minimal)
    paint = paint_of(context)
    say(f"{paint.good('made')} {folder}: {written} files")
    enter = f"cd {folder}" if folder.resolve() != Path.cwd() else ""
    name = called(folder)
    for line in filter(None, (enter, f"{name} validate", f"{name} test", f"{name} chat --trace")):
        say(f"  {paint.strong(line)}")


def write_bot(folder: Path, force: bool = False, minimal: bool = False) -> int:
    """Copy the starter bot, or the minimal one, and what belongs around it; returns the number of files.

    Raises UsageError when the folder holds something already (unless ``force``) or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a new folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder} is not empty; name a new folder, or add --force to write into it")
    if folder.resolve() == starter_bot().resolve():
        raise UsageError(f"{folder} is the starter bot itself; name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        copied = _copy_tree(NEWBOT / "minimal", folder) if minimal else _copy_starter(folder)
        copied += _copy_tree(schemas(), folder / "schemas")
        copied += _copy_pages(folder / "docs")
        return len(copied) + _write_around(folder, env_example(folder))
    except OSError as problem:
        raise UsageError(f"{folder} cannot be written: {problem.strerror or problem}") from problem


def env_example(folder: Path) -> str:
    """``.env.example``: what the engine reads, then every variable that the bot's YAML names, file by file."""
    text = (NEWBOT / "env.example").read_text("utf-8")
    known = {line.partition("=")[0] for line in text.splitlines() if line[:1].isalpha()}
    for path in (folder / "supportbot.yaml", *sorted((folder / "rules").rglob("*.yaml"))):
        code = "\n".join(line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("#"))
        new = {name: default for name, default in references(code).items() if name not in known}
        known |= set(new)
        # Where a default stands in the YAML, a line that is empty would not help anybody.
        lines = [f"# {name}={default}" if default else f"{name}=" for name, default in new.items()]
        if lines:
            text += "\n".join(["", f"# {path.relative_to(folder).as_posix()}", *lines, ""])
    return text


def _copy_pages(folder: Path) -> list[Path]:
    """The pages that the bot's own files point to, and the ones that these point to."""
    copied = [_copy(pages() / name, folder / name) for name in PAGES]
    copied.append(_copy(checks_page(), folder / "checks.md"))
    return copied + _copy_tree(pages() / "examples", folder / "examples")


def _copy_starter(folder: Path) -> list[Path]:
    starter = starter_bot()
    copied = [_copy(starter / name, folder / name) for name in FILES]
    for name in FOLDERS:
        copied += _copy_tree(starter / name, folder / name)
    return copied


def _copy_tree(source: Path, target: Path) -> list[Path]:
    found = sorted(path for path in source.rglob("*") if path.is_file() and not path.name.startswith("."))
    return [_copy(path, target / path.relative_to(source)) for path in found]


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)  # not the mode: the package may be installed read-only
    return target


def _write_around(folder: Path, variables: str) -> int:
    name = folder.resolve().name or "support bot"
    for source, target in AROUND.items():
        text = variables if source == "env.example" else (NEWBOT / source).read_text("utf-8")
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("@NAME@", name), "utf-8")
    return len(AROUND)
