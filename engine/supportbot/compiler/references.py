"""What is defined, what is used, and every finding of one compilation.

All ids are defined before the first one is looked up, so files may name each other in any order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from supportbot.compiler.nodes import key_place
from supportbot.config.yaml_nodes import YamlMap
from supportbot.diagnostics import Diagnostic, Fix, Place, Related, correction, did_you_mean, error, warning

Kind = Literal[
    "state", "trigger", "condition", "category", "guide", "handler", "response", "form", "action", "connection", "list"
]

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,79}", re.ASCII)
# The state machine gives these words a meaning of its own, for triggers and states.
RESERVED = frozenset({"initial", "machine", "model", "state", "trigger", "none", "any", "self"})
RESERVED_KINDS = frozenset({"state", "trigger", "condition"})

# Explanations, tests and statistics name the rule that answered by its id alone.
NAMED_TOGETHER: dict[Kind, Kind] = {"handler": "guide", "guide": "handler"}

# A hint costs a comparison with every known name: past this many, names alone must do.
MAX_HINTS = 50

# Why, and how it would be used.
UNUSED: dict[Kind, tuple[str, str]] = {
    "response": ("no rule says it", "let a rule do {{reply: {name}}}"),
    "form": ("no rule opens it", "let a rule do {{form: {name}}}"),
    "action": ("no rule runs it", "let a rule or a form do {{action: {name}}}"),
    "connection": ("no action calls it", "write connection: {name} into an action"),
    "list": ("no phrase names it", "write <{name}> into a phrase"),
}


@dataclass(slots=True)
class References:
    """Ids by kind with the place of their definition, those that were used, and the findings."""

    defined: dict[str, dict[str, Place]] = field(default_factory=dict)
    used: dict[str, set[str]] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    hints: dict[tuple[str, str], str] = field(default_factory=dict)
    refused: set[tuple[str, str]] = field(default_factory=set)  # (kind, name) that cannot be ids, already reported
    lost: frozenset[str] = frozenset()  # kinds of which a file could not be read: unknown ids may be there

    def error(
        self, code: str, place: Place, message: str, hint: str = "", *related: Related, fix: Fix | None = None
    ) -> None:
        self.diagnostics.append(error(code, place, message, hint, *related, fix=fix))

    def warn(self, code: str, place: Place, message: str, hint: str = "", *related: Related) -> None:
        self.diagnostics.append(warning(code, place, message, hint, *related))

    def known(self, kind: Kind) -> dict[str, Place]:
        return self.defined.setdefault(kind, {})

    def define(self, kind: Kind, name: str, place: Place) -> bool:
        """Note an id; false when it cannot be one or was defined before (both are reported)."""
        if not self.identifier(name, place, kind, reserved=kind in RESERVED_KINDS):
            self.refused |= {(kind, name), (kind, _nearest_id(name))}
            return False
        known = self.known(kind)
        other = NAMED_TOGETHER.get(kind)
        taken = known.get(name) or (self.known(other).get(name) if other else None)
        if taken is not None:
            first = Related(taken, f"'{name}' is defined here first")
            hint = f"give one of them another id, or remove it; the first is in {first.place.file}:{first.place.line}"
            self.error("duplicate-id", place, f"the {kind} id '{name}' is taken", hint, first)
            return False
        known[name] = place
        return True

    def identifier(self, name: str, place: Place, label: str, reserved: bool = False) -> bool:
        """Whether a name can be an id; reported when it cannot."""
        if reserved and name in RESERVED:
            self.error("invalid-id", place, f"'{name}' is a reserved word and cannot name a {label}", "choose another")
            return False
        if IDENTIFIER.fullmatch(name):
            return True
        message = f"{name!r} cannot be the id of a {label}"
        hint = "ids begin with a small letter and hold small letters, digits and _, at most 80"
        self.error("invalid-id", place, message, hint + suggested_id(name))
        return False

    def use(self, kind: Kind, name: str, place: Place) -> bool:
        """Look an id up and count it as used; false when it is unknown (which is reported)."""
        if name in self.known(kind):
            self.used.setdefault(kind, set()).add(name)
            return True
        if kind not in self.lost and (kind, name) not in self.refused:
            hint = self.hint(kind, name, self.known(kind))
            fix = correction(place, name, self.known(kind)) if hint else None
            self.error(f"unknown-{kind}", place, f"there is no {kind} '{name}'", hint, fix=fix)
        return False

    def only_one(self, node: YamlMap, first: str, second: str, what: str) -> None:
        """Report a map that has two keys of which the second would do nothing."""
        if node.get(first) is not None and node.get(second) is not None:
            message = f"this {what} has both '{first}' and '{second}', which exclude each other"
            self.error("conflicting-keys", key_place(node, second), message, "keep one of them")

    def hint(self, kind: str, name: str, known: Iterable[str]) -> str:
        """What may have been meant. Each wrong name is compared once, and only so many of them."""
        found = self.hints.get((kind, name))
        if found is None and len(self.hints) < MAX_HINTS:
            found = self.hints[kind, name] = did_you_mean(name, known)
        return found or ""

    def report_unused(self) -> None:
        if self.lost:
            return
        for kind, (why, how) in UNUSED.items():
            used = self.used.get(kind, set())
            for name, place in self.defined.get(kind, {}).items():
                if name not in used:
                    hint = f"{how.format(name=name)}, or remove it"
                    self.warn(f"unused-{kind}", place, f"the {kind} '{name}' is never used: {why}", hint)


def suggested_id(name: str) -> str:
    """``: try 'x'`` for a name that is nearly an id."""
    near = _nearest_id(name)
    return f": try '{near}'" if IDENTIFIER.fullmatch(near) else ""


def _nearest_id(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "_", name.lower(), flags=re.ASCII).strip("_")[:80]
