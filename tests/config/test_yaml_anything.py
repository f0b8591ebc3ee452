"""Whatever the bytes are, the reader answers with data and findings, and with places that exist."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from supportbot.config import yaml_reader
from supportbot.config.yaml_place import lines_of
from supportbot.config.yaml_reader import YamlList, YamlMap, decode, locate, read_yaml
from supportbot.diagnostics import Place

YAMLISH = st.text(alphabet="ab1 0.:-?,[]{}#&*!|>'\"%@`~<\\_=\n\t\r/xuéU😀\u00a0", max_size=80)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["", "  ", "    ", "\t", " "]),
        st.sampled_from(
            ["", "- ", "-", "? ", "a: ", "b:", "'c': ", "<<: ", "&x ", "*x ", "!t ", "| ", ">\n", "[", "{", "--- "]
        ),
        YAMLISH,
    ).map("".join),
    max_size=8,
).map("\n".join)


def check_place(source: str, place: Place) -> None:
    lines = lines_of(source)
    assert 1 <= place.line <= place.end_line <= len(lines) + 1
    assert place.column >= 1
    assert (place.line, place.column) <= (place.end_line, place.end_column)
    if place.line <= len(lines):
        assert place.column <= len(lines[place.line - 1]) + 1


def check_data(source: str, data: Any) -> None:
    if isinstance(data, YamlMap):
        assert data.keys_at.keys() >= data.keys() == data.values_at.keys()
        for key, value in data.items():
            check_place(source, data.keys_at[key])
            check_place(source, data.values_at[key])
            check_data(source, value)
            if isinstance(value, str):
                check_place(source, locate(source, data.values_at[key], len(value) // 2, 1))
    elif isinstance(data, YamlList):
        assert len(data) == len(data.items_at)
        for value, place in zip(data, data.items_at, strict=True):
            check_place(source, place)
            check_data(source, value)
    else:
        assert data is None or type(data) in (str, int, float, bool)


def check_reading(content: str | bytes) -> None:
    data, found = read_yaml(content, "a.yaml")
    source = decode(content, "a.yaml")[0]
    if source is None:
        assert data is None
        assert found
        return
    for item in found:
        assert item.message
        check_place(source, item.place)
    check_data(source, data)


@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    check_reading(content)


@given(st.text(st.characters(), max_size=200))
def test_any_text(text: str) -> None:
    check_reading(text)


@settings(max_examples=400)
@given(st.one_of(YAMLISH, LINES))
def test_any_text_that_looks_like_yaml(text: str) -> None:
    check_reading(text)


@settings(max_examples=200)
@given(LINES)
def test_any_text_with_the_slow_parser(text: str) -> None:
    fast = yaml_reader._LOADER
    yaml_reader._LOADER = yaml.SafeLoader
    try:
        check_reading(text)
    finally:
        yaml_reader._LOADER = fast


# Without an "e" between digits: the writer follows YAML 1.1, where 1e3 is a text.
WORDS = st.text(alphabet="abz 019.:-#'\"{}[],é😀ysnotru~", max_size=12)
DATA = st.recursive(
    st.one_of(WORDS, st.integers(-(10**17), 10**17), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=12,
)


@given(DATA, st.booleans(), st.integers(20, 200))
def test_what_a_writer_of_yaml_wrote_is_read_as_it_was(data: object, flow: bool, width: int) -> None:
    text = yaml.safe_dump(data, default_flow_style=flow, width=width, allow_unicode=True)
    assert read_yaml(text, "a.yaml") == (data, [])
