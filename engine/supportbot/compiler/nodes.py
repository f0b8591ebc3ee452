"""Reading YAML nodes that may have any shape.

The schema check reports wrong shapes, so the compiler only steps around them: what is not of
the type that is wanted is left out here without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from supportbot.config.yaml_nodes import YamlList, YamlMap
from supportbot.diagnostics import Place

LARGEST = 1e300


def value_place(node: YamlMap, key: str) -> Place:
    """Where the value of a key is written; the map itself when it has no such key."""
    return node.values_at.get(key, node.place)


def key_place(node: YamlMap, key: str) -> Place:
    return node.keys_at.get(key, node.place)


def text(node: YamlMap, key: str, default: str = "") -> str:
    value = node.get(key)
    return value if isinstance(value, str) else default


def whole(node: YamlMap, key: str, default: int) -> int:
    value = node.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def number(node: YamlMap, key: str, default: float) -> float:
    """A finite number; whole ones that no float can hold count as none."""
    value = node.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST:
        return float(value)
    return default


def flag(node: YamlMap, key: str, default: bool = False) -> bool:
    value = node.get(key)
    return value if isinstance(value, bool) else default


def section(node: YamlMap | None, key: str) -> YamlMap | None:
    """The map below a key, or None when there is none."""
    value = node.get(key) if node is not None else None
    return value if isinstance(value, YamlMap) else None


def named(node: YamlMap | None) -> Iterator[tuple[str, Any, Place]]:
    """The entries of a map: key, value, place of the key."""
    for key, value in (node or {}).items():
        if isinstance(key, str) and node is not None:
            yield key, value, key_place(node, key)


def items(node: YamlMap | None, key: str) -> Iterator[tuple[Any, Place]]:
    """The entries of the list below a key with their places; a single value counts as a list of one."""
    value = node.get(key) if node is not None else None
    if node is None or value is None:
        return
    if isinstance(value, YamlList):
        yield from zip(value, value.items_at, strict=False)
    else:
        yield value, value_place(node, key)


def texts(node: YamlMap | None, key: str) -> Iterator[tuple[str, Place]]:
    """Like ``items``, only the strings."""
    return ((value, place) for value, place in items(node, key) if isinstance(value, str))


def maps(node: YamlMap | None, key: str) -> Iterator[YamlMap]:
    """Like ``items``, only the maps."""
    return (value for value, _ in items(node, key) if isinstance(value, YamlMap))
