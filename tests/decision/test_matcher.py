"""What a pattern finds in a message, construct by construct."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.decision.conftest import index_of, search

from supportbot.compiler.blocks import Typos
from supportbot.config.yaml_nodes import YamlMap
from supportbot.decision import matcher, met
from supportbot.decision.entities import Typed
from supportbot.decision.matcher import Found
from supportbot.diagnostics import Place
from supportbot.model.index import Memo

LISTS = {
    "yes": ["yes", "sounds (good|great)"],
    "broken": ["<negated> work*", "broken", "gave up"],
    "negated": ["not", "no longer", "<never>"],
    "never": ["never"],
}


def pattern(**options: Any) -> YamlMap:
    data = YamlMap(Place("handlers.yaml"))
    data.update(options)
    return data


def holds(block: Any, text: str) -> bool:
    return 0 in search(index_of(block, lists=LISTS), text).held


FOUND = [
    # words: whole, contiguous, anywhere, in normal form
    ("printer offline", "My PRINTER, offline again!", True),
    ("printer offline", "printer is offline", False),
    ("printer offline", "offline printer", False),
    ("print", "printer", False),
    ("won't print", "it will not print", True),
    ("cannot sign in", "I can’t sign in", True),
    ("e-mail", "my E mail", True),
    ("café", "the cafe", True),
    ("👍", "ok 👍", True),
    ("6000", "error -6000, -83", True),
    # alternatives and groups
    ("(works|fixed) now", "it is fixed now", True),
    ("(works|fixed) now", "works fixed", False),
    ("(sign in|log on) fails", "my log on fails", True),
    ("(sign in|log on) fails", "my log fails", False),
    ("a (b (c|d e)|f) g", "a b d e g", True),
    ("a (b (c|d e)|f) g", "a f g", True),
    ("a (b (c|d e)|f) g", "a b g", False),
    ("a ([b]|c) d", "a d", True),
    ("a ([b]|c) d", "a c d", True),
    ("a ([b]|c) d", "a e d", False),
    # optional
    ("printer [is|shows] offline", "printer offline", True),
    ("printer [is|shows] offline", "printer shows offline", True),
    ("printer [is|shows] offline", "printer is shows offline", False),
    ("a [b] [c] d", "a c d", True),
    ("a [b] [c] d", "a c b d", False),
    ("a [b [c]] d", "a b c d", True),
    ("a [b [c]] d", "a c d", False),
    # word beginnings
    ("print*", "printing", True),
    ("print*", "print", True),
    ("print*", "reprint", False),
    ("my print* jam*", "my printer jammed", True),
    # gaps: zero to three words
    ("call * back", "call back", True),
    ("call * back", "call me back", True),
    ("call * back", "call me right now back", True),
    ("call * back", "call me right now please back", False),
    ("* back", "back", True),
    ("back *", "back", True),
    ("a * b * c", "a x y z b x y z c", True),
    ("a * b * c", "a x y z w b c", False),
    ("a (b *|c) d", "a b x y z d", True),
    ("a (b *|c) d", "a c x d", False),
    ("a (* b|c) d", "a x y z b d", True),
    ("a (* b|c) d", "a x y z w b d", False),
    ("a (*|c) d", "a x d", True),
    # lists, lists in lists
    ("<yes> please", "that sounds great, please", True),
    ("<yes> please", "great please", False),
    ("<broken>", "it no longer works", True),
    ("<broken>", "it never worked", True),
    ("<broken>", "it works", False),
    ("printer * <broken>", "the printer has just gave up", True),
    # the question mark
    ("works ?", "it works?", True),
    ("works ?", "it works", False),
    ("?", "what??", True),
    ("?", "what.", False),
]


@pytest.mark.parametrize(("phrase", "text", "found"), FOUND)
def test_a_phrase_is_found(phrase: str, text: str, found: bool) -> None:
    assert holds([phrase], text) is found


BLOCKS: list[tuple[Any, str, bool]] = [
    ({"any": ["one", "two"]}, "two", True),
    ({"any": ["one", "two"]}, "three", False),
    ({"all": ["one", "two"]}, "two and one", True),
    ({"all": ["one", "two"]}, "two", False),
    ({"any": ["one"], "all": ["two"]}, "one two", True),
    ({"any": ["one"], "all": ["two"]}, "two", False),
    ({"any": ["one"], "none": ["not"]}, "one", True),
    ({"any": ["one"], "none": ["not"]}, "not one", False),
    ({"any": ["one"], "all": ["two"], "none": ["three", "<negated>"]}, "one two never", False),
    ({"all": ["two"], "none": ["three"]}, "two", True),
]


@pytest.mark.parametrize(("block", "text", "held"), BLOCKS)
def test_a_block_holds(block: Any, text: str, held: bool) -> None:
    assert holds(block, text) is held


ANCHORS = [
    ("start", "yes", "yes it works", True),
    ("start", "yes", "oh yes", False),
    ("end", "now", "it works now", True),
    ("end", "now", "it works now?", True),
    ("end", "now", "now it works", False),
    ("end", "now", "now it works now", True),
    ("whole", "yes", "Yes!", True),
    ("whole", "yes", "yes?", True),
    ("whole", "yes [please]", "yes please", True),
    ("whole", "yes [please]", "yes please do", False),
    ("whole", "yes", "oh yes", False),
    ("whole", "yes * please", "yes do it please", True),
    ("whole", "yes *", "yes", True),
    ("whole", "yes *", "yes do that now", True),
    ("whole", "yes *", "yes do that now please", False),
    ("end", "* call *", "so please call me back", True),
    ("end", "call *", "call me back right now", False),
    ("whole", "i am {name:text}", "I am Jane Doe", True),
    ("whole", "i am {name:text}", "so I am Jane Doe", False),
]


@pytest.mark.parametrize(("at", "phrase", "text", "found"), ANCHORS)
def test_a_phrase_may_be_bound_to_a_place(at: str, phrase: str, text: str, found: bool) -> None:
    assert holds([pattern(phrase=phrase, at=at)], text) is found


@pytest.mark.parametrize(
    ("text", "held"), [("one two", True), ("one two?", True), ("one two three", False), ("two", False)]
)
def test_a_block_may_take_short_messages_only(text: str, held: bool) -> None:
    assert holds({"any": ["one"], "max_words": 2}, text) is held


def test_words_that_match_are_counted_and_placed() -> None:
    found = search(index_of(["printer [is] offline", "offline"], {"all": ["my", "printer"]}), "My printer is offline")
    assert [(hit.start, hit.end, hit.words) for _, hit in sorted(found.hits.items())] == [
        (1, 4, 3),
        (3, 4, 1),
        (0, 1, 1),
        (1, 2, 1),
    ]
    assert {number: held.words for number, held in found.held.items()} == {0: 3, 1: 2}


def test_gap_words_are_no_matched_words() -> None:
    found = search(index_of(["call * back"]), "call me right back")
    assert (found.hits[0].start, found.hits[0].end, found.hits[0].words) == (0, 4, 2)


def test_the_longest_way_to_match_is_kept() -> None:
    found = search(
        index_of(["printer [is] offline [again] today"]), "printer offline today printer is offline again today"
    )
    assert found.hits[0].words == 5


@pytest.mark.parametrize(
    ("phrase", "text", "span"),
    [
        ("a * b", "a b b", (0, 2)),
        ("a * b * c", "a b c x c", (0, 3)),
        ("a b", "a b a b", (0, 2)),
        ("a * b", "a b x a b", (0, 2)),
        ("<yes>", "yes sounds good", (1, 3)),
        ("(<yes>|sounds {how:text})", "sounds good to me", (0, 2)),
    ],
)
def test_of_hits_with_as_many_words_the_leftmost_and_shortest_is_kept(
    phrase: str, text: str, span: tuple[int, int]
) -> None:
    hit = search(index_of([phrase], lists=LISTS), text).hits[0]
    assert (hit.start, hit.end) == span


# --- captured values --------------------------------------------------------------------------

CAPTURES = [
    ("i am {name:text}", "Hello, I'm Jane van Dyk", {"name": "Jane van Dyk"}),
    ("i am {name:text} please", "i am Jane Doe please help please", {"name": "Jane Doe"}),
    ("i am {name:text} * help", "i am Jane and need help", {"name": "Jane"}),
    ("{name:text} here", "Jane here", {"name": "Jane"}),
    ("ext {number:number}", "please call ext 42", {"number": 42}),
    ("costs {price:number}", "it costs $1,250.50", {"price": 1250.5}),
    ("mail {address:email}", "mail <Jane.Doe@Example.com>, please", {"address": "Jane.Doe@Example.com"}),
    ("call {phone:phone}", "call +44 20 7946 0018 now", {"phone": "+442079460018"}),
    (
        "call {phone:phone} (at|around) {moment:time}",
        "call 07911 123456 at 3pm",
        {"phone": "07911123456", "moment": "2026-11-23T15:00"},
    ),
    ("on {day:date}", "on 24 November", {"day": "2026-11-24"}),
    ("my {what:text} is {number:number}", "my room is 12", {"what": "room", "number": 12}),
    ("(i am {name:text}|name {name:text})", "name Jane", {"name": "Jane"}),
    ("call [{phone:phone}] back", "call 07911 123456 back", {"phone": "07911123456"}),
    ("call {phone:phone} ?", "call 07911 123456 ?", {"phone": "07911123456"}),
    ("e-mail {address:email}", "e mail jane@example.com", {"address": "jane@example.com"}),
]


@pytest.mark.parametrize(("phrase", "text", "values"), CAPTURES)
def test_a_value_is_captured_as_it_was_typed(phrase: str, text: str, values: dict[str, object]) -> None:
    found = search(index_of([phrase]), text)
    assert dict(found.hits[0].captures) == values


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("ext {number:number}", "ext four"),
        ("mail {address:email}", "mail jane"),
        ("call {phone:phone}", "call 6000-83"),
        ("on {day:date}", "on holiday"),
        ("at {moment:time}", "at home"),
        ("i am {name:text}", "i am"),
    ],
)
def test_without_a_value_of_its_type_a_phrase_is_not_found(phrase: str, text: str) -> None:
    assert search(index_of([phrase]), text).hits == {}


def test_two_phrases_may_begin_with_the_same_value() -> None:
    found = search(index_of(["i am {name:text}"], ["i am {name:text} from {place:text}"]), "i am Jane Doe from York")
    assert dict(found.hits[0].captures) == {"name": "Jane Doe from York"}
    assert dict(found.hits[1].captures) == {"name": "Jane Doe", "place": "York"}


def test_a_text_is_lined_up_with_its_tokens_once(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []

    def typed(text: str, words: tuple[str, ...]) -> Typed:
        texts.append(text)
        return Typed(text, words)

    monkeypatch.setattr(matcher, "Typed", typed)
    assert search(index_of(["{first:text} a {second:text} b"]), "x a y b " * 9).held
    assert len(texts) == 1


# --- regexes ----------------------------------------------------------------------------------


def test_a_regex_searches_the_text_whatever_its_case() -> None:
    index = index_of([pattern(regex=r"\bH(?P<code>2\d\d)\b", weight=3)])
    found = search(index, "QuickBooks says h202 again")
    assert dict(found.hits[0].captures) == {"code": "202"}
    assert 0 in found.held
    assert search(index, "h2025").held == {}


def test_a_regex_that_explodes_elsewhere_is_linear_here() -> None:
    index = index_of([pattern(regex="(a+)+$")])
    assert search(index, "a" * 4000 + "b").held == {}


# --- typing mistakes --------------------------------------------------------------------------

WORDS = ["password printer offline quickbooks working", "restart", "disconnected", "unable without never nothing"]


def understood(text: str, *phrases: str, **options: Any) -> dict[int, str]:
    return search(index_of([*WORDS, *phrases], **options), text).corrections


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        ("pasword", "password"),  # left out
        ("quikbooks", "quickbooks"),
        ("printter", "printer"),  # added
        ("printir", "printer"),  # changed
        ("pritner", "printer"),  # swapped
        ("printre", "printer"),
        ("ofline", "offline"),
        ("disconected", "disconnected"),
        ("PASWORD", "password"),
    ],
)
def test_a_small_typing_mistake_is_understood(typed: str, word: str) -> None:
    assert understood(typed) == {0: word}


@pytest.mark.parametrize(
    "typed",
    [
        "rinter",  # the first letter left out
        "brinter",  # ... or another
        "rpinter",  # ... or swapped
        "paswrd",  # two letters
        "printer",  # no mistake
        "prin",
        "withot",  # never to a negation
        "nevr",
        "nothin",
        "unble",
        "pr1nter",  # no letters only
        "p",
        "",
    ],
)
def test_anything_else_is_left_as_it_is(typed: str) -> None:
    assert understood(typed) == {}


@pytest.mark.parametrize("negation", ["never", "nothing", "without", "unable", "not", "hardly"])
def test_a_negation_is_never_taken_for_another_word(negation: str) -> None:
    near = [negation[:-1] + "x", negation + "s", negation[0] + negation[2:], negation + "e"]
    assert search(index_of(near), negation).corrections == {}


def test_a_known_word_is_never_taken_for_its_neighbour() -> None:
    index = index_of(["hosted"], ["posted"], ["hosting"], ["format"], ["former"], ["tested"], ["texted"])
    found = search(index, "tested texted")
    assert found.corrections == {}
    assert [index.patterns[number].source for number in sorted(found.hits)] == ["tested", "texted"]


def test_two_equally_near_words_are_refused() -> None:
    assert understood("lested", "lasted", "lusted") == {}
    assert understood("lested", "lasted") == {0: "lasted"}


def test_ignored_words_and_bots_without_typing_mistakes() -> None:
    assert understood("fiend", "friend") == {0: "friend"}
    assert understood("fiend", "friend", typos=Typos(ignore=frozenset(["fiend"]))) == {}
    assert understood("pasword", typos=Typos(enabled=False)) == {}
    assert understood("printr", typos=Typos(min_letters=8)) == {}


def test_a_pattern_can_refuse_typing_mistakes() -> None:
    index = index_of([pattern(phrase="my printer", typos=False)], ["printer"])
    assert sorted(search(index, "my pritner").hits) == [1]
    assert sorted(search(index, "my printer").hits) == [0, 1]
    assert search(index, "my pritner").hits[1].fuzzy
    assert not search(index, "my printer").hits[1].fuzzy


def test_an_exact_occurrence_counts_beside_a_mistyped_one() -> None:
    index = index_of([pattern(phrase="printer", typos=False)])
    assert search(index, "pritner printer").hits[0].start == 1
    assert search(index, "printer pritner").hits[0].start == 0


def test_a_mistyped_word_begins_like_the_beginning_it_was_meant_for() -> None:
    assert holds(["disconnect*"], "it disconected") is False
    assert holds(["disconnect*", "disconnected"], "it disconected") is True


# --- any text ---------------------------------------------------------------------------------

INDEX = index_of(
    ["printer [is] offline", "call * back", "i am {name:text}", "i am {name:text} * from {place:text}", "<broken>"],
    {"any": ["print*"], "none": ["<negated>"]},
    [pattern(regex="h2[0-9]+")],
    ["on {day:date}", "{phone:phone}", "mail {address:email} ?"],
    lists=LISTS,
)
PARTS = "i am call back from printer pritner is offline no longer works ? on 24/11 07911 123456 a@b.de mail é 👍"
TALK = st.lists(st.sampled_from(PARTS.split()), max_size=25).map(" ".join)


@given(st.text() | TALK)
def test_any_text_is_searched_and_always_alike(text: str) -> None:
    found: Found = search(INDEX, text)
    assert found == search(INDEX, text)
    for hit in found.hits.values():
        assert 0 <= hit.start <= hit.end <= len(found.tokens)
        assert hit.words >= 1


@given(st.lists(TALK, min_size=2, max_size=4))
def test_what_was_remembered_changes_nothing(texts: list[str]) -> None:
    forgetful = [search(replace(INDEX, memo=Memo()), text) for text in texts]
    assert [search(INDEX, text) for text in texts] == forgetful


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(met, "MEMO_WORDS", 3)
    monkeypatch.setattr(met, "MEMO_STEPS", 5)
    index = replace(INDEX, memo=Memo())
    most = 0
    for first in PARTS.split():
        for second in PARTS.split():
            text = f"call {first} printer {second} no longer works back"
            assert search(index, text) == search(INDEX, text)
            most = max(most, len(index.memo.words), len(index.memo.readings), index.memo.steps)
    assert most == 5


def test_words_that_are_nothing_remember_no_bot() -> None:
    search(INDEX, "call xyzzy back, i am xyzzy from xyzzy")
    assert not met.NOTHING.steps


def test_a_bot_travels_without_what_was_remembered() -> None:
    search(INDEX, "printer offline")
    assert INDEX.memo.words
    assert not pickle.loads(pickle.dumps(INDEX.memo)).words


def test_a_hostile_message_is_searched_in_few_steps() -> None:
    index = index_of(["a * a * a * b", "(a|a a|<as>) * (a|<as>) * (a|<as>) c"], lists={"as": ["a a", "a a a", "a"]})
    assert search(index, "a " * 1500).held == {}


def test_of_a_message_made_to_be_long_the_beginning_and_the_end_are_read() -> None:
    index = index_of({"any": ["printer offline"]})
    assert search(index, "printer offline" + " x" * 2000).held
    assert search(index, "x " * 2000 + "printer offline").held
    assert not search(index, "x " * 1000 + "printer offline" + " x" * 1000).held
    assert search(index, "x " * 350 + "printer offline" + " x" * 350).held  # as long as prose of 4,000 characters


@pytest.mark.parametrize("text", ["\ud800", "printer \udfff offline", "\udc00\ud800" * 2000])
def test_halves_of_surrogate_pairs_reach_no_regex(text: str) -> None:
    index = index_of([pattern(regex="offline$")])
    assert bool(search(index, text).held) is text.endswith("offline")
