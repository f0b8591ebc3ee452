"""Templates: an allow-list, names that exist, places that are exact, and nothing that can hang."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supportbot.compiler.templates import compile_expression, compile_template, scope_of
from supportbot.diagnostics import Place
from supportbot.model.templating import environment

HERE = Place("rules/responses.yaml", 3, 5, 3, 40)
SCOPE = scope_of(frozenset({"name", "count"}), {"result": None})

ALLOWED = [
    "plain",
    "{{ slots.name }}",
    "{{ slots['name'] }}",
    "{{ slots.name | default('x') | upper | truncate(20) }}",
    "{{ slots.name | default('x', true) }}",
    "{% if hours.open and not slots.name is none %}a{% elif now.hour >= 9 %}b{% else %}c{% endif %}",
    "{{ 'yes' if slots.name is defined else 'no' }}",
    "{{ slots.name ~ ', ' ~ bot.name }}",
    "{{ session.step + 1 - 2 }}",
    "{{ slots.count | round(2) }} {{ slots.count | int }} {{ slots.name | length }}",
    "{{ slots.name | replace('a', 'b') | trim | title | lower }}",
    "{% for item in result.rows %}{{ loop.index }}. {{ item.title }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{{ result.list | join(', ') }}",
    "{{ slots.name | replace('-', ' ') | replace('/', ' ') | replace('.', '') | replace('  ', ' ') }}",
    "{% if session.state in ['a', 'b'] %}x{% endif %}",
    "{# a remark #}x",
]

FORBIDDEN = [
    "{{ slots.name.upper() }}",
    "{{ slots.__class__ }}",
    "{{ result.items }}",
    "{{ result.rows.keys }}",
    "{{ slots['__class__'] }}",
    "{{ ''.__class__ }}",
    "{{ slots[slots.name] }}",
    "{{ 'a' * 1000000000 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ 'a' | replace('', 'b') }}",
    "{{ 'a' | replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') }}",
    "{{ slots.name | join('ab') | join('ab') | join('ab') }}",
    "{{ slots.name | replace('a') }}",
    "{{ 'a' | replace('a','aa') | replace('a','aa') | replace('a','aa') | replace('a','aa') }}",
    "{{ slots.count | round(1000000000) }}",
    "{{ slots.count | round(9, 'ceil') }}",
    "{{ slots.name[1:] }}",
    "{{ {'a': 1} }}",
    "{% set x = 1 %}",
    "{% macro x() %}{% endmacro %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{% block x %}{% endblock %}",
    "{% for x in slots.name %}{% endfor %}",
    "{% for x in [1, 2] %}{% endfor %}",
    "{% for x in result.a %}{% for y in result.b %}{% endfor %}{% endfor %}",
    "{% for x in result.a recursive %}{% endfor %}",
    "{% for x in result.a if x %}{% endfor %}",
    "{{ range(10) }}",
    "{{ lipsum() }}",
    "{{ slots.count is divisibleby(2) }}",
    "{{ 7 % 2 }}",
    "{% call x() %}{% endcall %}",
    "{% filter upper %}x{% endfilter %}",
    "{% with x = 1 %}{% endwith %}",
    "{% autoescape true %}{% endautoescape %}",
]


def codes(source: str) -> list[str]:
    return [item.code for item in compile_template(source, HERE, SCOPE)[1]]


@pytest.mark.parametrize("source", ALLOWED)
def test_allowed(source: str) -> None:
    assert codes(source) == []
    environment().from_string(source)  # what is allowed can be run


@pytest.mark.parametrize("source", FORBIDDEN)
def test_forbidden(source: str) -> None:
    assert set(codes(source)) & {"template-forbidden", "template-syntax", "unknown-filter"}


@pytest.mark.parametrize("source", ["{{", "{% if %}", "{{ a b }}", "{% endif %}", "{{ 'x }}", "{% nonsense %}", "{# x"])
def test_syntax(source: str) -> None:
    assert codes(source) == ["template-syntax"]


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "not " * 5000 + "1 }}",
        "{{ " + "9" * 5000 + " }}",
        "{{ " + "a." * 3000 + "b }}",
        "{{ 1" + " + 1" * 3000 + " }}",
        "{{ 1" + " | upper" * 3000 + " }}",
        "{% if 1 %}" * 2000 + "{% endif %}" * 2000,
        "{{ 1 }}" * 40_000,
    ],
)
def test_monsters_are_findings(source: str) -> None:
    assert codes(source)


@pytest.mark.parametrize(
    ("source", "code", "word"),
    [
        ("{{ slots.nmae }}", "unknown-slot", "nmae"),
        ("{{ slots['nmae'] }}", "unknown-slot", "nmae"),
        ("{{ slotz.name }}", "undefined-variable", "slotz"),
        ("{{ slots }}", "undefined-variable", "slots"),
        ("{{ bot.name.first }}", "undefined-variable", "first"),
        ("{{ hours.opne }}", "undefined-variable", "opne"),
        ("{{ item }}{% for item in result.x %}{{ item }}{% endfor %}", "undefined-variable", "item"),
        ("{% for x in result.x %}{{ loop.index }}{% endfor %}{{ loop.first }}", "undefined-variable", "loop"),
        ("{{ bot.name | uper }}", "unknown-filter", "uper"),
    ],
)
def test_names(source: str, code: str, word: str) -> None:
    file = f"responses:\n  a: >-\n    nothing\n  b: {source}\n"
    place = Place("x", 4, 6, 4, 6 + len(source))
    found = compile_template(source, place, SCOPE, file)[1]
    assert [item.code for item in found] == [code]
    line = file.split("\n")[3]
    start = line.rindex(word) if word == "loop" else line.index(word)
    assert found[0].place == Place("x", 4, start + 1, 4, start + 1 + len(word))


def test_places_in_blocks_and_among_plain_words() -> None:
    source = "the slots.nmae is\n{{ slots.name }} and {{ slots.nmae }}\n"
    file = "b: |\n  the slots.nmae is\n  {{ slots.name }} and {{ slots.nmae }}\n"
    found = compile_template(source, Place("x", 1, 4, 4, 1), SCOPE, file)[1]
    assert [str(item.place) for item in found] == [str(Place("x", 3, 33, 3, 37))]


def test_places_in_folded_and_quoted_texts() -> None:
    file = 'b: "one {{ slots.name }}\n  two\\n{{ slots.nmae }}"\n'
    found = compile_template("one {{ slots.name }} two\n{{ slots.nmae }}", Place("x", 1, 4, 2, 27), SCOPE, file)[1]
    assert [(item.place.line, item.place.column) for item in found] == [(2, 17)]


def test_syntax_errors_name_the_line_of_a_block() -> None:
    file = "b: |\n  fine\n  {% if %}\n"
    found = compile_template("fine\n{% if %}\n", Place("x", 1, 4, 4, 1), SCOPE, file)[1]
    assert [item.place for item in found] == [Place("x", 3, 3, 3, 11)]


def test_expressions() -> None:
    assert compile_expression("session.attempts >= 3 and not hours.open", HERE, SCOPE)[1] == []
    for source in ("a }} {{ b", "", "x y", "hours.open }}", "{{ hours.open }}"):
        assert compile_expression(source, HERE, SCOPE)[1]


MARKUP = (
    r"{{ }} {% %} if_ for_x_in_ result.a slots.name | join( ) ' \ [ ] + endif endfor - ~ 9 . is_ not_ none {# #} é **"
)
PIECES = st.sampled_from([*(piece.replace("_", " ") for piece in MARKUP.split(" ")), " ", "\n", "__class__"])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join) | st.text())
def test_never_raises(source: str) -> None:
    compile_template(source, HERE, SCOPE, "x\n" * 5)
    compile_expression(source, HERE, SCOPE)


def test_literal_texts_never_reach_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a text without markup was parsed")

    monkeypatch.setattr(type(environment()), "parse", refuse)
    assert compile_template("a } b { c % #", HERE, SCOPE)[0].literal


def test_templates_have_a_size_and_plain_texts_do_not() -> None:
    place, scope = Place("rules/responses.yaml"), scope_of(frozenset())
    assert compile_template("word " * 10_000, place, scope)[1] == []
    assert compile_template("{{ bot.name }}" + "word " * 3_000, place, scope)[1] == []
    (finding,) = compile_template("{{ }}" * 350_000, place, scope)[1]
    assert (finding.code, "20000" in finding.message) == ("template-syntax", True)
    assert compile_template("{{ bot.name }}" + "word " * 10_000, Place("prompts/a.md"), scope)[1] == []


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("Hello {% if hours.open %}yes{% endfi %}", "endfi"),
        ("Hello { there {{ bot.name }", "{{"),
        ("Hello {{ bot.name }} and {{ bot.name }", ""),  # which one is not sure: the whole text
    ],
)
def test_syntax_errors_point_at_a_word_that_stands_there_once(source: str, word: str) -> None:
    file = f'a: "{source}"'
    place = Place("x", 1, 4, 1, len(file) + 1)
    [found] = compile_template(source, place, SCOPE, file)[1]
    assert found.code == "template-syntax"
    assert file[found.place.column - 1 : found.place.end_column - 1] == (word or f'"{source}"')
