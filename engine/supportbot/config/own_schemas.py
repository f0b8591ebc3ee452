"""Schemas that hold the ids of one bot, made from the general ones: editors complete them and underline others.

The general schemas say with ``x-`` keywords where ids stand (see schema_rules.py).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from supportbot import resources
from supportbot.config.disk import Disk
from supportbot.config.folder import BotFiles
from supportbot.config.known_ids import Ids, KnownIds, known_ids
from supportbot.diagnostics import Diagnostic, Place, info

FOLDER = "schemas"  # where the first lines of a bot's files say that their schema is
ASIDE = ".supportbot/schemas"  # in the checkout of supportbot, whose schemas/ are the general ones
_MARK = "Made by `supportbot schema --write` with the ids of this bot"
_MARKED = re.compile(re.escape(_MARK) + r"; do not edit\. ([0-9a-f]{16})")
_HEAD = 400  # characters in which the mark stands
_NOTHING: Mapping[str, Any] = {}


@cache
def general_schemas() -> Mapping[str, str]:
    """Kind of document -> its schema as text."""
    return {path.stem: path.read_text("utf-8") for path in sorted(resources.schemas().glob("*.json"))}


def own_schemas(files: BotFiles) -> dict[str, str]:
    """Kind of document -> schema as text, with the bot's ids. The same bot always gives the same texts."""
    known = known_ids(files)
    return {kind: _own(json.loads(text), known, _fingerprint(known, text)) for kind, text in general_schemas().items()}


def folder_of(root: Path) -> Path:
    """Where the schemas of a bot are written."""
    own = root / FOLDER
    return root / ASIDE if own.resolve() == resources.schemas().resolve() else own


def write_schemas(files: BotFiles) -> tuple[Path, int]:
    """Write what changed; returns the folder and how many files were written. Raises OSError."""
    folder = folder_of(files.root)
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for kind, text in own_schemas(files).items():
        path = folder / f"{kind}.json"
        if not path.is_file() or path.read_bytes() != text.encode():
            path.write_text(text, "utf-8", newline="\n")
            written += 1
    return folder, written


def stale_schemas(files: BotFiles) -> list[Diagnostic]:
    """One finding when schemas with ids were written, and the bot has other ids now. Unreadable files may hold more."""
    read = {document.file for document in files.documents}
    if any(item.severity == "error" and item.place.file not in read for item in files.diagnostics):
        return []
    folder = folder_of(files.root)
    marks = {kind: mark for kind in general_schemas() if (mark := _mark(files.root, folder, kind))}
    if not marks:
        return []
    known = known_ids(files)
    for kind, text in general_schemas().items():
        if marks.get(kind) != _fingerprint(known, text):
            place = Place((folder / f"{kind}.json").relative_to(files.root).as_posix(), 3, 2, 3, 12)
            message = "these schemas were written when the bot had other ids: editors go by the old ones"
            return [info("stale-schema", place, message, "run: supportbot schema --write")]
    return []


def _mark(root: Path, folder: Path, kind: str) -> str:
    name = (folder / f"{kind}.json").relative_to(root).as_posix()
    disk = Disk(root)
    content = disk.read(name) if disk.exists(name) else None
    found = _MARKED.search((content or b"")[:_HEAD].decode("utf-8", "replace"))
    return found[1] if found else ""


def _fingerprint(known: KnownIds, general: str) -> str:
    """Of the ids and the general schema; what is said about the ids may change without making a schema stale."""
    names = {kind: list(ids) for kind, ids in known.by_kind.items()}
    return hashlib.sha256(f"{json.dumps(names)}\n{general}".encode("utf-8", "replace")).hexdigest()[:16]


# --- from general to own ----------------------------------------------------------------------


def _own(schema: dict[str, Any], known: KnownIds, fingerprint: str) -> str:
    changed = {"$schema": schema["$schema"], "$comment": f"{_MARK}; do not edit. {fingerprint}"}
    changed |= _node(schema, known)
    wanted = sorted(kind for kind in known.by_kind if f'"{_ref(kind)}"' in json.dumps(changed))
    ids = {_name(kind): _ids(kind, known[kind]) for kind in wanted}
    changed["definitions"] = {**changed.get("definitions", _NOTHING), **ids}
    return json.dumps(changed, indent=1, ensure_ascii=False) + "\n"


def _name(kind: str) -> str:
    return f"{kind}_ids"


def _ref(kind: str) -> str:
    return f"#/definitions/{_name(kind)}"


def _ids(kind: str, ids: Ids) -> dict[str, Any]:
    """Each id with its meaning, once in a schema: a bot may have thousands."""
    problem = f"the bot has no {kind} of this name; Ctrl+Space lists them"
    return {"type": "string", "enum": list(ids), "enumDescriptions": list(ids.values()), "errorMessage": problem}


def _node(node: Any, known: KnownIds) -> Any:
    if isinstance(node, list):
        return [_node(item, known) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _node(value, known) for key, value in node.items() if not _is_ours(key, node)}
    kind = node.get("x-id-of")
    if isinstance(kind, str):
        return _one_of(plain, kind, known[kind], node.get("x-or", ()))
    kind = node.get("x-keys-of")
    if isinstance(kind, str):
        return _keys_of(plain, known[kind], closed=kind == "language")
    if node.get("x-phrase") is True:
        return _phrase(plain, known["list"])
    return plain


def _is_ours(key: str, node: dict[str, Any]) -> bool:
    """A keyword of ours, not a property that is called so: those have schemas as values."""
    return key.startswith("x-") and not isinstance(node[key], dict)


def _one_of(node: dict[str, Any], kind: str, ids: Ids, others: Sequence[str]) -> dict[str, Any]:
    if not ids:
        return node
    words: dict[str, Any] = {key: node[key] for key in ("title", "description") if key in node}
    choice: dict[str, Any] = {"$ref": _ref(kind)}
    if others:
        choice = {"anyOf": [choice, {"type": "string", "enum": list(others)}]}
    types = node.get("type")
    if types == "string":
        return {**words, "type": "string", **(choice if others else {"allOf": [choice]})}
    rest = {key: value for key, value in node.items() if key not in (*words, "type", "minLength", "examples")}
    left = [name for name in types or () if name != "string"]
    rest["type"] = left[0] if len(left) == 1 else left
    choices = choice["anyOf"] if others else [choice]
    return {**words, "anyOf": [*choices, {**words, **rest}]}


def _keys_of(node: dict[str, Any], ids: Ids, closed: bool) -> dict[str, Any]:
    extra = node.get("additionalProperties", True)
    value = extra if isinstance(extra, dict) else {}
    own = {name: {**value, **({"description": about} if about else {})} for name, about in ids.items()}
    made = {**node, "properties": {**own, **node.get("properties", _NOTHING)}}
    return {**made, "additionalProperties": False} if closed and ids else made


def _phrase(node: dict[str, Any], lists: Ids) -> dict[str, Any]:
    """A phrase may only name lists that there are; the names are offered as beginnings of a phrase."""
    if not lists:
        return node
    names = "|".join(re.escape(name) for name in lists)
    return {
        **node,
        "pattern": f"^[^<]*(<({names})>[^<]*)*$",
        "patternErrorMessage": "this phrase names a list that rules/lists.yaml and rules/lists/ do not have",
        "defaultSnippets": [
            {"label": f"<{name}>", "description": about, "body": f"<{name}>"} for name, about in lists.items()
        ],
    }
