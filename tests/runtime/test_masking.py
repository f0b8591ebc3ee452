"""Personal data and secrets leave a text, support facts stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.runtime import masking
from supportbot.runtime.masking import mask, mask_thoroughly


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mail john.o'brien@example.co.uk please", "mail [e-mail] please"),
        ("Ünal@bücher.example", "[e-mail]"),
        ("john＠example．com", "[e-mail]"),
        ("jo\u200bhn@exam\u00adple.com", "[e-mail]"),
        ("call +44 20 7946 0958 now", "call [phone] now"),
        ("(555) 123-4567", "[phone]"),
        ("555-1234", "[phone]"),
        ("٠١٢٣٤٥٦٧٨٩", "[phone]"),
        ("card 4111 1111 1111 1111 exp 12/27", "card [card] exp 12/27"),
        ("4111-1111-1111-1111", "[card]"),
        ("ref 12 5500005555555559", "ref [card]"),
        ("1234567890123456789012", "[number]"),
        ("password is hunter2 and it fails", "password is [secret] and it fails"),
        ("my login password for the portal is Tiger99", "my login password for the portal is [secret]"),
        ("Password:Summer 2024!", "Password:[secret]"),
        ("pw: X", "pw: [secret]"),
        ("PWD=abc", "PWD=[secret]"),
        ("I changed my password to Abc123!", "I changed my password to [secret]"),
        ("password 1234abc", "password [secret]"),
        ("pin 1234", "pin [secret]"),
        ('passcode: "a b c"', "passcode: [secret]"),
        ("TeamViewer ID 123 456 789 password k3j2h1", "TeamViewer ID [remote session] password [secret]"),
        ("anydesk address is 987654321", "anydesk address is [remote session]"),
        ("session id: abc123-def", "session id: [remote session]"),
        ("sk-abcdefghijklmnopqrstuvwxyz123", "[secret]"),
        ("AKIAIOSFODNN7EXAMPLE", "[secret]"),
        ("Authorization: Bearer abcdef0123456789", "Authorization: Bearer [secret]"),
        ("api key: foo", "api key: [secret]"),
        ("http://bob:hunter2@host/x", "http://bob:[secret]@host/x"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY----- end", "[secret] end"),
    ],
)
def test_it_is_masked(text: str, masked: str) -> None:
    assert mask(text) == mask_thoroughly(text) == masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "my password is not working",
        "the password isn't right",
        "my password is expired",
        "password for quickbooks is the same",
        "reset password to login",
        "pin the app to the taskbar",
        "error 0x80070005 and H202, then -6123,0 and 6000 83",
        "server 192.168.100.200, Windows 10.0.19045.3803, build 26100.2314",
        "since 2026-11-23 10:15",
        "invoice 12345",
        "50 users @ 3 offices",
        "the key is stuck on my keyboard",
    ],
)
def test_it_stays(text: str) -> None:
    assert mask(text) == mask_thoroughly(text) == text


_pieces = st.sampled_from(
    ["password", "pw", "is", ":", "=", " ", "  ", "\n", "'", '"', "[", "]", "4111 1111 1111 1111", "555-1234", "a@b.co",
     "sk-abcdefghijklmnop", "teamviewer id", "123 456 789", "to", "://a:b@c", "Bearer abcdefghij", "é", "１", "word",
     "-----BEGIN PRIVATE KEY-----"]
)  # fmt: skip
_texts = st.one_of(st.text(max_size=200), st.lists(_pieces, max_size=12).map("".join))


@given(_texts)
def test_any_text_can_be_stored_afterwards(text: str) -> None:
    assert mask(text + "\ud800").encode("utf-8") is not None


_words = st.lists(st.sampled_from(["hello", "my", "printer", "fails", "since", "monday", "!", "(", "\n"]), max_size=6)


@given(before=_words, after=_words)
def test_a_canary_never_survives_whatever_stands_around_it(before: list[str], after: list[str]) -> None:
    for canary in (
        "jane.doe@example.com",
        "4111 1111 1111 1111",
        "+44 20 7946 0958",
        "password: hunter2",
        "sk-0123456789abcdef",
    ):
        text = mask(" ".join([*before, canary, *after]))
        assert canary.split()[-1] not in text


_TRAPS = [
    "a" * 4096, "1" * 4096, "1 " * 2048, "a@" * 2048, "a.a." * 1024 + "@", "a@a." * 1024, "password is " * 341,
    "password " * 455, "pw:" * 1365, "pw='" * 1024, "(" * 4096, "sk-" * 1365, "eyJ." * 1024, "://a:" * 819,
    "-----BEGIN PRIVATE KEY-----" * 150, "1." * 2048, "teamviewer id " * 290, " " * 4096, "1234567890 " * 372,
]  # fmt: skip


@pytest.mark.parametrize("trap", _TRAPS, ids=lambda trap: trap[:12])
def test_texts_that_trap_a_backtracking_engine_come_through(trap: str) -> None:
    """A hundred times a message's length: with an engine that backtracks this would not end."""
    assert mask(trap * 100)


def test_every_pattern_runs_on_the_linear_engine() -> None:
    assert {type(pattern).__module__.split(".")[0] for pattern, _ in masking._RULES} == {"re2"}
