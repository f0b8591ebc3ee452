"""The normal form: what a person would call the same words has the same tokens."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supportbot.model.text import MAX_TOKENS, NEGATIONS, folded, tokens

ALIKE = [
    ("Printer OFFLINE", "printer offline"),
    ("printer, offline!!", "printer offline"),
    ("printer-offline", "printer offline"),
    ("printer_offline", "printer offline"),
    ("  printer \t offline\n", "printer offline"),
    ("café", "cafe"),
    ("cafe\u0301", "café"),
    ("naïve Łódź smørrebrød", "naive lodz smorrebrod"),
    ("Straße", "STRASSE"),
    ("ﬁle", "file"),
    ("ｐｒｉｎｔｅｒ", "printer"),
    ("pass\u200bword", "password"),
    ("pass\u00adword", "password"),
    ("pa\x00ss", "pass"),
    ("\u202eprinter", "printer"),
    ("раsswоrd", "password"),
    ("ρrinter", "printer"),
    ("𝐩𝐫𝐢𝐧𝐭𝐞𝐫", "printer"),
    ("printer\u00a0offline", "printer offline"),
    ("printer\u2028offline", "printer offline"),
    ("won't", "will not"),
    ("wont", "will not"),
    ("won’t", "will not"),
    ("won`t", "will not"),
    ("WON´T", "will not"),
    ("can't", "cannot"),
    ("cant", "can not"),
    ("doesnt", "does not"),
    ("doesnot", "does not"),
    ("dosent", "does not"),
    ("ain't", "is not"),
    ("I'm", "i am"),
    ("im", "i am"),
    ("it's", "it is"),
    ("its", "it is"),
    ("that's", "thats"),
    ("I'll", "i will"),
    ("'I'll go'", "i will go"),
    ("they've", "they have"),
    ("printer's", "printer"),
    ("users'", "users"),
    ("pls", "please"),
    ("e-mail", "email"),
    ("E mail", "email"),
    ("Wi-Fi", "wifi"),
    ("what???", "what?"),
    ("what ? ?", "what?"),
    ("what？", "what?"),
    ("?hello", "hello"),
    ("½", "1 2"),
    ("x²", "x2"),
    ("ᴘʀɪɴᴛᴇʀ", "printer"),
    ("🅟🅡🅘🅝🅣🅔🅡", "printer"),
    ("🅿🆁🅸🅽🆃🅴🆁", "printer"),
    ("⒫⒭⒤⒩⒯⒠⒭", "printer"),
    ("🄟🄡🄘🄝🄣🄔🄡", "printer"),
    ("prin\u3164ter\uffa0", "printer"),
    ("printer\u2800offline", "printer offline"),
    ("thanks👍", "thanks 👍"),
    ("👍🏽", "👍 🏽"),
]

DIFFERENT = [
    ("works", "works?"),
    ("ill", "I'll"),
    ("well", "we'll"),
    ("were", "we're"),
    ("id", "I'd"),
    ("can", "can't"),
    ("do", "don't"),
    ("off line", "offline"),
    ("printer", "printers"),
    ("👍", "👎"),
    ("6000 83", "600083"),
    ("über", "unter"),
    ("принтер", "printer"),
]


@pytest.mark.parametrize(("left", "right"), ALIKE)
def test_the_same_words_have_the_same_tokens(left: str, right: str) -> None:
    assert tokens(left) == tokens(right)
    assert tokens(left) != ()


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_other_words_have_other_tokens(left: str, right: str) -> None:
    assert tokens(left) != tokens(right)


@pytest.mark.parametrize("text", ["", " ", "?", "...", "\u200b", "'", "''", "\x00", "\ufe0f"])
def test_a_text_without_words_has_no_tokens(text: str) -> None:
    assert tokens(text) == ()


@pytest.mark.parametrize("word", ["don't", "isn't", "wouldn't", "can't", "won't", "havent", "didnt", "aint", "shan't"])
def test_a_contracted_negation_is_never_lost(word: str) -> None:
    assert "not" in tokens(word)


@given(st.text())
@example("e e mail")
@example("e\u00ad mail wi \u200d fi")
@example("n't've's're")
@example("'ve 's ?'")
@example("\u0345\u0390\u1fb7 \u0130 ŉ")
@example("\U0001d165\u200d\u302e")
@example("\ufdfa" * 40)
@example("👍?👍??")
def test_the_normal_form_is_a_fixed_point(text: str) -> None:
    once = tokens(text)
    assert tokens(" ".join(once)) == once
    assert all(token == "?" or token.split() == [token] for token in once)


@given(st.text(alphabet="aeimwfdontslrv'’?- ", max_size=30))
def test_the_normal_form_is_a_fixed_point_of_english(text: str) -> None:
    once = tokens(text)
    assert tokens(" ".join(once)) == once


@given(st.lists(st.sampled_from(["Won't", "É", "?", "e", "mail", "\u200b", "x", "I'm"]), max_size=12))
def test_spaces_between_words_do_not_matter(words: list[str]) -> None:
    assert tokens(" ".join(words)) == tokens(" \u200b\t".join(words))


@given(
    st.text() | st.lists(st.sampled_from(["Won't", "É", "?", "e", "mail", "x?", "I'm", "not", ",", "fi"])).map(" ".join)
)
def test_words_that_need_a_closer_look_change_nothing_about_others(text: str) -> None:
    assert tokens(f"x {text} x its")[:-2] == tokens(f"x {text} x")


def test_a_huge_text_is_cut_where_its_tokens_still_mean_the_same() -> None:
    for text in ("\ufdfa" * 10_000, "é " * 20_000, "don't " * 20_000):
        once = tokens(text)
        assert len(once) == MAX_TOKENS
        assert tokens(" ".join(once)) == once


@given(st.text())
def test_the_folded_text_keeps_its_words_and_loses_its_case(text: str) -> None:
    assert folded(text.upper() if text.isascii() else text) == folded(text.lower() if text.isascii() else text)


def test_negations_are_in_normal_form() -> None:
    assert all(tokens(word) in ((word,), ("can", "not")) for word in NEGATIONS)
