"""Personal data and secrets taken out of a text before it is logged, stored in a record or sent to a model.

All patterns run on the linear-time engine, because the text is a visitor's. Names are not recognised: that would
need a language model of its own. When in doubt a run of digits is masked: a lost ticket number costs less than
a leaked card. What stays: error codes, IP addresses, versions and ISO dates, which support cannot do without.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import re2

E_MAIL, PHONE, CARD, NUMBER = "[e-mail]", "[phone]", "[card]", "[number]"
SECRET, REMOTE = "[secret]", "[remote session]"

_KEYS = (
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\z)",
    r"\b(?:sk|pk|rk)[-_][A-Za-z0-9_\-]{12,}",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bxox[a-z]-[A-Za-z0-9\-]{10,}",
    r"\bAIza[0-9A-Za-z_\-]{20,}",
    r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)?",
    r"\b1000\.[0-9a-fA-F]{20,}\.[0-9a-fA-F]{20,}",
    r"\b[0-9a-fA-F]{32,}\b",
)
_BEARER = r"(?i)\b(bearer\s{1,4})[A-Za-z0-9._~+/=\-]{8,}"
_URL_LOGIN = r"(://[^\s/:@]{0,64}:)[^\s/@]{1,128}(@)"

_SECRET_WORD = (
    r"(?:pass[ \-]?words?|pass[ \-]?wd|pass[ \-]?codes?|pass[ \-]?phrases?|pwd|pw|psw|pin(?:[ \-]?code)?|"
    r"(?:api|access|secret|license|product|recovery|security)[ \-]?(?:key|token|code)s?|token|"
    r"client[ \-]?secret|secret|otp|"
    r"one[ \-]time code|verification code|mot de passe|passwort|kennwort|contrase\x{f1}a|wachtwoord|senha)"
)
_VALUE = r"(\"[^\"\n]{1,128}\"|'[^'\n]{1,128}'|\S{1,128}(?: \S{0,20}[\d!#$%^&*]\S{0,20}){0,2})"
_IS = r"[:=]|->|\bis\b\s{0,3}:?|\bwas\b|\bto be\b|\best\b|\bist\b|\bes\b"
_STRONG = rf"(?i)(\b{_SECRET_WORD}(?:\s{{1,4}}[\w'\-]{{1,20}}){{0,3}}?\s{{0,4}}(?:{_IS}))(\s{{0,4}}){_VALUE}"
_WEAK = rf"(?i)(\b{_SECRET_WORD}(?:\s{{1,4}}(?:to|as|of|with|from|and|or|then|like))?)(\s{{1,4}}){_VALUE}"
_REMOTE = (
    r"(?i)\b((?:team ?viewer|any ?desk|rust ?desk|splashtop|quick ?assist|screen ?connect|remote|session|partner|"
    r"support|desk|my|your|the)\s{1,3}(?:session\s{1,3}|remote\s{1,3})?(?:id|code|address|number)\s{0,3}(?:\bis\b|[:=#])?\s{0,3})"
    r"(\d{3}(?:[ \-]?\d{2,4}){1,4}|[A-Za-z]{0,3}\d[A-Za-z0-9\-]{4,40})\b"
)
_MAIL = r"[\pL\pN._%+'\-]+\s?@\s?[\pL\pN\-]+(?:\.[\pL\pN\-]+)+"
_DIGITS = r"(?:[+(]\(?|\b)\d(?:[ .()/\-]{0,3}\d){6,}"
_PLAIN_NUMBER = r"\d{4,6}\.\d{1,6}|\d{1,3}(?:\.\d{1,3}){3}|\d{1,4}(?:\.\d{1,6}){3}|\d{4}-\d\d-\d\d(?: \d\d?)?"

# What follows "password is" without being one: "my password is not accepted", "the pin is wrong".
_NOT_A_SECRET_TEXT = """
    a about accepted again all already also always and as asked asking at back because been being blank blocked
    broken but cannot changed correct denied different disabled due enabled expired expiring failed failing fine
    for forgotten from getting gone going good hard has have having i if in incorrect invalid it its just keep
    keeps known locked lost missing my never new no not now of ok okay old on only or our out outdated please
    prompt prompted promptly rejected required requested reset resetting right rejecting saved set short should
    so still stored stuck suddenly that the their then there they this to too unknown valid very we weak what
    when where which why will with working wrong you your
"""
_NOT_A_SECRET = frozenset(_NOT_A_SECRET_TEXT.split())
_INVISIBLE = dict.fromkeys(
    (0xAD, 0x180E, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
)
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")  # one character: there is nothing to go back for

Rule = tuple[Any, Callable[[Any], str] | str]


def _strong(found: Any) -> str:
    value = found.group(3)
    word = value.strip("\"'.,;:!?()").casefold()
    if value.startswith("[") or word in _NOT_A_SECRET or word.endswith("n't") or not word:
        return str(found.group())
    return f"{found.group(1)}{found.group(2)}{SECRET}"


def _weak(found: Any) -> str:
    """Without "is" or ":" only what looks like a secret is taken for one: four characters with a digit or sign."""
    value = found.group(3).strip("\"'").rstrip(".,;:!?)")
    if value.startswith("[") or len(value) < 4 or value.replace("-", "").replace("'", "").replace("/", "").isalpha():
        return str(found.group())
    return f"{found.group(1)}{found.group(2)}{SECRET}"


def _luhn(digits: str) -> bool:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _number(found: Any) -> str:
    """Seven digits or more: a card when the check sum holds somewhere in them, else a phone or another number."""
    text = found.group()
    digits = "".join(character for character in text if character.isdigit())
    if _IS_PLAIN.fullmatch(text):
        return str(text)
    if len(digits) < 13:
        return PHONE
    if len(digits) > 19 and len(digits) == len(text):
        return NUMBER
    return CARD if any(_luhn(window) for window in _windows(digits[:60])) else NUMBER


def _card(found: Any) -> str:
    """Only a card goes; a phone number stays."""
    return CARD if _number(found) == CARD else str(found.group())


def _windows(digits: str) -> Iterator[str]:
    """Every run of as many digits as a card has."""
    for size in range(13, 20):
        for start in range(len(digits) - size + 1):
            yield digits[start : start + size]


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


_IS_PLAIN = _compiled(_PLAIN_NUMBER)
_RULES: tuple[Rule, ...] = (
    (_compiled("|".join(_KEYS)), SECRET),
    (_compiled(_BEARER), rf"\1{SECRET}"),
    (_compiled(_URL_LOGIN), rf"\1{SECRET}\2"),
    (_compiled(_STRONG), _strong),
    (_compiled(_WEAK), _weak),
    (_compiled(_MAIL), E_MAIL),
    (_compiled(_REMOTE), rf"\1{REMOTE}"),
    (_compiled(_DIGITS), _number),
)
_SECRET_RULES: tuple[Rule, ...] = (*(rule for rule in _RULES[:-1] if rule[1] != E_MAIL), (_RULES[-1][0], _card))


def plain(text: str) -> str:
    """NFKC, ASCII digits, without invisible characters and lone surrogates: what is masked is what is seen."""
    normal = unicodedata.normalize("NFKC", text.encode("utf-8", "replace").decode("utf-8")).translate(_INVISIBLE)
    if normal.isascii() or not _OTHER_DIGIT.search(normal):
        return normal
    return "".join(str(unicodedata.decimal(c)) if not c.isascii() and c.isdecimal() else c for c in normal)


def _set_of(pattern: str) -> Any:
    """A set of one pattern: it tells whether it is found anywhere in a third of the time a search takes."""
    options = re2.Options()
    options.log_errors = False
    made = re2.Set.SearchSet(options)
    made.Add(pattern)
    made.Compile()
    return made


# No rule finds anything in a text without one of these. The short rules stand here themselves, the long ones
# by how they begin; addresses and logins in a URL have an @.
_SECRET_BEGINS = rf"\b{_SECRET_WORD}(?:[\s:=]|->)"
_SUSPICIOUS = _set_of(
    "(?i)" + "|".join(("@", "-----BEGIN", *_KEYS[1:], r"\bbearer\s", _SECRET_BEGINS, _REMOTE, _DIGITS))
)


def mask(text: str) -> str:
    """The text with e-mail addresses, phone and card numbers, passwords, keys and remote-session ids replaced."""
    seen, is_suspicious = _looked_at(text)
    return _masked(seen, _RULES) if is_suspicious else seen


def mask_secrets(text: str) -> str:
    """The text without card numbers, passwords, keys and remote-session ids; the rest, and its spelling, stays."""
    seen, is_suspicious = _looked_at(text)
    if not is_suspicious:
        return text
    masked = _masked(seen, _SECRET_RULES)
    return text if masked == seen else masked


@lru_cache(maxsize=64)
def _looked_at(text: str) -> tuple[str, bool]:
    """The text as it is seen, and whether a rule may find anything in it: a look that costs a twentieth of the rules.

    A turn asks for the same text several times: for its record, its history and its log line.
    """
    seen = text if text.isascii() else plain(text)
    return seen, bool(_SUSPICIOUS.Match(seen))


def mask_thoroughly(text: str) -> str:
    """What ``mask`` gives, by all rules."""
    return _masked(plain(text), _RULES)


def _masked(seen: str, rules: tuple[Rule, ...]) -> str:
    for pattern, replacement in rules:
        seen = pattern.sub(replacement, seen)
    return seen
