"""Values, places and refusals of the YAML reader."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import yaml

from supportbot.config import yaml_reader
from supportbot.config.yaml_reader import YamlList, YamlMap, read_yaml
from supportbot.diagnostics import Place


def read(text: str | bytes) -> Any:
    data, found = read_yaml(text, "a.yaml")
    assert found == []
    return data


def codes(text: str | bytes) -> list[str]:
    return [item.code for item in read_yaml(text, "a.yaml")[1]]


def shown(source: str, place: Place) -> str:
    """The characters of a place that lies in one line."""
    assert place.line == place.end_line
    return source.split("\n")[place.line - 1][place.column - 1 : place.end_column - 1]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-3", -3),
        ("3371", 3371),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.0e-3", 0.001),
        ("'1'", "1"),
        ('"true"', "true"),
        ("''", ""),
    ],
)
def test_typed_scalars(written: str, value: object) -> None:
    data = read(f"a: {written}\n")
    assert data["a"] == value
    assert type(data["a"]) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *("yes", "no", "on", "off", "y", "n", "True", "NULL"),
        *("010", "08", "0o10", "0x1f", "0b11", "1_000", "+44", "+441234567890"),
        *("10:30", "12:30:45", "2026-11-22", "1.2.3", ".", "e3", "-x", "="),
    ],
)
def test_everything_else_stays_text(text: str) -> None:
    assert read(f"a: {text}\n") == {"a": text}


def test_keys_are_texts_even_when_older_versions_of_yaml_have_truths() -> None:
    assert read("yes: 1\nno: 2\non: 3\n010: 4\n") == {"yes": 1, "no": 2, "on": 3, "010": 4}


def test_places_of_keys_and_values() -> None:
    source = 'name: IT support\nsteps:\n  - {say: "ä 😀 b", n: 12}\n  - plain words  # why\n\n\nend: 1\n'
    data = read(source)
    assert isinstance(data, YamlMap)
    assert shown(source, data.keys_at["name"]) == "name"
    assert shown(source, data.values_at["name"]) == "IT support"
    steps = data["steps"]
    assert isinstance(steps, YamlList)
    assert shown(source, steps.items_at[0]) == '{say: "ä 😀 b", n: 12}'
    assert shown(source, steps[0].values_at["say"]) == '"ä 😀 b"'
    assert shown(source, steps[0].values_at["n"]) == "12"
    assert shown(source, steps.items_at[1]) == "plain words"
    assert steps[0].place == steps.items_at[0]
    assert steps.place == data.values_at["steps"]


def test_a_block_ends_with_its_last_child_not_with_the_blank_lines_after_it() -> None:
    data = read("a:\n  b:\n    - one\n    - two\n\n\n# comment\n\nc: 1\n")
    assert data.values_at["a"] == Place("a.yaml", 2, 3, 4, 10)
    assert data["a"].values_at["b"] == Place("a.yaml", 3, 5, 4, 10)


def test_a_text_block_ends_with_its_last_line() -> None:
    data = read("a: |\n  one\n  two\n\n\nb: 1\n")
    assert data["a"] == "one\ntwo\n"
    assert data.values_at["a"] == Place("a.yaml", 1, 4, 3, 6)


def test_an_empty_value_has_a_place_behind_its_key() -> None:
    assert read("a:\nb: 1\n").values_at["a"] == Place("a.yaml", 1, 3, 1, 3)


def test_line_ends_of_all_systems_and_the_byte_order_mark() -> None:
    for end in ("\n", "\r\n", "\r"):
        data = read(f"\ufeffa: 1{end}b: 2{end}".encode())
        assert data == {"a": 1, "b": 2}
        assert data.keys_at["a"] == Place("a.yaml", 1, 1, 1, 2)
        assert data.keys_at["b"] == Place("a.yaml", 2, 1, 2, 2)


def test_an_empty_file_is_nothing() -> None:
    assert read("") is None
    assert read("# only a comment\n") is None


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1),
        ("a: &x 1\n", "anchor", 1, 4),
        ("a: &x {b: 1}\n", "anchor", 1, 4),
        ("a: &x [b]\n", "anchor", 1, 4),
        ("a: *x\n", "alias", 1, 4),
        ("b:\n  <<: {a: 1}\n", "merge-key", 2, 3),
        ("a: !!str 1\n", "yaml-tag", 1, 4),
        ("a: !x {b: 1}\n", "yaml-tag", 1, 4),
        ("a: ! b\n", "yaml-tag", 1, 4),
        ("1: a\n", "key-not-text", 1, 1),
        ("true: a\n", "key-not-text", 1, 1),
        ("~: a\n", "key-not-text", 1, 1),
        ("? [a]\n: b\n", "key-not-text", 1, 3),
        ("? {a: b}\n: c\n", "key-not-text", 1, 3),
        ("a: 1\n---\nb: 2\n", "several-documents", 2, 1),
        ("a: .inf\n", "not-a-number", 1, 4),
        ("a: .nan\n", "not-a-number", 1, 4),
        ("a: 1e999\n", "number-too-long", 1, 4),
        ("a: " + "7" * 5000 + "\n", "number-too-long", 1, 4),
        ("a: " + "7" * 5000 + ".5\n", "number-too-long", 1, 4),
        ("a: [\n  " + "[" * 60, "too-deep", 2, 51),
        ("a: 1\nb: \x00\n", "control-character", 2, 4),
        ("a: \x1b[1m\n", "control-character", 1, 4),
        ("a: b\u2028c\n", "control-character", 1, 5),
        ("a: \ud800\n", "control-character", 1, 4),
        ('a: "\\ud800"\n', "yaml-syntax", 1, 7),
        ('a: "\\UFFFFFFFF"\n', "yaml-syntax", 1, 7),
        (b"a: b\nc: \xff\n", "not-utf8", 2, 4),
        ("a: ä\nb: é".encode("latin-1"), "not-utf8", 1, 4),
        ("a: 1\n".encode("utf-16"), "not-utf8", 1, 1),
    ],
)
def test_refused(text: str | bytes, code: str, line: int, column: int) -> None:
    found = read_yaml(text, "a.yaml")[1]
    assert [(item.code, item.severity) for item in found] == [(code, "error")]
    assert (found[0].place.line, found[0].place.column) == (line, column)
    assert found[0].message
    assert "\n" not in found[0].message


def test_a_duplicate_key_names_the_first_one() -> None:
    data, found = read_yaml("a: 1\nb: 2\na: 3\n", "a.yaml")
    assert data == {"a": 1, "b": 2}
    assert found[0].related[0].place == Place("a.yaml", 1, 1, 1, 2)
    assert "line 1" in found[0].message


def test_all_refusals_are_reported_and_the_rest_is_read() -> None:
    data, found = read_yaml("a: &x 1\nb: *x\nc: !t d\n<<: {e: 1}\na: 2\nf: [g, 7]\n", "a.yaml")
    assert [item.code for item in found] == ["anchor", "alias", "yaml-tag", "merge-key", "duplicate-key"]
    assert data["f"] == ["g", 7]
    assert "e" not in data


def test_nesting_that_crashes_other_loaders_is_a_finding() -> None:
    for text in ("[" * 100_000, "{a: " * 50_000, "- " * 100_000, "? " * 50_000):
        assert codes(text) == ["too-deep"]


def test_fifty_levels_are_fine() -> None:
    assert codes("[" * 50 + "]" * 50) == []
    assert codes("[" * 51 + "]" * 51) == ["too-deep"]


def test_files_over_the_limit_are_not_read() -> None:
    data, found = read_yaml(b"a: 1\n" * 100, "a.yaml", max_bytes=100)
    assert data is None
    assert [item.code for item in found] == ["file-too-large"]


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("a: ticket #123\n", "#123"),
        ("a: press the # key\n", "# key"),
        ("- a #b\n", "#b"),
        ("[a #b\n]\n", "#b"),
    ],
)
def test_text_after_a_hash_is_reported(text: str, lost: str) -> None:
    found = read_yaml(text, "a.yaml")[1]
    assert [(item.code, item.severity) for item in found] == [("text-after-hash", "warning")]
    assert shown(text, found[0].place) == lost


@pytest.mark.parametrize(
    "text",
    [
        "a: ticket  # why\n",
        "a: press the key  # why\n",
        "a: welcome # why\n",
        "a: 5 # why\n",
        "a: 'ticket #5'\n",
        "a: 'b' # why not\n",
        "a: # why not\n  b: 1\n",
        "a: |\n  ticket #5 here\n",
        "a: ticket#5\n",
        "# a: ticket #5\n",
    ],
)
def test_comments_and_hashes_inside_texts_are_fine(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize("text", [r'a: "\bvpn\b"', r'a: "C:\temp"', r'a: "\0"', r'a: "x\x07"'])
def test_control_characters_by_escapes_are_reported(text: str) -> None:
    found = read_yaml(text, "a.yaml")[1]
    assert [(item.code, item.severity) for item in found] == [("escaped-control", "warning")]
    assert "single quotes" in found[0].hint


@pytest.mark.parametrize("text", [r'a: "one\ntwo"', r'a: "Name:\tJohn"', r"a: '\bvpn\b'", r'a: "C:\\temp"'])
def test_harmless_escapes_are_fine(text: str) -> None:
    assert codes(text) == []


def test_garbage_collection_is_as_it_was() -> None:
    gc.disable()
    try:
        read("a: 1")
        assert not gc.isenabled()
    finally:
        gc.enable()
    read_yaml("a: [", "a.yaml")
    assert gc.isenabled()


def test_without_the_fast_parser_the_result_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'a: [yes, 010, "ä 😀"]\nb: |\n  one\n\n  two\n\n\nc: {d: 1.5, e: }\na: 2\nf: "\\bx"\n'
    fast = read_yaml(text, "a.yaml")
    monkeypatch.setattr(yaml_reader, "_LOADER", yaml.SafeLoader)
    slow = read_yaml(text, "a.yaml")
    assert slow == fast
    assert slow[0].values_at == fast[0].values_at
    assert codes('a: "\\ud800"') == ["control-character"]
    assert codes('a: "\\UFFFFFFFF"') == ["yaml-syntax"]
    assert codes("[" * 10_000) == ["too-deep"]
