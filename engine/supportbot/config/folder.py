"""The folder of a bot: which files it has, what is in them, and what is wrong with their shape."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from supportbot.config import schema
from supportbot.config.disk import Disk, shown
from supportbot.config.secrets import inline_secrets
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
FOLDERS: Mapping[str, Kind] = MappingProxyType(
    {CATEGORIES: "category", "rules/responses": "responses", "rules/lists": "lists"}
)
PROMPT_ENDINGS = (".md", ".j2", ".txt")
_MAX_PROMPT_DEPTH = 10
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


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What one content of a file came to. ``document`` is None when it holds no mapping."""

    content: bytes
    kind: Kind
    document: Document | None
    diagnostics: tuple[Diagnostic, ...]


@dataclass(slots=True)
class Memory:
    """Files as they were read last, so that reading a bot again parses only those whose content changed."""

    parsed: dict[str, _Parsed] = field(default_factory=dict)


NOTHING: Mapping[str, bytes] = MappingProxyType({})


def read_bot(root: Path, memory: Memory | None = None, instead: Mapping[str, bytes] = NOTHING) -> BotFiles:
    """Read all files of a bot and check their shape. Never raises for any content.

    ``instead``: contents, by path, to take in place of what is on the disk.
    """
    disk = Disk(root)
    reading = _Reading(disk, memory or Memory(), instead)
    for name, kind in REQUIRED.items():
        if disk.exists(name):
            reading.document(name, kind)
        else:
            reading.missing(name)
    for name, kind in OPTIONAL.items():
        if disk.exists(name):
            reading.document(name, kind)
    for folder, kind in FOLDERS.items():
        reading.folder(folder, kind)
    reading.strays()
    reading.prompt_folder("prompts", 0)
    return reading.result()


class _Reading:
    def __init__(self, disk: Disk, memory: Memory, instead: Mapping[str, bytes]) -> None:
        self.disk = disk
        self.memory = memory
        self.instead = instead
        self.found: list[Diagnostic] = []
        self.documents: list[Document] = []
        self.prompts: dict[str, str] = {}
        self.contents: dict[str, bytes] = {}

    def document(self, name: str, kind: Kind) -> None:
        content = self._content(name)
        if content is None:
            return
        parsed = self.memory.parsed.get(name)
        if parsed is None or parsed.content != content or parsed.kind != kind:
            parsed = self.memory.parsed[name] = _parse(name, kind, content)
        self.found += parsed.diagnostics
        if parsed.document is not None:
            self.documents.append(parsed.document)

    def folder(self, folder: str, kind: Kind) -> None:
        """All files of a folder whose names end with .yaml, sorted by name."""
        for name in self.disk.names(folder):
            if name.endswith(".yaml") and not self.disk.is_folder(name):
                self.document(name, kind)
            else:
                self.disk.ignored(name, f"only files whose names end with .yaml, directly in {folder}, are read")

    def missing(self, name: str) -> None:
        others = [other for other in self.disk.names("") if other.endswith(_YAML_ENDINGS) and other not in REQUIRED]
        near = difflib.get_close_matches(name, others, n=1, cutoff=0.8)
        if near:
            hint = f"rename {near[0]} to {name}"
        else:
            hint = "supportbot init writes all files that a bot needs into a new folder; copy it from there"
        self.found.append(error("missing-file", Place(name), f"the bot has no {name}", hint))

    def strays(self) -> None:
        """What is in rules/ and is not read is most likely misspelt."""
        known = [*OPTIONAL, *FOLDERS]
        for name in self.disk.names("rules"):
            if name in known:
                continue
            if name.endswith(_YAML_ENDINGS):
                self.disk.ignored(name, did_you_mean(name, [*OPTIONAL, f"{CATEGORIES}/{Path(name).name}"]))
            elif self.disk.is_folder(name):
                self.disk.ignored(name, did_you_mean(name, FOLDERS))

    def prompt_folder(self, folder: str, depth: int) -> None:
        for name in self.disk.names(folder):
            if name.endswith(PROMPT_ENDINGS) and not self.disk.is_folder(name):
                self._prompt(name)
            elif self.disk.is_folder(name) and depth < _MAX_PROMPT_DEPTH:
                self.prompt_folder(name, depth + 1)
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
            self.found += inline_secrets(text, shown(name))
            self.prompts[shown(name).removeprefix("prompts/")] = text

    def _content(self, name: str) -> bytes | None:
        content = self.instead[name] if name in self.instead else self.disk.read(name)
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


def _parse(name: str, kind: Kind, content: bytes) -> _Parsed:
    file = shown(name)
    source = decode(content, file)[0] or ""
    data, findings = read_yaml(content, file)
    found = [*inline_secrets(source, file), *findings]
    if data is not None:
        found += _new(schema.check(kind, data, file), findings)
    elif not findings:
        found.append(_empty(file, required=name in REQUIRED))
    document = Document(kind, file, data, source) if isinstance(data, YamlMap) else None
    return _Parsed(content, kind, document, tuple(found))


def _new(findings: list[Diagnostic], earlier: list[Diagnostic]) -> list[Diagnostic]:
    """Findings about the shape, less those at places where the YAML itself was refused: one cause, one message."""
    places = {(item.place.line, item.place.column) for item in earlier if item.severity == "error"}
    return [item for item in findings if (item.place.line, item.place.column) not in places]


def _empty(file: str, required: bool) -> Diagnostic:
    make = error if required else warning
    hint = "fill it in; supportbot init --minimal writes one to copy from" if required else "fill it in or delete it"
    return make("empty-value", Place(file), "the file holds nothing", hint)


def _revision(contents: Mapping[str, bytes]) -> str:
    """First 12 hexadecimal digits of a hash over paths and contents, whatever order they were read in."""
    digest = hashlib.sha256()
    for name in sorted(contents):
        path = name.encode("utf-8", "surrogateescape")
        digest.update(b"%d %d\n" % (len(path), len(contents[name])))
        digest.update(path)
        digest.update(contents[name])
    return digest.hexdigest()[:12]
