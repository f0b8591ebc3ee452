"""Edits on the text: exact, once, never on top of each other, and nothing else changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supportbot.config.mending import mend
from supportbot.config.yaml_place import lines_of
from supportbot.config.yaml_reader import read_yaml
from supportbot.diagnostics import Fix, Place, correction


def at(line: int, column: int, end: int) -> Place:
    return Place("a.yaml", line, column, line, end)


def test_a_word_changes_inside_its_quotes() -> None:
    source = "a: 'helo'  # helo\n"
    assert mend(source, [Fix(at(1, 4, 10), "helo", "hello")]) == ("a: 'hello'  # helo\n", 1)


def test_an_edit_that_no_longer_fits_is_not_made() -> None:
    source = "a: other\n"
    assert mend(source, [Fix(at(1, 4, 9), "helo", "hello")]) == (source, 0)
    assert mend(source, [Fix(at(7, 1, 2), "a", "b"), Fix(at(1, 4, 99), "", "b")]) == (source, 0)


def test_a_word_that_stands_twice_is_left_alone() -> None:
    source = "a: helo helo\n"
    assert mend(source, [Fix(at(1, 4, 13), "helo", "hello")]) == (source, 0)


def test_line_ends_and_marks_stay() -> None:
    source = "a: 1\r\nb: helo\rc: 2\n"
    assert mend(source, [Fix(at(2, 4, 8), "helo", "hello")]) == ("a: 1\r\nb: hello\rc: 2\n", 1)


def test_entries_go_with_what_separates_them() -> None:
    def without(source: str, entry: str) -> str:
        lines = lines_of(source)
        line = next(number for number, text in enumerate(lines, start=1) if entry in text)
        column = lines[line - 1].index(entry) + 1
        return mend(source, [Fix(at(line, column, column + len(entry)))])[0]

    assert without("a:\n  - x\n  - yy\n  - z\n", "yy") == "a:\n  - x\n  - z\n"
    assert without("a: [x, yy, z]\n", "yy") == "a: [x, z]\n"
    assert without("a: [yy, z]\n", "yy") == "a: [z]\n"
    assert without("a: [x, yy]  # why\n", "yy") == "a: [x]  # why\n"


def test_what_would_take_more_along_stays() -> None:
    for source, column in (("a:\n  - yy  # why\n", 5), ("a: [{phrase: yy}]\n", 14), ("a: yy\n", 4), ("a: [yy]\n", 5)):
        line = 1 + source[: source.index("yy")].count("\n")
        assert mend(source, [Fix(at(line, column, column + 2))]) == (source, 0), source


def test_a_comment_goes_alone_or_with_its_line() -> None:
    assert mend("a: 1  # no\nb: 2\n", [Fix(at(1, 7, 11))]) == ("a: 1\nb: 2\n", 1)
    assert mend("a: 1\n  # no\nb: 2\n", [Fix(at(2, 3, 7))]) == ("a: 1\nb: 2\n", 1)


PLACES = st.builds(
    lambda line, column, more, length: Place("a.yaml", line, column, line + more, column + length),
    st.integers(0, 6),
    st.integers(0, 12),
    st.integers(0, 1),
    st.integers(-1, 8),
)
WORDS = st.sampled_from(["", "a", "b", "aa", "- ", "x: [a, a]", '"', "#"])
FIXES = st.lists(st.builds(Fix, PLACES, WORDS, WORDS), max_size=8)
SOURCES = st.text(st.sampled_from("ab:-[],# \"'\n\r\t{}"), max_size=60)


@given(SOURCES, FIXES)
def test_edits_never_overlap_and_all_of_the_rest_stays(source: str, fixes: list[Fix]) -> None:
    mended, edits = mend(source, fixes)
    assert 0 <= edits <= len(fixes)
    assert (mended == source) or edits
    assert mend(source, fixes) == (mended, edits)
    assert mend(source, fixes[::-1]) == (mended, edits)


@given(SOURCES, PLACES, st.lists(st.sampled_from(["one", "two"]), min_size=2, max_size=5))
def test_of_several_edits_of_one_place_one_is_made(source: str, place: Place, words: list[str]) -> None:
    assert mend(source, [Fix(place, "", word) for word in words])[1] <= 1


@given(SOURCES)
def test_what_the_reader_offers_can_be_made(source: str) -> None:
    found = read_yaml(source, "a.yaml")[1]
    for item in found:
        if item.fix is not None:
            assert item.fix.place.file == "a.yaml"
            mend(source, [item.fix])


def test_only_one_near_name_is_a_correction() -> None:
    place = at(1, 1, 5)

    def corrected(name: str, *known: str) -> str | None:
        fix = correction(place, name, known)
        return fix.new if fix else None

    assert corrected("troubleshoting", "troubleshooting", "resolved") == "troubleshooting"
    assert corrected("ofer_person", "offer_person", "offer_parson") == "offer_person"
    assert corrected("offer_prson", "offer_person", "offer_parson") is None
    assert corrected("printer_offline_3", "printer_offline_2") is None
    assert corrected("Printing", "printing") == "printing"
    assert corrected("no", "not") is None
    assert corrected("password", "printing") is None
    assert corrected("resovled", "resolved") == "resolved"
