"""The phrase parser: every construct, every mistake with its place, and no text that breaks it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.compiler.patterns import (
    Beginning,
    Capture,
    Element,
    Gap,
    Group,
    ListName,
    PhraseError,
    Word,
    fits_anything,
    parse_phrase,
    walk,
)


def words(text: str) -> tuple[Word, ...]:
    return tuple(Word(word) for word in text.split())


PHRASES: list[tuple[str, tuple[Element, ...]]] = [
    ("Printer OFFLINE", words("printer offline")),
    ("it won't print", words("it will not print")),
    ("e-mail", words("email")),
    ("print*", (Beginning("print"),)),
    ("my\tprint* jam", (Word("my"), Beginning("print"), Word("jam"))),
    ("call * back", (Word("call"), Gap(), Word("back"))),
    ("<not_working> now", (ListName("not_working", 0), Word("now"))),
    ("is <it>", (Word("is"), ListName("it", 3))),
    ("{name}", (Capture("name", "text"),)),
    ("i am { name : text }", (*words("i am"), Capture("name", "text"))),
    ("what?", words("what ?")),
    ("what ???", words("what ?")),
    ("(a|b c)", (Group((words("a"), words("b c")), False),)),
    ("a [very] b", (Word("a"), Group((words("very"),), True), Word("b"))),
    ("[a|be*] c", (Group((words("a"), (Beginning("be"),)), True), Word("c"))),
    (
        "(a (b|[c] d)|e)",
        (Group(((Word("a"), Group((words("b"), (Group((words("c"),), True), Word("d"))), False)), words("e")), False),),
    ),
]


@pytest.mark.parametrize(("text", "elements"), PHRASES)
def test_a_phrase_is_read(text: str, elements: tuple[Element, ...]) -> None:
    assert parse_phrase(text) == elements


MISTAKES = [
    ("(a|b", 0, "not closed"),
    ("a [b", 2, "not closed"),
    ("a) b", 1, "closes nothing"),
    ("a ] b", 2, "closes nothing"),
    ("a > b", 2, "closes nothing"),
    ("a } b", 2, "closes nothing"),
    ("a | b", 2, "outside a group"),
    ("(a]", 2, "where ')' was expected"),
    ("()", 1, "empty alternative"),
    ("(a|)", 3, "empty alternative"),
    ("<a", 0, "missing"),
    ("<>", 0, "needs a name"),
    ("{a", 0, "missing"),
    ("{ }", 0, "needs a name"),
    ("{Name:text}", 0, "no slot name"),
    ("{a b:text}", 0, "no slot name"),
    ("{a:colour}", 0, "not a type of value"),
    ("x*", 0, "almost any word"),
    ("pr*nt", 2, "inside a word"),
    ("don't*", 5, "not one word"),
    ("(" * 9 + "a" + ")" * 9, 8, "nest deeper"),
]


@pytest.mark.parametrize(("text", "offset", "message"), MISTAKES)
def test_a_mistake_has_a_place_and_a_remedy(text: str, offset: int, message: str) -> None:
    with pytest.raises(PhraseError) as caught:
        parse_phrase(text)
    assert message in caught.value.message
    assert caught.value.offset == offset
    assert caught.value.hint


@given(st.text(alphabet="ab e?*()[]|<>{}:'n\u0301👍", max_size=40) | st.text(max_size=40))
def test_any_text_is_a_phrase_or_a_mistake_inside_it(text: str) -> None:
    try:
        elements = parse_phrase(text)
    except PhraseError as mistake:
        place = range(mistake.offset, mistake.offset + mistake.length)
    else:
        place = range(max(1, len(walk(elements))))
    assert 0 <= place.start <= len(text)
    assert len(place) >= 1


@pytest.mark.parametrize(
    ("text", "anything"),
    [
        ("", True),
        ("*", True),
        ("* *", True),
        ("{x:text}", True),
        ("[printer] {x:text}", True),
        ("(printer|{x:text})", True),
        ("(a|*) {x:text}", True),
        ("{x:number}", False),
        ("[printer]", False),
        ("my {x:text}", False),
        ("(a|b) {x:text}", False),
        ("<names>", False),
        ("print*", False),
        ("?", False),
        ("[please] (call|*) me {x:text}", False),
    ],
)
def test_a_phrase_that_fits_anything_is_known(text: str, anything: bool) -> None:
    assert fits_anything(parse_phrase(text)) is anything
