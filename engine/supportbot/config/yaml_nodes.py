"""What a YAML document becomes: plain dicts and lists that know where each part was written."""

from __future__ import annotations

from typing import Any

from supportbot.diagnostics import Place


class YamlMap(dict[str, Any]):
    """A mapping with the place of itself, of each key and of each value."""

    __slots__ = ("keys_at", "place", "values_at")

    place: Place
    keys_at: dict[str, Place]
    values_at: dict[str, Place]

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.keys_at = {}
        self.values_at = {}


class YamlList(list[Any]):
    """A sequence with the place of itself and of each item."""

    __slots__ = ("items_at", "place")

    place: Place
    items_at: list[Place]

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.items_at = []
