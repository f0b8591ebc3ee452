"""Whatever the documents hold, compiling gives findings or a bot, and never raises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.compiler.conftest import SMALL

from supportbot.compiler.compile import compile_bot
from supportbot.config.folder import BotFiles, Document, Kind
from supportbot.config.yaml_nodes import YamlList, YamlMap
from supportbot.config.yaml_reader import read_yaml
from supportbot.diagnostics import Place

KINDS: dict[str, Kind] = {
    "supportbot.yaml": "settings",
    "states.yaml": "states",
    "handlers.yaml": "handlers",
    "rules/categories/printing.yaml": "category",
    "rules/categories/other.yaml": "category",
    "rules/responses.yaml": "responses",
    "rules/lists.yaml": "lists",
    "rules/forms.yaml": "forms",
    "rules/actions.yaml": "actions",
}
WORDS = (
    "greeting working offer begin person callback welcome step_1 phone printing open = * {{ {{slots.x}} <yes> (a|b [x] "
    "8s a.b __class__"
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS.split()) | st.text(max_size=8)
PLACE = Place("handlers.yaml", 1, 1, 1, 2)


def as_nodes(value: Any) -> Any:
    """Plain dicts and lists as the reader gives them."""
    if isinstance(value, dict):
        made = YamlMap(PLACE)
        for key, item in value.items():
            made[key] = as_nodes(item)
            made.keys_at[key] = made.values_at[key] = PLACE
        return made
    if isinstance(value, list):
        items = YamlList(PLACE)
        items.extend(as_nodes(item) for item in value)
        items.items_at.extend(PLACE for _ in value)
        return items
    return value


KEYS = st.sampled_from(
    "id state states trigger source dest do when match message if text channels languages set json any none".split()  # noqa: SIM905
)
ANY = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
).map(as_nodes)


def slots_of(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    pairs: list[tuple[Any, Any]] = []
    queue = [node]
    for item in queue:
        inside = (
            list(item.items()) if isinstance(item, dict) else list(enumerate(item)) if isinstance(item, list) else []
        )
        pairs += [(item, key) for key, _ in inside]
        queue += [value for _, value in inside]
    return pairs


def documents() -> list[Document]:
    return [Document(kind, name, read_yaml(SMALL[name], name)[0], SMALL[name]) for name, kind in KINDS.items()]


def files_of(found: list[Document]) -> BotFiles:
    prompts = {name.removeprefix("prompts/"): text for name, text in SMALL.items() if name.startswith("prompts/")}
    return BotFiles(Path(), tuple(found), prompts, (), "revision", len(found))


def check(files: BotFiles) -> None:
    compiled = compile_bot(files)
    broken = any(item.severity == "error" for item in compiled.diagnostics)
    assert (compiled.bot is None) == broken


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_changed_documents(data: st.DataObject) -> None:
    found = documents()
    for _ in range(data.draw(st.integers(1, 4))):
        pairs = slots_of(data.draw(st.sampled_from(found)).data)
        if not pairs:
            continue
        container, key = data.draw(st.sampled_from(pairs))
        if isinstance(container, dict) and data.draw(st.integers(0, 3)) == 0:
            del container[key]
        elif key in container or (isinstance(key, int) and key < len(container)):
            container[key] = data.draw(ANY)
    check(files_of(found))


@settings(max_examples=50, deadline=None)
@given(st.sets(st.sampled_from(sorted(KINDS))))
def test_missing_documents(kept: set[str]) -> None:
    check(files_of([item for item in documents() if item.file in kept]))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(set(KINDS.values()))), ANY), max_size=5))
def test_any_documents(drawn: list[tuple[Kind, Any]]) -> None:
    check(files_of([Document(kind, "x.yaml", data, "") for kind, data in drawn if isinstance(data, YamlMap)]))
