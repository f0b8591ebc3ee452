"""The quick look before masking never lets anything through that the rules would have masked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supportbot.runtime.masking import mask, mask_thoroughly

WORDS = st.sampled_from(
    ("my", "password", "is", "hunter", "pin", "Passwort", "key:", "sk-abcdefghijklm", "printer", "mot", "de", "passe",
     "wachtwoord", "bearer", "abcdefabcdef", "deadbeefdeadbeefdeadbeefdeadbeef", "ftp://a:b@c", "a@b.co", "TOKEN",
     "teamviewer", "AIzaabcdefghijklmnopqrstuvw", "ghp_abcdefghijklmnopqrstuv", "eyJabcdefgh.abcd", "xoxb-abcdefghijkl",
     "AKIAABCDEFGHIJKL", "github_pat_abcdefghijklmnopqrstuv", "-----BEGIN", "PRIVATE", "KEY-----", "OTP", "senha")
)  # fmt: skip


@given(st.one_of(st.lists(WORDS, max_size=12).map(" ".join), st.text(st.characters(max_codepoint=127), max_size=80)))
def test_both_ways_agree(text: str) -> None:
    assert mask(text) == mask_thoroughly(text)
