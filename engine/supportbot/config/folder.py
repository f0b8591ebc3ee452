"""The folder of a bot: which files it has, what is in them, and what is wrong with their shape."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from supportbot.config import schema
from supportbot.config.disk import Disk, shown
from supportbot.config.yaml_nodes import YamlMap
from supportbot.config.yaml_reader import decode, read_yaml
from supportbot.diagnostics import Diagnostic, Place, did_you_mean, error, in_order, warning
from supportbot.errors import UsageError

Kind = Literal["settings", "states", "handlers", "category", "responses", "lists", "forms", "actions"]

SETTINGS_FILE = "supportbot.yaml"
REQUIRED: Mapping[str, Kind] = MappingProxyType(
    {SETTINGS_FILE: "settings", "states.yaml": "states", "handlers.yaml": "handlers"}
)
OPTIONAL: Mapping[str, Kind] = MappingProxyType(
    {
        "rules/responses.yaml": "responses",
        "rules/lists.yaml": "lists",
        "rules/forms.yaml": "forms",
        "rules/actions.yaml": "actions",
    }
)
CATEGORIES = "rules/categories"
SPLIT: Mapping[str, Kind] = MappingProxyType({"rules/responses": "responses", "rules/lists": "lists"})
PROMPT_ENDINGS = (".md", ".j2", ".txt")
_YAML_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file. ``source`` is its text; the places in ``data`` point into it."""

    kind: Kind
    file: str
    data: YamlMap
    source: str


@dataclass(frozen=True, slots=True)
class BotFiles:
    """Everything that was read. Files without a usable mapping are not among ``documents``.

    ``prompts``: path relative to prompts/ -> text. ``revision``: hash of all contents. ``count``: files read.
    """

    root: Path
    documents: tuple[Document, ...]
    prompts: Mapping[str, str]
    diagnostics: tuple[Diagnostic, ...]
    revision: str
    count: int


def find_bot(start: Path | None) -> Path:
    """The nearest folder upward from ``start`` (default: the current one) that holds a supportbot.yaml.

    Raises UsageError when there is none.
    """
    try:
        origin = (start if start is not None else Path()).resolve()
        if not origin.exists():
            raise UsageError(f"there is no folder {start}")
        for folder in (origin, *origin.parents):
            if (folder / SETTINGS_FILE).is_file():
                return folder
    except (OSError, ValueError, RuntimeError) as problem:
        raise UsageError(f"{start} cannot be read: {problem}") from problem
    hint = "go to a bot's folder, name one, or make one with: supportbot init my-bot"
    raise UsageError(f"there is no {SETTINGS_FILE} in {origin} or in a folder above it; {hint}")


def read_bot(root: Path) -> BotFiles:
    """Read all files of a bot and check their shape. Never raises for any content."""
    disk = Disk(root)
    reading = _Reading(disk)
    for name, kind in REQUIRED.items():
        if disk.exists(name):
            reading.document(name, kind)
        else:
            reading.missing(name)
    for name in disk.names(CATEGORIES):
        if name.endswith(".yaml"):
            reading.document(name, "category")
        else:
            disk.ignored(name, "a category is a file whose name ends with .yaml, directly in rules/categories")
    for name, kind in OPTIONAL.items():
        if disk.exists(name):
            reading.document(name, kind)
    for folder, kind in SPLIT.items():
        for name in disk.names(folder):
            if name.endswith(".yaml"):
                reading.document(name, kind)
    reading.strays()
    reading.prompt_folder("prompts", 0)
    return reading.result()


class _Reading:
    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.found: list[Diagnostic] = []
        self.documents: list[Document] = []
        self.prompts: dict[str, str] = {}
        self.contents: dict[str, bytes] = {}

    def document(self, name: str, kind: Kind) -> None:
        content = self._content(name)
        if content is None:
            return
        file = shown(name)
        data, findings = read_yaml(content, file)
        self.found += findings
        if data is None:
            if not findings:
                self.found.append(_empty(file, required=name in REQUIRED))
            return
        self.found += _new(schema.check(kind, data, file), findings)
        if isinstance(data, YamlMap):
            self.documents.append(Document(kind, file, data, decode(content, file)[0] or ""))

    def missing(self, name: str) -> None:
        other = name.removesuffix(".yaml") + ".yml"
        if self.disk.exists(other):
            hint = f"rename {other} to {name}"
        else:
            hint = "copy the one of the starter bot: supportbot init my-bot writes all files that a bot needs"
        self.found.append(error("missing-file", Place(name), f"the bot has no {name}", hint))

    def strays(self) -> None:
        """YAML files below rules/ that nothing reads are most likely misspelt."""
        for name in self.disk.names("rules"):
            if name not in OPTIONAL and name.endswith(_YAML_ENDINGS):
                near = did_you_mean(name, [*OPTIONAL, f"{CATEGORIES}/{Path(name).name}"])
                self.disk.ignored(name, near)

    def prompt_folder(self, folder: str, depth: int) -> None:
        for name in self.disk.names(folder):
            if self.disk.is_folder(name):
                if depth < 10:
                    self.prompt_folder(name, depth + 1)
            elif name.endswith(PROMPT_ENDINGS):
                self._prompt(name)
            else:
                endings = ", ".join(PROMPT_ENDINGS)
                self.disk.ignored(name, f"prompts end with {endings}; links to folders are not followed")

    def _prompt(self, name: str) -> None:
        content = self._content(name)
        if content is None:
            return
        text, findings = decode(content, shown(name))
        self.found += findings
        if text is not None:
            self.prompts[shown(name).removeprefix("prompts/")] = text

    def _content(self, name: str) -> bytes | None:
        content = self.disk.read(name)
        if content is not None:
            self.contents[name] = content
        return content

    def result(self) -> BotFiles:
        return BotFiles(
            root=self.disk.root,
            documents=tuple(self.documents),
            prompts=MappingProxyType(self.prompts),
            diagnostics=in_order([*self.disk.found, *self.found]),
            revision=_revision(self.contents),
            count=len(self.contents),
        )


def _new(findings: list[Diagnostic], earlier: list[Diagnostic]) -> list[Diagnostic]:
    """Findings about the shape, less those at places where the YAML itself was refused: one cause, one message."""
    places = {(item.place.line, item.place.column) for item in earlier if item.severity == "error"}
    return [item for item in findings if (item.place.line, item.place.column) not in places]


def _empty(file: str, required: bool) -> Diagnostic:
    make = error if required else warning
    return make("empty-value", Place(file), "the file holds nothing", "fill it in or delete it")


def _revision(contents: Mapping[str, bytes]) -> str:
    """First 12 hexadecimal digits of a hash over paths and contents, whatever order they were read in."""
    digest = hashlib.sha256()
    for name in sorted(contents):
        path = name.encode("utf-8", "surrogateescape")
        digest.update(b"%d %d\n" % (len(path), len(contents[name])))
        digest.update(path)
        digest.update(contents[name])
    return digest.hexdigest()[:12]
