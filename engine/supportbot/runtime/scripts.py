"""Conversation tests as they are written: tests/conversations/*.yaml read into frozen scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from supportbot.compiler.quantities import seconds
from supportbot.config.schema import check
from supportbot.config.yaml_reader import YamlList, YamlMap, read_yaml
from supportbot.diagnostics import Diagnostic, Place, error
from supportbot.errors import UsageError
from supportbot.model.bot import Bot

FOLDER = "tests/conversations"
_FIRST_DAY = datetime(2026, 11, 23, 10)  # a Monday; tests that name no time begin on the first working day from here


@dataclass(frozen=True, slots=True)
class Expectation:
    """One key of ``expect``. ``values``: any of them, but all of them, in order, for suggestions and actions."""

    key: str
    values: tuple[Any, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """Silence of ``wait`` seconds, then what the visitor says and, perhaps, what the model answers."""

    say: str | None
    wait: float
    llm: str | None
    expect: tuple[Expectation, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    at: datetime | None
    steps: tuple[ScriptStep, ...]
    place: Place


def conversation_files(root: Path, paths: Sequence[Path] = ()) -> tuple[Path, ...]:
    """The files to run: the given files and folders, else all of the bot. Raises UsageError for one that is missing."""
    chosen = [Path(path) for path in paths] or [root / FOLDER]
    found: list[Path] = []
    for path in chosen:
        if path.is_dir():
            found += sorted(file for file in path.rglob("*") if file.suffix in (".yaml", ".yml") and file.is_file())
        elif path.is_file():
            found.append(path)
        elif paths:
            raise UsageError(f"{path} does not exist; name a file of conversations or a folder with such files")
    return tuple(dict.fromkeys(found))


def read_scripts(bot: Bot, root: Path, paths: Sequence[Path] = ()) -> tuple[tuple[Script, ...], tuple[Diagnostic, ...]]:
    """All conversations that can be read, and what is wrong with the others."""
    scripts: list[Script] = []
    found: list[Diagnostic] = []
    for path in conversation_files(root, paths):
        name = _shown(path, root)
        try:
            data, problems = read_yaml(path.read_bytes(), name)
        except OSError as failure:
            problem = f"this file cannot be read: {failure.strerror}"
            data, problems = None, [error("unreadable-file", Place(name), problem, "check who may read it")]
        if data is not None:
            problems = [*problems, *check("conversations", data, name)]
        elif not problems:
            problems = [
                error("empty-value", Place(name), "the file holds nothing", "write conversations: or delete it")
            ]
        if not any(problem.severity == "error" for problem in problems):
            read = [_script(bot, entry, data["conversations"].items_at[number]) for number, entry in _entries(data)]
            scripts += [script for script, _ in read]
            problems = [*problems, *(problem for _, more in read for problem in more)]
        found += problems
    return tuple(scripts), tuple(found)


def first_moment(bot: Bot) -> datetime:
    """When a test begins that does not say so: ten o'clock on a working day, in the bot's time zone."""
    moment = _FIRST_DAY
    while moment.weekday() > 4 or moment.date() in bot.settings.hours.holidays:
        moment += timedelta(days=1)
    return moment.replace(tzinfo=bot.settings.hours.zone)


def _shown(path: Path, root: Path) -> str:
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return path.as_posix()


def _entries(data: Any) -> Iterator[tuple[int, YamlMap]]:
    yield from enumerate(data["conversations"] or ())


def _script(bot: Bot, entry: YamlMap, place: Place) -> tuple[Script, list[Diagnostic]]:
    problems: list[Diagnostic] = []
    at = _moment(bot, entry, problems)
    steps = tuple(_step(step, entry["steps"].items_at[number], problems) for number, step in enumerate(entry["steps"]))
    return Script(str(entry["name"]), at, steps, entry.values_at.get("name", place)), problems


def _moment(bot: Bot, entry: YamlMap, problems: list[Diagnostic]) -> datetime | None:
    if "at" not in entry:
        return None
    try:
        moment = datetime.fromisoformat(str(entry["at"]))
    except ValueError:
        message = f"'{entry['at']}' is no date and time"
        problems.append(error("bad-date", entry.values_at["at"], message, "write it like 2026-11-23T10:15:00"))
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=bot.settings.hours.zone)


def _step(step: YamlMap, place: Place, problems: list[Diagnostic]) -> ScriptStep:
    if "say" not in step and "wait" not in step:
        problems.append(error("missing-key", place, "nothing happens in this step", "add say: or wait:"))
    wait = 0.0
    if "wait" in step:
        length = step["wait"] if isinstance(step["wait"], int | float) else seconds(str(step["wait"]))
        if length is None:
            message = f"'{step['wait']}' is no length of time"
            problems.append(error("bad-duration", step.values_at["wait"], message, "write it like 30s, 31m or 2h"))
        wait = float(length or 0)
    expect = step.get("expect")
    expected = tuple(_expectations(expect)) if isinstance(expect, YamlMap) else ()
    return ScriptStep(_text(step, "say"), wait, _text(step, "llm"), expected, place)


def _text(step: YamlMap, key: str) -> str | None:
    return str(step[key]) if key in step else None


def _expectations(expect: YamlMap) -> Iterator[Expectation]:
    for key, value in expect.items():
        place = expect.values_at.get(key, expect.place)
        if isinstance(value, YamlMap):
            for name, item in value.items():
                yield Expectation(f"slots.{name}", (item,), value.values_at.get(name, place))
        else:
            yield Expectation(key, tuple(value) if isinstance(value, YamlList) else (value,), place)
