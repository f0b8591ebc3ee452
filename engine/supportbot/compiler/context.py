"""What the parts of one compilation share: ids, findings, the index, templates still to check."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from supportbot.compiler.blocks import IndexBuilder
from supportbot.compiler.references import References
from supportbot.compiler.template_nodes import METHODS
from supportbot.compiler.template_places import Spot
from supportbot.compiler.templates import (
    NOTHING,
    Reading,
    Roots,
    check_names,
    is_literal,
    read_expression,
    read_template,
    scope_of,
)
from supportbot.config.yaml_place import locate
from supportbot.diagnostics import Fix, Place, warning
from supportbot.model.steps import Expression, Template

_SINGLE = re.compile(r"(?<![{%])\{ ?(?:slots|visitor|session|hours|now|bot)\.\w+ ?\}(?!\})")


@dataclass(slots=True)
class Context:
    """Mutable while a bot is compiled, gone afterwards. ``sources``: file -> its text."""

    builder: IndexBuilder
    sources: dict[str, str]
    refs: References = field(default_factory=References)
    slots: set[str] = field(default_factory=set)
    readings: list[tuple[Reading, Roots]] = field(default_factory=list)

    def block(self, data: Any, place: Place, owner: tuple[str, str], part: int) -> int:
        """Compile a match block; returns its number in the index."""
        return self.builder.add_block(data, place, owner, part, self.sources.get(place.file, ""))

    def template(self, source: str, place: Place, extras: Roots = NOTHING) -> Template:
        literal = is_literal(source)
        if not literal:
            self._note(read_template(source, self._spot(source, place)), extras)
        if "{" in source:
            self._single_braces(source, place)
        return Template(source, literal, place)

    def _single_braces(self, source: str, place: Place) -> None:
        """``{ visitor.name }`` is said as it stands, which nobody wants."""
        for found in _SINGLE.finditer(source):
            at = locate(self.sources.get(place.file, ""), place, found.start(), len(found[0]))
            mended = f"{{{found[0]}}}"
            message, hint = f"'{found[0]}' is said as it stands", f"a value has two braces on each side: {mended}"
            self.refs.diagnostics.append(warning("single-braces", at, message, hint, fix=Fix(at, found[0], mended)))

    def expression(self, source: str, place: Place, extras: Roots = NOTHING) -> Expression:
        self._note(read_expression(source, self._spot(source, place)), extras)
        return Expression(source, place)

    def slots_in(self, template: Template) -> frozenset[str]:
        """The slots that a template reads."""
        if template.literal:
            return frozenset()
        return read_template(template.source, Spot(template.source, template.place)).slots

    def fill(self, slot: str, place: Place) -> None:
        """Note that something fills a slot."""
        if slot in METHODS:
            self.refs.error(
                "invalid-id", place, f"'{slot}' is a reserved word and cannot name a slot", "choose another"
            )
        elif slot not in self.slots and self.refs.identifier(slot, place, "slot"):
            self.slots.add(slot)

    def check_templates(self) -> None:
        """Compare the names in all templates with the slots that the whole bot fills."""
        slots = frozenset(self.slots) | frozenset(self.builder.captured)
        usual = scope_of(slots)
        for reading, extras in self.readings:
            found = check_names(reading, usual.plus(extras) if extras else usual)
            if "slot" in self.refs.lost:
                found = [item for item in found if item.code != "unknown-slot"]
            self.refs.diagnostics += found

    def _note(self, reading: Reading, extras: Roots) -> None:
        self.refs.diagnostics += reading.findings
        self.readings.append((reading, extras))

    def _spot(self, source: str, place: Place) -> Spot:
        return Spot(source, place, self.sources.get(place.file, ""))
