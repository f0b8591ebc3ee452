"""Match blocks and lists of the YAML -> the matcher's index, with a finding for every mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import re2

from supportbot.compiler.expansion import size_of, too_far, why_too_far
from supportbot.compiler.patterns import (
    Beginning,
    Capture,
    Element,
    Gap,
    ListName,
    PhraseError,
    Word,
    fits_anything,
    parse_phrase,
    walk,
)
from supportbot.compiler.regexes import explain_regex
from supportbot.compiler.trie import LONGEST_WORD, MAX_EXPANSIONS, TooManyOptions, TrieBuilder, Typos, deletions
from supportbot.config.yaml_reader import YamlList, YamlMap, locate
from supportbot.diagnostics import Diagnostic, Fix, Place, Related, correction, did_you_mean, error, warning
from supportbot.model.index import Anchor, Block, Index, Pattern, Role, Use

__all__ = ["IndexBuilder", "Typos"]

MAX_GAPS = 3
MAX_PHRASE = 1_000  # characters; of a regex too
MAX_REGEX_BYTES = 1 << 20  # of compiled program, per pattern


class IndexBuilder:
    """Collects every phrase of a bot. Lists first, then blocks, then ``build``."""

    def __init__(self, typos: Typos) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.captured: dict[str, str] = {}
        self.captures: dict[str, dict[str, Place]] = {}  # slot -> type -> the first phrase that captures it so
        self.used_lists: set[str] = set()
        self.list_places: dict[str, Place] = {}
        self._typos = typos
        self._trie = TrieBuilder()
        self._patterns: list[Pattern] = []
        self._blocks: list[Block] = []
        self._regexes: list[tuple[int, str]] = []
        self._list_uses: dict[str, list[tuple[str, Place]]] = {}  # list -> lists in its phrases
        self._named_lists: list[tuple[str, Place]] = []  # every <name> written anywhere
        self._lists: dict[str, list[tuple[Element, ...]]] = {}
        self._with_lists: list[tuple[tuple[Element, ...], Pattern]] = []  # phrases of rules that name lists

    # --- lists ----------------------------------------------------------------------------

    def add_lists(self, lists: Mapping[str, Any], source: str) -> None:
        """The ``lists`` mapping of one file. Names may be used before they are defined."""
        places = lists.keys_at if isinstance(lists, YamlMap) else {}
        for name, phrases in lists.items():
            self.list_places[name] = places.get(name, Place("rules/lists.yaml"))
            if isinstance(phrases, list):
                first: dict[str, Place] = {}
                for text, place in _texts(phrases):
                    before = first.setdefault(" ".join(text.lower().split()), place)
                    if before is not place:
                        self.diagnostics.append(_repeated(name, text, place, before))
                    self._add_list_phrase(name, text, place, source)

    def _add_list_phrase(self, name: str, text: str, place: Place, source: str) -> None:
        elements = self._parse(text, place, source)
        if elements is None:
            return
        for element in walk(elements):
            if isinstance(element, Capture):
                self._mistake(
                    "list-capture",
                    place,
                    f"the list '{name}' captures a value",
                    "lists hold words only: write {...} into the rule's phrase",
                )
                return
            if isinstance(element, ListName):
                self._list_uses.setdefault(name, []).append((element.name, place))
        self._lists.setdefault(name, []).append(elements)
        self._guard_expansion(text, place, lambda: self._trie.add_list_phrase(name, elements))

    # --- blocks ---------------------------------------------------------------------------

    def add_block(self, data: Any, place: Place, owner: tuple[str, str], part: int, source: str) -> int:
        """Compile one match block (a list, or a mapping of any/all/none); returns its number."""
        number = len(self._blocks)
        parts: dict[Role, Any] = {"any": data} if isinstance(data, list) else {}
        if isinstance(data, dict):
            parts = {role: data[role] for role in ("any", "all", "none") if isinstance(data.get(role), list)}
        counts: dict[Role, int] = {"any": 0, "all": 0, "none": 0}
        self._blocks.append(Block(number, owner, part, False, 0, 0, place))
        for role, items in parts.items():
            for item, item_place in _items(items):
                if self._add_pattern(item, item_place, Use(number, role, counts[role]), source):
                    counts[role] += 1
        has_any = counts["any"] > 0 or bool(parts.get("any"))
        longest = data.get("max_words") if isinstance(data, dict) else None
        most = longest if isinstance(longest, int) and longest > 0 else 0
        self._blocks[number] = Block(number, owner, part, has_any, counts["all"], counts["none"], place, most)
        return number

    def _add_pattern(self, item: Any, place: Place, use: Use, source: str) -> bool:
        options: Mapping[str, Any] = {}
        if isinstance(item, YamlMap):
            options = item
            key = "regex" if "regex" in item else "phrase"
            place = item.values_at.get(key, place)
            item = item.get(key)
        text = str(item) if isinstance(item, str | int | float) and not isinstance(item, bool) else None
        if text is None:
            return False
        weight = options.get("weight")
        pattern = Pattern(
            id=len(self._patterns),
            source=text,
            use=use,
            weight=float(weight) if isinstance(weight, int | float) and not isinstance(weight, bool) else None,
            exact=options.get("typos") is False,
            regex="regex" in options,
            place=place,
            anchor=_anchor(options),
        )
        return self._add_regex(pattern, source) if pattern.regex else self._add_phrase(pattern, source)

    def _add_phrase(self, pattern: Pattern, source: str) -> bool:
        elements = self._parse(pattern.source, pattern.place, source)
        if elements is None:
            return False
        for element in walk(elements):
            if isinstance(element, Capture):
                self._capture(element.slot, element.type, pattern.place)
        if pattern.anchor in ("start", "whole") and isinstance(elements[0], Gap):
            hint = "leave the '*' out, or write at: end"
            self._mistake(
                "pattern-syntax", pattern.place, f"'{pattern.source}' begins with a gap and with the message", hint
            )
            return False
        if any(isinstance(element, ListName) for element in walk(elements)):
            self._with_lists.append((elements, pattern))
        ends = pattern.anchor in ("end", "whole")
        self._guard_expansion(pattern.source, pattern.place, lambda: self._trie.add_pattern(pattern.id, elements, ends))
        self._patterns.append(pattern)
        return True

    def _add_regex(self, pattern: Pattern, source: str) -> bool:
        if self._too_long(pattern.source, pattern.place, "regex"):
            return False
        options = re2.Options()
        options.log_errors = False
        options.case_sensitive = False
        options.max_mem = MAX_REGEX_BYTES
        try:
            compiled = re2.compile(pattern.source, options)
        except re2.error as reason:
            text = reason.args[0] if reason.args else reason
            message = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
            spot, what, hint = explain_regex(pattern.source, message)
            place = locate(source, pattern.place, *spot) if spot else pattern.place
            self._mistake("regex-syntax", place, f"the regex is not understood: {what}", hint)
            return False
        if compiled.search("") is not None:
            self._mistake(
                "regex-matches-everything",
                pattern.place,
                "the regex matches an empty message",
                "ask for at least one character",
            )
            return False
        for name in compiled.groupindex:
            self._capture(name, "text", pattern.place)
        self._patterns.append(pattern)
        self._regexes.append((pattern.id, pattern.source))
        return True

    def _capture(self, slot: str, type_: str, place: Place) -> None:
        self.captured[slot] = type_
        self.captures.setdefault(slot, {}).setdefault(type_, place)

    # --- checks ---------------------------------------------------------------------------

    def _too_long(self, text: str, place: Place, what: str) -> bool:
        if len(text) > MAX_PHRASE:
            message = f"this {what} has {len(text)} characters; at most {MAX_PHRASE} are possible"
            self._mistake("phrase-too-long", place, message, "split it into several")
            return True
        return False

    def _long_word(self, elements: Sequence[Element], place: Place) -> bool:
        words = (item.text for item in elements if isinstance(item, Word | Beginning))
        long = next((word for word in words if len(word) > LONGEST_WORD), None)
        if long is not None:
            message = f"'{long[:20]}…' has {len(long)} letters; a word has at most {LONGEST_WORD}"
            self._mistake("word-too-long", place, message, "write spaces between words; look for long ones by a regex")
        return long is not None

    def _parse(self, text: str, place: Place, source: str) -> tuple[Element, ...] | None:
        if self._too_long(text, place, "phrase"):
            return None
        try:
            elements = parse_phrase(text)
        except PhraseError as mistake:
            spot = locate(source, place, mistake.offset, mistake.length)
            self._mistake("pattern-syntax", spot, f"{mistake.message} in the phrase '{text}'", mistake.hint)
            return None
        every = walk(elements)
        if self._long_word(every, place):
            return None
        if elements and all(isinstance(element, Word) for element in elements):
            return elements
        if fits_anything(elements):
            what = "matches every message" if elements else "has no letters or digits to look for"
            self._mistake("pattern-empty", place, f"the phrase '{text}' {what}", "write at least one word")
            return None
        if sum(isinstance(element, Gap) for element in every) > MAX_GAPS:
            self._mistake(
                "pattern-gaps",
                place,
                f"the phrase '{text}' has more than {MAX_GAPS} gaps (*)",
                "look for parts of it: {all: [first part, second part]}",
            )
            return None
        for element in every:
            if isinstance(element, ListName):
                self.used_lists.add(element.name)
                spot = locate(source, place, element.offset, len(element.name) + 2)
                self._named_lists.append((element.name, spot))
        return elements

    def _guard_expansion(self, text: str, place: Place, add: Any) -> None:
        try:
            add()
        except TooManyOptions:
            self._mistake(
                "pattern-too-optional",
                place,
                f"the optional parts of '{text}' make more than {MAX_EXPANSIONS} combinations",
                "split the phrase into several",
            )

    def _mistake(self, code: str, place: Place, message: str, hint: str = "") -> None:
        self.diagnostics.append(error(code, place, message, hint))

    def _check_lists(self) -> None:
        for name, spot in self._named_lists:
            if name not in self.list_places:
                hint = did_you_mean(name, self.list_places) or "define it in rules/lists.yaml"
                fix = correction(spot, name, self.list_places)
                self.diagnostics.append(error("unknown-list", spot, f"there is no list '{name}'", hint, fix=fix))
        known: set[str] = set()  # lists of circles that are reported
        for name in self.list_places:
            cycle = None if name in known else _cycle(name, self._list_uses)
            if cycle:
                known.update(cycle[0])
                self._mistake(
                    "list-cycle", cycle[1], f"the list uses itself: {' -> '.join(cycle[0])}", "break the circle"
                )

    def _check_sizes(self) -> None:
        """Before anything makes texts of the phrases."""
        hint = "write fewer lists into each other"
        sizes, reasons = too_far(self._lists)
        for name, reason in reasons.items():
            self._mistake("expands-too-far", self.list_places[name], f"the list '{name}': {reason}", hint)
        for elements, pattern in self._with_lists:
            reason = why_too_far(size_of(elements, sizes))
            if reason:
                message = f"the phrase '{pattern.source}': {reason}"
                self._mistake("expands-too-far", pattern.place, message, hint)

    # --- result ---------------------------------------------------------------------------

    def build(self) -> Index:
        self._check_lists()
        self._check_sizes()
        root = self._trie.finish()
        vocabulary = self._trie.vocabulary()
        return Index(
            root=root,
            patterns=tuple(self._patterns),
            blocks=tuple(self._blocks),
            vocabulary=vocabulary,
            prefixes=self._trie.prefixes_by_length(),
            deletions=deletions(vocabulary, self._typos),
            ignored=self._typos.ignore,
            regexes=tuple(self._regexes),
            anchors={pattern.id: pattern.anchor for pattern in self._patterns if pattern.anchor},
            symbol_names=self._trie.symbol_names,
        )


def _anchor(options: Mapping[str, Any]) -> Anchor | None:
    asked = options.get("at")
    return next((anchor for anchor in get_args(Anchor) if anchor == asked), None)


def _repeated(name: str, text: str, place: Place, first: Place) -> Diagnostic:
    related = Related(first, "it stands here first")
    return warning(
        "repeated-phrase",
        place,
        f"the phrase '{text}' stands in the list '{name}' twice",
        "remove one of them",
        related,
        fix=Fix(place),
    )


def _items(items: Sequence[Any]) -> list[tuple[Any, Place]]:
    places = items.items_at if isinstance(items, YamlList) else []
    return [(item, places[at] if at < len(places) else Place("")) for at, item in enumerate(items)]


def _texts(items: Sequence[Any]) -> list[tuple[str, Place]]:
    return [
        (str(item), place)
        for item, place in _items(items)
        if isinstance(item, str | int | float) and not isinstance(item, bool)
    ]


def _cycle(start: str, uses: Mapping[str, list[tuple[str, Place]]]) -> tuple[list[str], Place] | None:
    """The way from a list back to itself, and the phrase where it begins."""
    for first, place in uses.get(start, ()):
        trail: dict[str, str] = {first: start}
        queue = [first]
        for name in queue:
            if name == start:
                return [start, *_back(name, trail, start)], place
            for following, _ in uses.get(name, ()):
                if following not in trail:
                    trail[following] = name
                    queue.append(following)
    return None


def _back(name: str, trail: Mapping[str, str], start: str) -> list[str]:
    way = [name]
    while trail[way[-1]] != start and len(way) < len(trail):
        way.append(trail[way[-1]])
    return way[::-1]
