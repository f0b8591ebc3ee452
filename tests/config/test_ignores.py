"""Comments that ignore a finding: where they count, what is wrong with them, and which are of no use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.config.ignores import Ignore, read_ignores, with_known_codes, without_ignored
from supportbot.diagnostics import Fix, Place, error, warning


def lines(source: str) -> list[tuple[int, str]]:
    return [(item.line, item.code) for item in read_ignores(source, "a.yaml")[0]]


def problems(source: str) -> list[tuple[str, int, int]]:
    return [(item.message, item.place.line, item.place.column) for item in read_ignores(source, "a.yaml")[1]]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("a: 1  # supportbot: ignore some-code it is so\n", [(1, "some-code")]),
        ("# supportbot: ignore some-code it is so\n\n# more\na: 1\n", [(4, "some-code")]),
        ("# a bot\n# supportbot: ignore-file some-code it is so\na: 1\n", [(0, "some-code")]),
        ("a: |  # supportbot: ignore some-code it is so\n  text\n", [(1, "some-code")]),
        ("a: 'x'  # supportbot: ignore some-code it is so\n", [(1, "some-code")]),
        ("a: |\n  text\n# supportbot: ignore some-code it is so\nb: 1\n", [(4, "some-code")]),
        ("a: '# supportbot: ignore some-code no'\n", []),
        ('a: "one\n  # supportbot: ignore some-code no"\n', []),
        ("a: |\n  # supportbot: ignore some-code no\n", []),
        ("a: >\n  text\n\n  # supportbot: ignore some-code no\nb: 1\n", []),
        ("a: x#supportbot: ignore some-code no\n", []),
        ("a: 1\n", []),
    ],
)
def test_what_a_comment_is_for(source: str, found: list[tuple[int, str]]) -> None:
    assert lines(source) == found
    assert problems(source) == []


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a: 1  # supportbot: ignore some-code\n", "this comment does not say why 'some-code' is ignored"),
        ("a: 1  # supportbot: ignore\n", "this comment does not say which finding to ignore"),
        ("a: 1  # supportbot: ignroe some-code so\n", "'ignroe' is nothing that a comment can ask for"),
        ("a: 1\n# supportbot: ignore-file x so\n", "an ignore for the whole file stands above everything else"),
    ],
)
def test_what_is_wrong_with_a_comment(source: str, message: str) -> None:
    assert lines(source) == []
    assert [text for text, _, _ in problems(source)] == [message]


HERE = Place("a.yaml", 3, 5, 3, 9)
IGNORE = Ignore("a.yaml", 3, "never-wins", Place("a.yaml", 3, 20, 3, 40))


def test_an_ignored_finding_is_gone() -> None:
    assert without_ignored([warning("never-wins", HERE, "m")], [IGNORE], runs=True) == ([], [])
    assert without_ignored([error("never-wins", HERE, "m")], [IGNORE], runs=True) == ([], [])


def test_an_error_that_stops_the_bot_cannot_be_ignored() -> None:
    finding = error("never-wins", HERE, "m")
    assert without_ignored([finding], [IGNORE], runs=False) == ([finding], [])


def test_an_ignore_of_no_use_is_a_finding() -> None:
    other = warning("covered-phrase", HERE, "m")
    kept, [unused] = without_ignored([other], [IGNORE], runs=True)
    assert kept == [other]
    assert (unused.code, unused.place) == ("unused-ignore", IGNORE.place)
    assert unused.message == "there is no finding 'never-wins' in line 3"
    assert without_ignored([other], [IGNORE], runs=False) == ([other], [])


@given(st.text(alphabet="#a:|>'\"\n \t-[]{}supportbot ignore", max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    for source in (text, f"{text} # supportbot: ignore some-code why", f"# supportbot: ignore a b\n{text}"):
        read_ignores(source, "a.yaml")


@pytest.mark.parametrize(
    ("comment", "written"),
    [
        ("# suportbot: ignore some-code it is so", "suportbot:"),
        ("# supportbot ignore some-code it is so", "supportbot"),
        ("# Supportbot: ignore some-code it is so", "Supportbot:"),
        ("# supprotbot : ignore-file some-code it is so", "supprotbot:"),
    ],
)
def test_a_misspelt_comment_says_that_it_ignores_nothing(comment: str, written: str) -> None:
    found, [mistake] = read_ignores(f"a: 1  {comment}\n", "a.yaml")
    assert found == []
    assert (mistake.code, mistake.message) == ("bad-ignore", f"'{written}' ignores nothing")
    assert mistake.hint == "did you mean 'supportbot:'?"


@pytest.mark.parametrize(
    "line",
    [
        "a: 1  # the report: ignore it",
        "a: 1  # supporters ignore this",
        "a: '# suportbot: ignore some-code it is so'",
        "a: supportbot ignore",
        "a: |\n  # suportbot: ignore some-code it is so",
    ],
)
def test_other_comments_and_texts_are_left_alone(line: str) -> None:
    assert read_ignores(f"{line}\n", "a.yaml") == ([], [])


def test_codes_that_no_finding_has() -> None:
    misspelt = Ignore("a.yaml", 3, "never-win", IGNORE.place)
    strange = Ignore("a.yaml", 3, "zzz", IGNORE.place)
    good, found = with_known_codes([IGNORE, misspelt, strange], {"never-wins", "order-decides"})
    assert good == [IGNORE]
    assert [item.code for item in found] == ["bad-ignore", "bad-ignore"]
    assert found[0].hint == "did you mean 'never-wins'?"
    assert found[0].fix == Fix(IGNORE.place, "never-win", "never-wins")
    assert "brackets" in found[1].hint
    assert found[1].fix is None
