"""The ids of a bot with a few words about each, read from its documents as they stand, right or wrong.

For editors, which need them most while the bot does not compile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from supportbot.config.folder import BotFiles
from supportbot.config.yaml_nodes import YamlList, YamlMap

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,79}")
_CAPTURE = re.compile(r"\{([a-z][a-z0-9_]{0,79}):[a-z]+\}")
_WIDEST = 160  # characters of a description

Ids = Mapping[str, str]  # id -> what it is, perhaps empty


@dataclass(frozen=True, slots=True)
class KnownIds:
    """By kind, each sorted: state, trigger, condition, category, rule, guide, response, form, action, connection,
    list, slot, prompt, language. ``rule`` holds what can answer: handlers, guides and ``form.<id>``.
    """

    by_kind: Mapping[str, Ids]

    def __getitem__(self, kind: str) -> Ids:
        return self.by_kind[kind]


def known_ids(files: BotFiles) -> KnownIds:
    """Never raises for any content: what has the wrong shape is left out."""
    found: dict[str, dict[str, str]] = {kind: {} for kind in _KINDS}
    for document in files.documents:
        for kind, name, about in _READERS[document.kind](document.data):
            if isinstance(name, str) and IDENTIFIER.fullmatch(name):
                found[kind].setdefault(name, _short(about))
        for name in _CAPTURE.findall(document.source):
            found["slot"].setdefault(name, "")
    for path, text in files.prompts.items():
        found["prompt"][path] = _short(text)
    for name, about in (*found["handler"].items(), *found["guide"].items()):
        found["rule"].setdefault(name, about)
    found["rule"] |= {f"form.{name}": about for name, about in found["form"].items()}
    return KnownIds({kind: dict(sorted(names.items())) for kind, names in found.items()})


_KINDS = (
    *("state", "trigger", "condition", "category", "handler", "guide", "rule", "response", "form", "action"),
    *("connection", "list", "slot", "prompt", "language"),
)

Found = Iterator[tuple[str, Any, Any]]


def _settings(data: YamlMap) -> Found:
    yield "language", data.get("language", "en"), ""
    for name in _list(data.get("languages")):
        yield "language", name, ""


def _states(data: YamlMap) -> Found:
    for state in _maps(data.get("states")):
        yield "state", state.get("id"), state.get("title")
    for name, expression in _map(data.get("conditions")).items():
        yield "condition", name, expression
    for move in _maps(data.get("transitions")):
        source = move.get("source")
        start = ", ".join(map(str, source)) if isinstance(source, list) else source
        yield "trigger", move.get("trigger"), f"{start} -> {move.get('dest')}"


def _handlers(data: YamlMap) -> Found:
    for handler in _maps(data.get("handlers")):
        yield "handler", handler.get("id"), handler.get("title")
        yield from _set_slots(handler.get("do"))


def _category(data: YamlMap) -> Found:
    yield "category", data.get("category"), data.get("title")
    for guide in _maps(data.get("guides")):
        yield "guide", guide.get("id"), guide.get("title")
        yield from _set_slots(guide.get("do"))


def _responses(data: YamlMap) -> Found:
    for name, value in _map(data.get("responses")).items():
        if isinstance(value, YamlMap):
            variants = _list(value.get("variants"))
            value = value.get("text") or (variants[0] if variants else "")
        yield "response", name, value


def _lists(data: YamlMap) -> Found:
    for name, phrases in _map(data.get("lists")).items():
        yield "list", name, ", ".join(str(phrase) for phrase in _list(phrases)[:6])


def _forms(data: YamlMap) -> Found:
    for form in _maps(data.get("forms")):
        yield "form", form.get("id"), form.get("title")
        for slot in _maps(form.get("slots")):
            yield "slot", slot.get("name"), f"{slot.get('type', 'text')}, asked by the form {form.get('id')}"


def _actions(data: YamlMap) -> Found:
    for name, connection in _map(data.get("connections")).items():
        yield "connection", name, _map(connection).get("base_url")
    for action in _maps(data.get("actions")):
        yield "action", action.get("id"), action.get("title") or f"{action.get('method', 'POST')} {action.get('path')}"
        for slot in _map(action.get("save")):
            yield "slot", slot, f"saved by the action {action.get('id')}"


_READERS = {
    "settings": _settings,
    "states": _states,
    "handlers": _handlers,
    "category": _category,
    "responses": _responses,
    "lists": _lists,
    "forms": _forms,
    "actions": _actions,
}


def _set_slots(steps: Any) -> Found:
    for step in _maps(steps):
        for slot in _map(step.get("set")):
            yield "slot", slot, ""


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, YamlMap) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, YamlList) else []


def _maps(value: Any) -> Iterator[YamlMap]:
    return (item for item in _list(value) if isinstance(item, YamlMap))


def _short(about: Any) -> str:
    text = " ".join(str(about).split()) if about is not None else ""
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1].rstrip() + "…"
