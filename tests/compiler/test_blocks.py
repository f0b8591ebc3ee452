"""Match blocks and lists: numbers, roles, findings, and what the index holds."""

from __future__ import annotations

from typing import Any

import pytest

from supportbot.compiler.blocks import IndexBuilder, Typos
from supportbot.config.yaml_reader import read_yaml
from supportbot.diagnostics import Place

OWNER = ("handler", "h")


def build(blocks: str, lists: str = "{}", typos: Typos | None = None) -> IndexBuilder:
    """Blocks from a YAML list, the lists from a YAML mapping; everything is built."""
    builder = IndexBuilder(typos or Typos())
    builder.add_lists(read_yaml(lists, "rules/lists.yaml")[0], lists)
    data: list[Any] = read_yaml(blocks, "handlers.yaml")[0]
    for part, block in enumerate(data):
        builder.add_block(block, Place("handlers.yaml"), OWNER, part, blocks)
    return builder


def test_a_list_is_short_for_any() -> None:
    index = build("[[one, two], {any: [one], all: [two, three], none: [four]}]").build()
    short, long = index.blocks
    assert (short.has_any, short.all_count, short.none_count, short.part) == (True, 0, 0, 0)
    assert (long.has_any, long.all_count, long.none_count, long.part) == (True, 2, 1, 1)
    assert [(item.source, item.use.block, item.use.role, item.use.position) for item in index.patterns[2:]] == [
        ("one", 1, "any", 0),
        ("two", 1, "all", 0),
        ("three", 1, "all", 1),
        ("four", 1, "none", 0),
    ]


def test_only_a_block_that_needs_something_is_positive() -> None:
    index = build("[{none: [one]}, {all: [one]}, {any: [one]}]").build()
    assert [block.positive for block in index.blocks] == [False, True, True]


def test_options_of_a_pattern_are_kept() -> None:
    index = build("[[{phrase: one, typos: false, weight: 2}, {regex: 'h2\\d+', weight: 0.5}, 6000]]").build()
    phrase, regex, number = index.patterns
    assert (phrase.exact, phrase.weight, phrase.regex) == (True, 2.0, False)
    assert (regex.exact, regex.weight, regex.regex) == (False, 0.5, True)
    assert (number.source, number.weight) == ("6000", None)
    assert index.regexes == ((1, "h2\\d+"),)


def test_captured_slots_are_known_with_their_types() -> None:
    builder = build("[['i am {name:text}', '(on|at) {day:date}', {regex: 'code (?P<code>\\d+)'}]]")
    assert builder.captured == {"name": "text", "day": "date", "code": "text"}


FINDINGS = [
    ("pattern-syntax", "[['call (me']]", "{}", 9),
    ("pattern-empty", "[['...']]", "{}", 3),
    ("pattern-empty", "[['*']]", "{}", 3),
    ("pattern-empty", "[['{x:text}']]", "{}", 3),
    ("pattern-empty", "[['[now] {x:text}']]", "{}", 3),
    ("pattern-syntax", "[[{phrase: '* call', at: start}]]", "{}", 12),
    ("pattern-gaps", "[['a * b * c * d * e']]", "{}", 3),
    ("pattern-too-optional", "[['a [b] [c] [d] [e] [f] [g] [h] i']]", "{}", 3),
    ("unknown-list", "[['a <no_such>']]", "{}", 6),
    ("regex-syntax", "[[{regex: '(a'}]]", "{}", 12),
    ("regex-syntax", "[[{regex: '(?<=a)b'}]]", "{}", 12),
    ("regex-syntax", "[[{regex: '(a)\\1'}]]", "{}", 15),
    ("regex-matches-everything", "[[{regex: 'a*'}]]", "{}", 11),
]


@pytest.mark.parametrize(("code", "blocks", "lists", "column"), FINDINGS)
def test_a_mistake_in_a_pattern_is_found_where_it_is(code: str, blocks: str, lists: str, column: int) -> None:
    builder = build(blocks, lists)
    builder.build()
    assert [item.code for item in builder.diagnostics] == [code]
    assert builder.diagnostics[0].hint
    assert (builder.diagnostics[0].place.line, builder.diagnostics[0].place.column) == (1, column)


@pytest.mark.parametrize(
    ("lists", "code"),
    [
        ("{a: ['<a> x']}", "list-cycle"),
        ("{a: ['<b>'], b: ['<c>'], c: [x, 'y <a>']}", "list-cycle"),
        ("{a: ['call {name:text}']}", "list-capture"),
        ("{a: ['<b>']}", "unknown-list"),
    ],
)
def test_a_mistake_in_a_list_is_found(lists: str, code: str) -> None:
    builder = build("[[hello]]", lists)
    builder.build()
    assert {item.code for item in builder.diagnostics} == {code}


def test_every_mistake_is_reported_not_the_first_alone() -> None:
    builder = build("[['(a', '*', {regex: '('}], ['b)']]")
    builder.build()
    assert [item.code for item in builder.diagnostics] == [
        "pattern-syntax",
        "pattern-empty",
        "regex-syntax",
        "pattern-syntax",
    ]


def test_typing_mistakes_know_only_long_words_that_are_no_negations() -> None:
    deletions = build("[['printer bad without ignored h2024']]", typos=Typos(ignore=frozenset(["ignored"]))).build()
    assert {word for found in deletions.deletions.values() for word in found} == {"printer"}
    assert "pinter" in deletions.deletions
    assert "rinter" not in deletions.deletions  # the first letter counts
    assert build("[[printer]]", typos=Typos(enabled=False)).build().deletions == {}


def test_the_vocabulary_holds_words_of_lists_groups_and_long_beginnings() -> None:
    index = build("[['(printer|scanner) <bad>', 'jamm* now', 'is*']]", "{bad: [offline]}").build()
    assert set(index.vocabulary) == {"printer", "scanner", "offline", "now"}
    assert index.vocabulary["printer"] == ("printer",)
    longer = build("[['print*', 'printer jam']]").build()
    assert set(longer.vocabulary) == {"print", "printer", "jam"}
    assert len(longer.vocabulary["printer"]) == 2


def test_only_words_of_the_language_get_into_the_typing_mistakes() -> None:
    """Leaving out each letter of a long word in turn would take its length squared."""
    index = build(f"[[{'q' * 50_000}, 'call {'me' * 31}', '{'no' * 31}*', printer]]").build()
    assert [item.source for item in index.patterns] == ["printer"]
    assert max(map(len, index.deletions)) < len("printer")


def test_long_phrases_are_not_even_read() -> None:
    builder = build(f"[['({'w|' * 700_000}w) x', {{regex: '{'w|' * 600}w'}}, fine]]")
    assert [item.code for item in builder.diagnostics] == ["phrase-too-long", "phrase-too-long"]
    assert len(builder.build().patterns) == 1


def doubled(levels: int, per_level: str) -> str:
    """Lists of which each writes the one before it."""
    rows = ["  l0: [a]", *(f"  l{at}: ['{per_level.replace('_', f'<l{at - 1}>')}']" for at in range(1, levels))]
    return "{" + ", ".join(row.strip() for row in rows) + "}"


@pytest.mark.parametrize(("per_level", "first"), [("_ _", "l7"), ("_ (b|_ _)", "l5"), ("_", "l20")])
def test_lists_that_grow_too_far_are_blamed_once(per_level: str, first: str) -> None:
    builder = build("[['<l30>']]", doubled(31, per_level))
    builder.build()
    found = [item.message for item in builder.diagnostics if item.code == "expands-too-far"]
    assert [message.partition(":")[0] for message in found] == [f"the list '{first}'"]


def test_a_phrase_may_grow_too_far_by_itself() -> None:
    builder = build(f"[['{'<l5> ' * 4}', '<l5> <l5>']]", doubled(6, "_ _"))
    builder.build()
    assert [item.code for item in builder.diagnostics] == ["expands-too-far"]


def test_a_circle_of_lists_is_only_a_circle() -> None:
    builder = build("[['<a>']]", "{a: ['<b> <b>'], b: ['<a> <a>'], c: ['<a>']}")
    builder.build()
    assert {item.code for item in builder.diagnostics} == {"list-cycle"}
