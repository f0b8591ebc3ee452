"""The schemas in schemas/, loaded into records that are quick to walk.

The files are plain draft-07, so that every editor can use them. They keep to a small part of it: type, properties,
required, additionalProperties, propertyNames, items, enum, lengths, bounds, pattern, ``$ref`` into definitions, and
``allOf`` with a single ``$ref`` (which lets a use have a title of its own). ``patternErrorMessage`` is an extension
that editors know; it says in words what a pattern wants. Keywords that begin with ``x-`` say where ids stand, for
schemas that hold a bot's own ids (config/own_schemas.py): ``x-id-of`` a text that is an id of that kind (``x-or`` lists
what else it may be), ``x-keys-of`` a mapping whose keys are, ``x-phrase`` a text that may name lists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from supportbot import resources

_CHECKED = {
    *("type", "enum", "properties", "required", "additionalProperties", "propertyNames", "items"),
    *("minLength", "minItems", "minProperties", "maxProperties", "minimum", "maximum", "pattern"),
}
_FOR_EDITORS = {
    *("$schema", "$comment", "title", "description", "examples", "default", "definitions"),
    *("patternErrorMessage", "enumDescriptions", "x-id-of", "x-or", "x-keys-of", "x-phrase"),
}
_KEYWORDS = _CHECKED | _FOR_EDITORS


@dataclass(slots=True)
class Rule:
    """One schema. ``types`` is empty when any type will do; ``extra`` None forbids other keys than ``properties``."""

    title: str = ""
    types: tuple[str, ...] = ()
    properties: dict[str, Rule] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    extra: Rule | None = None
    open: bool = True
    names: Rule | None = None
    items: Rule | None = None
    enum: tuple[Any, ...] = ()
    least: int = 0  # characters, entries or keys, whatever the value has
    most_keys: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    pattern: re.Pattern[str] | None = None
    pattern_message: str = ""
    example: Any = None


@cache
def rule_for(kind: str) -> Rule:
    """The rule of a whole document, e.g. ``handlers``."""
    schema = json.loads((resources.schemas() / f"{kind}.json").read_text("utf-8"))
    return _Loader(schema.get("definitions", {})).rule(schema)


@cache
def places_of_keys(kind: str) -> Mapping[str, tuple[str, ...]]:
    """For each key of a document, the titles of the parts that may have it."""
    found: dict[str, dict[str, None]] = {}
    seen: set[int] = set()

    def walk(rule: Rule) -> None:
        if id(rule) in seen:
            return
        seen.add(id(rule))
        for key in rule.properties:
            found.setdefault(key, {})[rule.title] = None
        for part in (*rule.properties.values(), rule.items, rule.extra):
            if part is not None:
                walk(part)

    walk(rule_for(kind))
    return {key: tuple(titles) for key, titles in found.items()}


class _Loader:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._shared: dict[str, Rule] = {}

    def rule(self, schema: Mapping[str, Any]) -> Rule:
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/definitions/")
            if name not in self._shared:
                self._shared[name] = self.rule(self._definitions[name])
            return self._shared[name]
        if "allOf" in schema:
            name = schema["allOf"][0]["$ref"].removeprefix("#/definitions/")
            own = {key: value for key, value in schema.items() if key != "allOf"}
            return self.rule({**self._definitions[name], **own})
        unknown = schema.keys() - _KEYWORDS
        if unknown:
            raise ValueError(f"schema keywords that are not implemented: {', '.join(sorted(unknown))}")
        return self._plain(schema)

    def _plain(self, schema: Mapping[str, Any]) -> Rule:
        types = schema.get("type", ())
        extra = schema.get("additionalProperties", True)
        pattern = schema.get("pattern")
        examples = schema.get("examples") or [schema.get("default")]
        return Rule(
            title=schema.get("title", ""),
            types=(types,) if isinstance(types, str) else tuple(types),
            properties={key: self.rule(value) for key, value in schema.get("properties", {}).items()},
            required=tuple(schema.get("required", ())),
            extra=self.rule(extra) if isinstance(extra, dict) else None,
            open=extra is not False,
            names=self.rule(schema["propertyNames"]) if "propertyNames" in schema else None,
            items=self.rule(schema["items"]) if "items" in schema else None,
            enum=tuple(schema.get("enum", ())),
            least=max(schema.get(key, 0) for key in ("minLength", "minItems", "minProperties")),
            most_keys=schema.get("maxProperties"),
            minimum=schema.get("minimum"),
            maximum=schema.get("maximum"),
            pattern=re.compile(pattern) if pattern else None,
            pattern_message=schema.get("patternErrorMessage", ""),
            example=examples[0],
        )
