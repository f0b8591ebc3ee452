"""One cause, one finding: what follows from another finding is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from supportbot.compiler.context import Context
from supportbot.config.folder import BotFiles
from supportbot.diagnostics import Diagnostic

# Kinds of ids that stand in files whose path begins so.
HOMES: dict[str, tuple[str, ...]] = {
    "states.yaml": ("state", "trigger", "condition"),
    "rules/categories/": ("category", "guide", "slot"),
    "handlers.yaml": ("handler", "slot"),
    "rules/responses": ("response",),
    "rules/forms": ("form", "slot"),
    "rules/actions": ("action", "connection", "slot"),
    "rules/lists": ("list",),
    "supportbot.yaml": ("settings",),
}


# The key that holds the ids of a file; misspelt, all of them are lost.
CONTAINERS = {
    "states": "states",
    "category": "category",
    "handlers": "handlers",
    "responses": "responses",
    "lists": "lists",
}
# What a mistake in the shape of a file hides may be in use.
HIDING = frozenset({"unknown-key", "missing-key", "wrong-type", "not-allowed", "empty-value", "unknown-file"})
FOLLOWING = ("unused-", "unreachable-state", "shadowed-transition", "missing-words", "empty-")


def lost_kinds(files: BotFiles) -> frozenset[str]:
    """Kinds of ids that may be defined in a file that could not be read."""
    read = {item.file for item in files.documents}
    lost = {item.place.file for item in files.diagnostics if item.severity == "error"} - read
    lost |= {
        item.file for item in files.documents if item.kind in CONTAINERS and CONTAINERS[item.kind] not in item.data
    }
    lost |= {item.file for item in files.documents if item.kind == "forms" and _has_no_forms(item.data)}
    found = (kinds for home, kinds in HOMES.items() if any(name.startswith(home) for name in lost))
    return frozenset(kind for kinds in found for kind in kinds)


def _has_no_forms(data: Mapping[str, object]) -> bool:
    """Whether a file of forms has something else in their place; one with nothing but words is whole."""
    return "forms" not in data and not data.keys() <= {"words"}


def together(earlier: Sequence[Diagnostic], context: Context) -> Iterator[Diagnostic]:
    """The findings of the readers and of the compiler, where both see one mistake only the more telling one."""
    own = _causes(earlier, context.refs.diagnostics)
    misspelt = any(item.code == "unknown-key" and "'initial'" in item.message + item.hint for item in earlier)
    places = {(item.place.file, item.place.line, item.place.column) for item in own if item.severity == "error"}
    no_initial = any(item.code == "no-initial" for item in own)
    for item in earlier:
        at = (item.place.file, item.place.line, item.place.column)
        shape_only = item.code == "not-allowed" and at in places
        if not shape_only and not (no_initial and item.code == "missing-key" and "'initial'" in item.message):
            yield item
    secret = {(item.place.file, item.place.line) for item in earlier if item.code == "inline-secret"}
    for item in own:
        named = item.code == "secret-in-file" and (item.place.file, item.place.line) in secret
        if not named and (item.code != "no-initial" or not misspelt):
            yield item
    lists_lost = "list" in context.refs.lost
    yield from (item for item in context.builder.diagnostics if item.code != "unknown-list" or not lists_lost)


def _causes(earlier: Sequence[Diagnostic], own: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The compiler's findings without those that another mistake brings with it: what is not found is not used."""
    if any(item.code in HIDING for item in earlier):
        return [item for item in own if not item.code.startswith(FOLLOWING)]
    meant = " ".join(item.hint for item in own if item.severity == "error" and item.hint.startswith("did you mean"))
    kinds = {item.code for item in own}
    doubled = {f"unknown-{item.message.split()[1]}" for item in own if item.code == "duplicate-id"}
    if any(item.code == "duplicate-key" and item.place.file.startswith("rules/responses") for item in earlier):
        doubled.add("unknown-response")
    left = []
    for item in own:
        if item.code in doubled and not item.hint.startswith("did you mean"):
            continue  # one of the two with the same id may be the one that is missing
        named = item.code.startswith(FOLLOWING) and any(f"'{name}'" in meant for name in _names(item))
        condition = item.code == "shadowed-transition" and "unknown-condition" in kinds
        if not named and not condition:
            left.append(item)
    return left


def _names(item: Diagnostic) -> list[str]:
    """The ids that a message names."""
    return [*item.message.split("'")[1::2], item.place.file.removeprefix("prompts/")]
