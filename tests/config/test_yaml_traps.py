"""The mistakes that people make most in YAML, and the words that they get for them."""

from __future__ import annotations

import pytest

from supportbot.config.yaml_reader import read_yaml

# text, what is underlined ("line:column-end"), part of the message, part of the hint
TRAPS = [
    ("a:\n\tb: 1\n", "2:1-2", "indented with a tab", "spaces"),
    ("a:\n  b: 1\n\tc: 2\n", "3:1-2", "indented with a tab", "spaces"),
    ("a:\n  -\tb: 1\n  -\t- 2\n", "2:4-5", "a tab stands here", "replace the tab"),
    ("a:\n\u00a0\u00a0b: 1\n  c: 2\n", "2:1-3", "special spaces", "ordinary spaces"),
    ("text: {{ name }}\n", "1:7-17", "begins with {{", '"{{ name }}"'),
    ("text: {{ name }} hello\nb: 1\n", "1:7-23", "begins with {{", '"{{ name }} hello"'),
    ("- {{ name }}  # why\n", "1:3-13", "begins with {{", '"{{ name }}"'),
    ("a:\n  - @agent\n", "2:5-11", "begin with @", '"@agent"'),
    ("a: %d items\n", "1:4-12", "begin with %", '"%d items"'),
    ("%d items\n", "1:1-9", "begin with %", '"%d items"'),
    ("a: `x`\n", "1:4-7", "begin with `", '"`x`"'),
    ("a:\n  - *star thing\n", "2:5-16", "begin with *", '"*star thing"'),
    ("a: *print*\n", "1:4-11", "begin with *", '"*print*"'),
    ("- *\n", "1:3-4", "begin with *", '"*"'),
    ("a: & b\n", "1:4-7", "begin with &", '"& b"'),
    ("a: > 5 minutes\n", "1:4-15", "begin with >", '"> 5 minutes"'),
    ("a: |x\n", "1:4-6", "begin with |", '"|x"'),
    ("a: , x\n", "1:4-7", "begin with ,", '", x"'),
    ("a: ] x\n", "1:4-7", "begin with ]", '"] x"'),
    ('a: @say "hi"\n', "1:4-13", "begin with @", "'@say \"hi\"'"),
    ("a: 'it's broken'\nb: 2\n", "1:8-17", "quoted text ends", "it''s"),
    ('a: "he said "hi" there"\n', "1:14-24", "quoted text ends", "single quotes"),
    ("a: ['it's', b]\n", "1:9-15", "quoted text ends", "it''s"),
    ('a: "x\nb: "y"\nc: 2\n', "1:4-6", "not closed where its text ends", 'put a "'),
    ('a: "x\nb: ["y", z]\nc: 2\n', "1:4-6", "not closed where its text ends", "line 2"),
    ("- 'x\n- 'y'\n", "1:3-5", "not closed where its text ends", "put a '"),
    ("a: {b: {{ c }}, d: 1}\n", "1:8-15", "begins with {{", '"{{ c }}"'),
    ("a: [{{ c }} d, e]\n", "1:5-14", "begins with {{", '"{{ c }} d"'),
    ('a: "x\nb: 2\nc: 3\n', "1:4-6", "never closed", 'put a "'),
    ("a: 'x\nb: 2\n", "1:4-6", "never closed", "put a '"),
    ('a: "\\d+"\n', "1:5-7", "\\d means nothing", "single quotes"),
    ("a: Note: restart\nb: 1\n", "1:4-17", "colon and a space", '"Note: restart"'),
    ("- say: x: y\n", "1:8-12", "colon and a space", '"x: y"'),
    ("a:\n  - b\n  -c\n  - d\n", "3:3-4", "space is missing after the dash", "- c"),
    ("a:1\nb: 2\n", "1:1-3", "space is missing after the colon", "a: 1"),
    ("b: 2\na:1\nc: 3\n", "2:1-3", "space is missing after the colon", "a: 1"),
    ("a\nb: 1\n", "1:1-2", "neither a key with a value nor an entry", "key: value"),
    ("a: [x, y\nb: 1\n", "1:4-5", "[ is never closed", "put a ]"),
    ("a: {x: y\nb: 1\n", "1:4-5", "{ is never closed", "put a }"),
    ("a: [printer [is] offline, x]\n", "1:13-14", "brackets must be in quotes", "in quotes"),
    ("a: [printer {x:text} offline]\n", "1:13-14", "brackets must be in quotes", "in quotes"),
    ("a: [x,, y]\n", "1:7-8", "nothing stands before", "remove it"),
    ("a: [x]]\n", "1:7-8", "] closes nothing", "remove it"),
    ("a:\n  - [my] printer offline\n", "2:5-25", "begin with [", '"[my] printer offline"'),
    ("a:\n - {name:text} here\n", "2:4-20", "begin with {", '"{name:text} here"'),
    ("a:\n  b: 1\n c: 2\n", "3:1-2", "fits no line above", "same column"),
    ("a:\n  - b\n - c\n", "3:1-2", "fits no line above", "same column"),
    ("a: 1\n  b: 2\n", "2:1-3", "has a value already", "indentation"),
    ("a: 1\n- b\n", "2:1-2", "an entry of a list stands here among the keys", "dash"),
    ("just words\n# comment\na: 1\n", "3:1-5", "does not go on", "colon in line 1"),
    ("- b\na: 1\n", "2:1-2", "a key stands here among the entries", "- "),
]


@pytest.mark.parametrize(("text", "where", "message", "hint"), TRAPS)
def test_trap(text: str, where: str, message: str, hint: str) -> None:
    found = read_yaml(text, "a.yaml")[1]
    assert [item.code for item in found] == ["yaml-syntax"]
    place = found[0].place
    assert f"{place.line}:{place.column}-{place.end_column}" == where
    assert message in found[0].message
    assert hint in found[0].hint


@pytest.mark.parametrize("text", [trap[0] for trap in TRAPS if trap[3][0] in "'\""])
def test_the_quoted_text_that_a_hint_shows_mends_the_line(text: str) -> None:
    finding = read_yaml(text, "a.yaml")[1][0]
    lines = text.split("\n")
    line = lines[finding.place.line - 1]
    mended = finding.hint.removeprefix("put the text in quotes: ")
    lines[finding.place.line - 1] = line[: finding.place.column - 1] + mended + line[finding.place.end_column - 1 :]
    assert read_yaml("\n".join(lines), "a.yaml")[1] == []


def test_other_mistakes_get_the_parsers_words() -> None:
    found = read_yaml("a: - b\n", "a.yaml")[1]
    assert [item.code for item in found] == ["yaml-syntax"]
    assert found[0].message == "this is not YAML: sequence entries are not allowed here"
    assert "in quotes" in found[0].hint


def test_an_entry_without_its_dash_is_one_finding() -> None:
    text = "a:\n  - id: b\n    c: 1\n\n    id: d\n    c: 2\n  - id: e\n    c: 3\n    c: 4\n"
    found = read_yaml(text, "a.yaml")[1]
    assert [(item.code, item.place.line) for item in found] == [("duplicate-key", 5), ("duplicate-key", 9)]
    assert "begin this line with '- '" in found[0].hint
    assert "keep one of the two" in found[1].hint


def test_braces_without_quotes_are_read_as_the_text_that_was_meant() -> None:
    data, found = read_yaml("a: {{ b }}\nc: {d: {{ e }}, f: {g: 1}}\n", "a.yaml")
    assert len(found) == 2
    assert data == {"a": "{{ b }}", "c": {"d": "{{ e }}", "f": {"g": 1}}}


@pytest.mark.parametrize("path", ["C:\\Program", "D:\\New", "C:\\Logs", "C:\\data\\_old", "\\Printers", "C:\\temp"])
def test_backslashes_that_silently_make_other_characters(path: str) -> None:
    source = f'a: "{path}"\n'.replace("\\d", "/d")
    value, found = read_yaml(source, "a.yaml")
    assert path not in value["a"]
    assert [item.code for item in found] == ["escaped-control"]
    assert "single quotes" in found[0].hint


@pytest.mark.parametrize(("text", "column"), [('a: "C:\\Users\\x"', 7), ('a: "\\x"', 5), ('a: ["b", "\\uq"]', 11)])
def test_backslashes_that_want_a_number(text: str, column: int) -> None:
    (finding,) = read_yaml(text, "a.yaml")[1]
    assert (finding.code, finding.place.column) == ("yaml-syntax", column)
    assert "single quotes" in finding.hint


@pytest.mark.parametrize("text", ['"press" #1 now', "'press' #key"])
def test_a_text_behind_a_quoted_one_is_lost(text: str) -> None:
    (finding,) = read_yaml(f"a: {text}\n", "a.yaml")[1]
    assert (finding.code, finding.place.column) == ("text-after-hash", 12)


@pytest.mark.parametrize("text", ['"press" # now', "'press'  #1", '"press" # supportbot: ignore x y', '"a #1 b"'])
def test_comments_behind_a_quoted_text_are_comments(text: str) -> None:
    assert read_yaml(f"a: {text}\n", "a.yaml")[1] == []


def test_a_space_that_does_not_break_may_be_written_as_itself() -> None:
    assert read_yaml('a: "10\xa0000"\n', "a.yaml") == ({"a": "10\xa0000"}, [])
