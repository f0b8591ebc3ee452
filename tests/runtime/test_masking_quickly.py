"""The quick look before masking never lets anything through that the rules would have masked."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.runtime import masking
from supportbot.runtime.masking import mask, mask_secrets, mask_thoroughly, plain

WORDS = st.sampled_from(
    ("my", "password", "is", "hunter", "pin", "Passwort", "key:", "sk-abcdefghijklm", "printer", "mot", "de", "passe",
     "wachtwoord", "bearer", "abcdefabcdef", "deadbeefdeadbeefdeadbeefdeadbeef", "ftp://a:b@c", "a@b.co", "TOKEN",
     "teamviewer", "AIzaabcdefghijklmnopqrstuvw", "ghp_abcdefghijklmnopqrstuv", "eyJabcdefgh.abcd", "xoxb-abcdefghijkl",
     "AKIAABCDEFGHIJKL", "github_pat_abcdefghijklmnopqrstuv", "-----BEGIN", "PRIVATE", "KEY-----", "OTP", "senha",
     "contraseña", "contrasen\u0303a", "\u212aey", "pa\u017fsword", "４１１１", "1111", "٠١٢", "a", "an", "id", "code",
     "x１２", "session", "remote", "a1b2c3", "->", "=", "to", "of", "Summer24!", "+44", "(020)", "1000.",
     "0123456789abcdef01234")
)  # fmt: skip
SEPARATORS = st.sampled_from((" ", "", "  ", "\t", "\n", "-", ".", "\x0b", "\u00a0", "\u200b"))
TEXTS = st.one_of(
    st.lists(WORDS, max_size=12).map(" ".join),
    st.lists(st.tuples(WORDS, SEPARATORS).map("".join), max_size=12).map("".join),
    st.text(st.characters(max_codepoint=127), max_size=80),
    st.text("0123456789 .()/-+x", max_size=40),
    st.text(max_size=80),
)


def by_all_rules(text: str) -> str:
    seen = plain(text)
    masked = seen
    for pattern, replacement in masking._SECRET_RULES:
        masked = pattern.sub(replacement, masked)
    return text if masked == seen else masked


@given(TEXTS)
def test_both_ways_agree(text: str) -> None:
    assert mask(text) == mask_thoroughly(text)
    assert mask_secrets(text) == by_all_rules(text)


def as_python_writes(pattern: str) -> str:
    return pattern.replace(r"\x{f1}", "ñ").replace(r"\z", r"\Z").replace(r"\pL\pN", r"\w")


@pytest.mark.parametrize("rule", range(len(masking._RULES)))
@given(data=st.data())
def test_whatever_a_rule_looks_for_is_looked_at(rule: int, data: st.DataObject) -> None:
    found, _ = masking._RULES[rule]
    text = data.draw(st.from_regex(re.compile(as_python_writes(found.pattern)), fullmatch=True))
    before, after = data.draw(st.tuples(SEPARATORS, SEPARATORS))
    whole = plain(f"well{before}{text}{after}then")
    if found.search(whole):
        assert masking._SUSPICIOUS.Match(whole)
    assert mask(whole) == mask_thoroughly(whole)


@pytest.mark.parametrize(
    "text",
    [
        "my pinegago printer shows error 0x80070005 since 10:15",
        "windows 11 says code 43, ticket 12345",
        "the password",
        "the keyboard’s keys stick: naïve question",
        "compare a:b with http://example.com/x",
    ],
)
def test_usual_messages_take_the_short_way(text: str) -> None:
    assert not masking._looked_at(text)[1]
