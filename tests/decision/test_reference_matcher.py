"""The trie against a matcher that is too simple to be wrong: recursion over the parsed phrase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.decision.conftest import index_of, search

from supportbot.compiler.patterns import Beginning, Element, Gap, Group, ListName, Word, parse_phrase
from supportbot.compiler.trie import Typos
from supportbot.decision.matcher import GAP_WORDS

Lists = Mapping[str, list[str]]


def ends(elements: Sequence[Element], words: Sequence[str], at: int, lists: Lists) -> Iterator[tuple[int, bool]]:
    """Where a phrase that begins at a word may end, and whether it needed a word at all."""
    if not elements:
        yield at, False
        return
    for end, matched in element_ends(elements[0], words, at, lists):
        for last, more in ends(elements[1:], words, end, lists):
            yield last, matched or more


def element_ends(element: Element, words: Sequence[str], at: int, lists: Lists) -> Iterator[tuple[int, bool]]:
    rest = words[at:]
    match element:
        case Word(text):
            if rest[:1] == [text]:
                yield at + 1, True
        case Beginning(text):
            if rest and rest[0].startswith(text):
                yield at + 1, True
        case Gap():
            for taken in range(min(GAP_WORDS, len(rest)) + 1):
                yield at + taken, False
        case ListName(name, _):
            for phrase in lists[name]:
                yield from ((end, True) for end, matched in ends(parse_phrase(phrase), words, at, lists) if matched)
        case Group(alternatives, optional):
            if optional:
                yield at, False
            for alternative in alternatives:
                yield from ends(alternative, words, at, lists)


def found_by_reference(phrase: str, message: str, lists: Lists) -> bool:
    words = message.split()
    elements = parse_phrase(phrase)
    return any(matched for start in range(len(words)) for _, matched in ends(elements, words, start, lists))


WORDS = st.sampled_from(["ab", "ac", "b", "c"])
ATOMS = st.sampled_from(["ab", "ac", "b", "c", "ab*", "<one>", "<two>"])
PIECES = st.recursive(
    ATOMS | st.just("*"),
    lambda inner: st.builds(
        lambda brackets, parts: brackets[0] + "|".join(" ".join(part) for part in parts) + brackets[1],
        st.sampled_from(["()", "[]"]),
        st.lists(st.lists(inner, min_size=1, max_size=2), min_size=1, max_size=2),
    ),
    max_leaves=5,
)
PHRASES = st.builds(
    lambda first, middle, last: " ".join([first, *middle, last]), ATOMS, st.lists(PIECES, max_size=2), ATOMS
).filter(lambda phrase: phrase.count("*") - phrase.count("ab*") <= 3)
MESSAGES = st.lists(WORDS | st.sampled_from(["x", "abc"]), max_size=8).map(" ".join)
PLAIN = st.lists(WORDS, min_size=1, max_size=2).map(" ".join)
LISTS = st.fixed_dictionaries(
    {
        "one": st.lists(PLAIN | st.just("b <two>"), min_size=1, max_size=2),
        "two": st.lists(PLAIN, min_size=1, max_size=2),
    }
)


@settings(max_examples=400)
@given(st.lists(PHRASES, min_size=1, max_size=3), MESSAGES, LISTS)
@example(["ab (b *|c) c"], "ab b x x c", {"one": ["b"], "two": ["c"]})
@example(["ab ([b]|c) c"], "ab c", {"one": ["b"], "two": ["c"]})
@example(["<one> <two>"], "b c b", {"one": ["b <two>"], "two": ["c", "b"]})
def test_the_trie_finds_what_the_reference_finds(phrases: list[str], message: str, lists: dict[str, list[str]]) -> None:
    index = index_of(*([phrase] for phrase in phrases), lists=lists, typos=Typos(enabled=False))
    held = search(index, message).held
    assert sorted(held) == [at for at, phrase in enumerate(phrases) if found_by_reference(phrase, message, lists)]
