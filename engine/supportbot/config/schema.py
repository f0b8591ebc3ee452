"""Check the shape of a document against its schema, with findings that a person can act on.

The verdict is that of any draft-07 validator (a test compares them); the words are ours, because "is not valid under
any of the given schemas" helps nobody.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any

from supportbot.config.schema_rules import Rule, places_of_keys, rule_for
from supportbot.config.yaml_nodes import YamlList, YamlMap
from supportbot.diagnostics import Diagnostic, Fix, Place, correction, did_you_mean, error

_TYPES: dict[type, str] = {
    YamlMap: "object",
    dict: "object",
    YamlList: "array",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}
_WORDS = {
    "object": "keys with values",
    "array": "a list",
    "string": "a text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "null": "nothing",
}
# Keys that people expect in a part because a similar part has them.
_INSTEAD = {
    ("Handler", "match"): "a handler has it under when: {message: [...]}",
    ("Handler", "category"): "a handler has it under when: {category: [...]}",
    ("Handler", "steps"): "a handler has do: [...]; steps belong to guides",
    (
        "Guide",
        "priority",
    ): "the guide with the most matched words is taken; priorities belong to categories and handlers",
    ("Conditions", "match"): "write message: [...]",
    ("When", "match"): "write message: [...]",
}
_TRUTHS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def check(kind: str, data: Any, file: str) -> list[Diagnostic]:
    """All that is wrong with the shape of a document of this kind; ``data`` comes from read_yaml.

    Codes: unknown-key, missing-key, wrong-type, not-allowed, empty-value, out-of-range.
    """
    walker = _Walker(kind)
    place = data.place if isinstance(data, YamlMap | YamlList) else Place(file)
    walker.value(rule_for(kind), data, place, "the file", None)
    return walker.found


class _Walker:
    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.found: list[Diagnostic] = []

    def value(self, rule: Rule, value: Any, place: Place, what: str, parent: Rule | None) -> None:
        """``what`` names the value in messages; ``parent`` is the rule of the mapping that it is part of."""
        is_a = _TYPES.get(type(value), "null")
        if rule.types and is_a not in rule.types and not (is_a == "integer" and "number" in rule.types):
            self._wrong_type(rule, value, is_a, place, what, parent)
        elif is_a == "object":
            self._map(rule, value, place, what, parent)
        elif is_a == "array":
            self._list(rule, value, place, what, parent)
        elif is_a == "string":
            self._text(rule, value, place, what)
        else:
            self._number(rule, value, place, what)

    # --- by type --------------------------------------------------------------------------

    def _map(self, rule: Rule, data: Any, place: Place, what: str, parent: Rule | None) -> None:
        if len(data) < rule.least:
            self._empty(place, what)
        keys_at = data.keys_at if isinstance(data, YamlMap) else {}
        values_at = data.values_at if isinstance(data, YamlMap) else {}
        unknown = []
        for key, value in data.items():
            inner = rule.properties.get(key, rule.extra)
            if inner is not None and value is None and (below := _next_key(data, key)) in inner.properties:
                message = f"'{key}' is empty, and '{below}' below it stands beside it, not in it"
                self._add("empty-value", values_at.get(key, place), message, f"indent the line of '{below}' more")
            elif inner is not None:
                self.value(inner, value, values_at.get(key, place), f"'{key}'", rule)
            elif not rule.open:
                unknown.append(key)
            if rule.names is not None:
                self._text(rule.names, key, keys_at.get(key, place), "the name")
        missing = [key for key in rule.required if key not in data]
        for key in unknown:
            self._unknown(rule, data, key, keys_at.get(key, place), what, parent, missing)
        first = next(iter(keys_at.values()), place)
        for key in missing:
            self._missing(rule, key, first, what)
        if rule.most_keys is not None and len(data) > rule.most_keys and not unknown:
            second = list(keys_at.values())[rule.most_keys] if len(keys_at) > rule.most_keys else place
            message = f"one {rule.title.lower()} does one thing, and this one has {_listed(data)}"
            self._add("not-allowed", second, message, "make a list entry of each, in the order in which they happen")

    def _list(self, rule: Rule, data: Any, place: Place, what: str, parent: Rule | None) -> None:
        if len(data) < rule.least:
            self._empty(place, what)
        if rule.items is None:
            return
        places = data.items_at if isinstance(data, YamlList) else [place] * len(data)
        for item, item_place in zip(data, places, strict=True):
            self.value(rule.items, item, item_place, f"an entry of {what}", parent)

    def _text(self, rule: Rule, text: str, place: Place, what: str) -> None:
        if rule.enum:
            self._among(rule, text, place, what)
        elif len(text) < rule.least:
            self._empty(place, what)
        elif rule.pattern is not None and not rule.pattern.search(text):
            shown = f"{what} is '{_short(text)}'"
            self._add("not-allowed", place, f"{shown}, which cannot be read", rule.pattern_message)

    def _number(self, rule: Rule, value: Any, place: Place, what: str) -> None:
        if rule.enum:
            self._among(rule, value, place, what)
        if isinstance(value, bool) or value is None:
            return
        if rule.minimum is not None and value < rule.minimum:
            self._add(
                "out-of-range",
                place,
                f"{what} is {value}; it must be {rule.minimum} or more",
                f"write {rule.minimum:g} or more",
            )
        if rule.maximum is not None and value > rule.maximum:
            self._add(
                "out-of-range",
                place,
                f"{what} is {value}; it must be {rule.maximum} or less",
                f"write {rule.maximum:g} or less",
            )

    # --- findings -------------------------------------------------------------------------

    def _add(self, code: str, place: Place, message: str, hint: str = "", fix: Fix | None = None) -> None:
        if place.end_line > place.line:  # underlining a whole block hides what is meant
            place = Place(place.file, place.line, place.column, place.line, place.column + 1)
        self.found.append(error(code, place, message, hint, fix=fix))

    def _empty(self, place: Place, what: str) -> None:
        self._add("empty-value", place, f"{what} is empty", "fill it in or remove it")

    def _wrong_type(self, rule: Rule, value: Any, is_a: str, place: Place, what: str, parent: Rule | None) -> None:
        if is_a == "null":
            wanted = _either(_WORDS[name] for name in rule.types)
            self._add("empty-value", place, f"{what} is empty; {wanted} is expected", "fill it in or remove it")
            return
        expected = _either(_WORDS[name] for name in rule.types)
        message = f"{what} must be {expected}, but this is {_described(value, is_a)}"
        hint = _type_hint(rule, value, is_a)
        if is_a == "array" and what == "'text'" and parent is not None and "variants" in parent.properties:
            hint = "several wordings are written as variants: [...] instead of text: [...]"
        self._add("wrong-type", place, message, hint, _type_fix(rule, value, is_a, place))

    def _among(self, rule: Rule, value: Any, place: Place, what: str) -> None:
        if any(value == item and isinstance(value, bool) == isinstance(item, bool) for item in rule.enum):
            return
        allowed = [_written(item) for item in rule.enum]
        only = allowed[0] if len(allowed) == 1 else None
        hint = f"write {only}, or remove the key" if only else did_you_mean(_written(value), allowed)
        message = f"{what} is '{_short(_written(value))}'; it can be {_either(allowed)}"
        self._add("not-allowed", place, message, hint, correction(place, _written(value), allowed))

    def _missing(self, rule: Rule, key: str, place: Place, what: str) -> None:
        example = rule.properties[key].example if key in rule.properties else None
        hint = f"for example {key}: {_flow(example)}" if example is not None else f"add {key}:"
        self._add("missing-key", place, f"{_owner(rule, what)} has no '{key}'", hint)

    def _unknown(
        self, rule: Rule, data: Any, key: str, place: Place, what: str, parent: Rule | None, missing: list[str]
    ) -> None:
        """Also takes a required key that was only misspelt off the ``missing`` ones."""
        free = [name for name in rule.properties if name not in data]
        if data[key] is None and (first := _without_colon(rule, key)):
            hint = f"write {first}: {_short(key[len(first) :].strip())}"
            return self._add("wrong-type", place, f"a colon is missing after '{first}'", hint)
        near = difflib.get_close_matches(key[:200], free, n=1, cutoff=0.65)
        if not near and key == "destination" and "dest" in free:
            near = ["dest"]
        if near:
            hint = f"did you mean '{near[0]}'?"
            if near[0] in missing:
                missing.remove(near[0])
        else:
            if data[key] is None and re.fullmatch(r"\w+:\w+", key):
                return self._add("wrong-type", place, "a text that begins with { must be in quotes", f'"{{{key}}}"')
            instead = _INSTEAD.get((rule.title, key)) or self._elsewhere(rule, key, parent)
            if not instead and "string" in rule.types and len(data) == 1 and isinstance(data[key], str | int):
                instead = f'put it in quotes if a text is meant: "{_short(key)}: {_written(data[key])}"'
            hint = instead or did_you_mean(key, rule.properties)
        fix = correction(place, key, free) if near else None
        self._add("unknown-key", place, f"'{_short(key)}' is not a key of {_part(rule, what)}", hint, fix)

    def _elsewhere(self, rule: Rule, key: str, parent: Rule | None) -> str:
        for name, inner in rule.properties.items():
            if key in inner.properties:
                return f"'{key}' belongs under '{name}'"
            if inner.items is not None and key in inner.items.properties:
                return f"'{key}' belongs into the entries of '{name}'"
        if parent is not None and key in parent.properties:
            return f"'{key}' belongs one level up; use less indentation"
        titles = places_of_keys(self.kind).get(key, ())
        return f"'{key}' is a key of: {', '.join(titles)}" if titles and len(titles) < 4 else ""


def _without_colon(rule: Rule, key: str) -> str:
    """The key that begins a text such as ``trigger offer``, or nothing."""
    first, _, value = key.partition(" ")
    return first if first in rule.properties and value.strip() else ""


def _next_key(data: Any, key: str) -> str:
    """The key that follows one, or nothing."""
    keys = iter(data)
    return next((next(keys, "") for name in keys if name == key), "")


# --- words --------------------------------------------------------------------------------


def _part(rule: Rule, what: str) -> str:
    if what == "the file":
        return "this file"
    if rule.title.endswith("s") and not rule.title.endswith(("ss", "us")):
        return f"the {rule.title.lower()}" if what.startswith("an entry") else what
    article = "an" if rule.title[:1] in "AEIO" else "a"
    return f"{article} {rule.title.lower()}" if what.startswith("an entry") and rule.title else what


def _owner(rule: Rule, what: str) -> str:
    return f"this {rule.title.lower()}" if what.startswith("an entry") and rule.title else what


def _either(words: Iterable[str]) -> str:
    names = list(dict.fromkeys(words))
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]


def _listed(data: Any) -> str:
    return ", ".join(f"'{_short(key)}'" for key in list(data)[:4]) + (" and more" if len(data) > 4 else "")


def _described(value: Any, is_a: str) -> str:
    if is_a in ("object", "array"):
        return "a list" if is_a == "array" else f"keys with values ({_listed(value)})" if value else "{}"
    if is_a == "string":
        return f"the text '{_short(value)}'"
    return _written(value) if is_a == "boolean" else f"the number {value}"


def _type_hint(rule: Rule, value: Any, is_a: str) -> str:
    wanted = rule.types
    if is_a in ("integer", "number", "boolean"):
        if "string" in wanted:
            return f'put it in quotes to make it a text: "{_written(value)}"'
        if "array" in wanted and rule.items is not None and is_a in rule.items.types:
            return f"write a list: [{_written(value)}]"
        if "array" in wanted and rule.items is not None and "string" in rule.items.types:
            return f'write a list: ["{_written(value)}"]'
    if is_a == "number" and wanted == ("integer",) and abs(value) < 1e9:
        return f"write a number without a fraction, for example {round(value)}"
    if is_a == "string":
        if "boolean" in wanted:
            word = _TRUTHS.get(value.lower(), value.lower())
            return f"write {word}" + (" without quotes" if value == word else "") if word in ("true", "false") else ""
        if wanted in (("integer",), ("number",)) and value.isdigit():
            return f"remove the quotes: {value}" if value == "0" or value[0] != "0" else ""
        if wanted in (("integer",), ("number",)):
            return f"write a number, for example {rule.example if type(rule.example) in (int, float) else 10}"
        if "array" in wanted and value.startswith("-"):
            return "put a space after each dash"
        if "array" in wanted:
            return f"write a list: [{_short(', '.join(_quoted_parts(value)))}]" if value else "write a list"
        if "text" in rule.properties and wanted == ("object",):
            return f'write {{text: "{_short(value)}"}}'
        if value in rule.properties and "object" in wanted:
            return f"write {{{value}: ...}}"
        if "id" in rule.properties and wanted == ("object",):
            return f"write {{id: {_short(value)}}}"
        if rule.title == "Step" and wanted == ("object",):
            return f"say what to do with it, for example {{reply: {_short(value)}}}"
    if is_a == "array" and "variants" in rule.properties:
        return "write {variants: [...]} for several wordings, or put a text that begins with [ in quotes"
    if is_a == "array" and "string" in wanted:
        return "put a text that begins with [ in quotes"
    if is_a == "object" and "array" in wanted:
        return "begin the entry with a dash: '- ', or put it in square brackets: [{...}]"
    if is_a == "object" and "string" in wanted:
        return "put the text in quotes if it has a colon"
    return ""


def _flow(example: Any) -> str:
    """An example of a schema in one line of YAML."""
    if isinstance(example, list):
        return f"[{', '.join(map(_flow, example))}]"
    if isinstance(example, dict):
        return "{" + ", ".join(f"{key}: {_flow(value)}" for key, value in example.items()) + "}"
    return _written(example) if not re.search(r"[][{}<>|*#:,]", _written(example)) else json.dumps(example)


def _type_fix(rule: Rule, value: Any, is_a: str, place: Place) -> Fix | None:
    """The edit that gives a scalar the type that is wanted, where the value itself is not in doubt."""
    if place.line != place.end_line:
        return None
    if is_a in ("integer", "number", "boolean") and "string" in rule.types:
        return Fix(place, _written(value), f'"{_written(value)}"')
    if is_a != "string":
        return None
    truth = _TRUTHS.get(value.lower(), value.lower())
    if rule.types == ("boolean",) and truth in (["true"] if rule.enum else ["true", "false"]):
        return Fix(place, "", truth)
    if rule.types in (("integer",), ("number",)) and re.fullmatch(r"0|[1-9][0-9]{0,8}", value):
        return Fix(place, "", value)
    takes_texts = rule.items is not None and "string" in rule.items.types
    if "array" in rule.types and takes_texts and value and not re.match(r"[-\[]|.*[,\n]", value):
        return Fix(place, "", f"[{json.dumps(value, ensure_ascii=False)}]")
    return None


def _quoted_parts(text: str) -> list[str]:
    return [f'"{part.strip()}"' for part in text.split(",") if part.strip()]


def _written(value: Any) -> str:
    """A value as YAML has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
