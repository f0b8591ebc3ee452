"""From offsets in values back to the source."""

from __future__ import annotations

import pytest

from supportbot.config.yaml_reader import locate, read_yaml
from supportbot.diagnostics import Place


def found(source: str, word: str) -> str:
    """What `locate` gives for a word of the value of ``a``; the place must lie in one line."""
    data, _ = read_yaml(source, "a.yaml")
    place = locate(source, data.values_at["a"], data["a"].index(word), len(word))
    assert place.line == place.end_line, place
    return source.split("\n")[place.line - 1][place.column - 1 : place.end_column - 1]


@pytest.mark.parametrize(
    ("source", "word", "written"),
    [
        ("a: printer [is] offline\n", "is", "is"),
        ("a:   ä😀 word  # why\n", "word", "word"),
        ("a: 'it''s a word'\n", "word", "word"),
        ("a: 'it''s a word'\n", "'s", "''s"),
        ('a: "say \\"hi\\" word"\n', "word", "word"),
        ('a: "tab\\tword"\n', "word", "word"),
        ('a: "\\u00e4\\U0001F600\\x41 word"\n', "word", "word"),
        ('a: "\\u00e4 word"\n', "ä", "\\u00e4"),
        ("a: |\n  first line\n  second word\n\nb: 1\n", "word", "word"),
        ("a: |-\n    first\n\n      deeper word\n", "word", "word"),
        ("b: 1\na: |\n  {{ name }}\n", "name", "name"),
    ],
)
def test_located(source: str, word: str, written: str) -> None:
    assert found(source, word) == written


@pytest.mark.parametrize(
    "source", ["a: >\n  one\n  word\n", 'a: "one\n  word"\n', "a: one\n  word\n", "a: |2\n    word\n"]
)
def test_the_whole_place_where_counting_would_be_guessing(source: str) -> None:
    data, _ = read_yaml(source, "a.yaml")
    place = data.values_at["a"]
    assert locate(source, place, data["a"].index("word"), 4) == place


def test_offsets_outside_the_value() -> None:
    place = Place("a.yaml", 1, 4, 1, 8)
    assert locate("a: word\n", place, 5, 1) == place
    assert locate("a: word\n", place, -1, 1) == place
    assert locate("a: word\n", place, 3, 9) == place
    assert locate("", Place("a.yaml", 7, 4, 7, 8), 0, 1) == Place("a.yaml", 7, 4, 7, 8)
