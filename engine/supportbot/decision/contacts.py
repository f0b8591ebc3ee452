"""Phone numbers and e-mail addresses as answers to a question: checked, and spelled so that they can be used.

Which words of a message may be one is found by entities.py, in every message and in linear time. The libraries here
judge what was found. They are imported by the first answer that needs them: together they take 40 ms and nothing else
of a decision wants them.
"""

from __future__ import annotations

import re

from supportbot.decision.entities import Reading, email, first_value

PHONE_CHARS = 60
LIKELY_DIGITS = 9  # a national number that the library does not know yet; a shorter one lacks its area code
_AT = re.compile(r"\s?[(\[{]at[)\]}]\s?", re.IGNORECASE)
_DOT = re.compile(r"\s?[(\[{]dot[)\]}]\s?|\sdot\s", re.IGNORECASE)
_EXTENSIONS = ("ext", "ext.", "extension", "x", "durchwahl", "poste")


def phone(text: str, reading: Reading, regions: tuple[str, ...]) -> str | None:
    """A phone number in international form where its country is known: ``+442079460123``, perhaps `` ext. 12``.

    ``regions``: countries whose numbers need no code, the likeliest first. Without any, national numbers stay as typed.
    """
    found = first_value("phone", text, reading)
    number = found if isinstance(found, str) else _odd_number(text)
    if number is None:
        return None
    from phonenumbers import (
        NumberParseException,
        PhoneNumberFormat,
        ValidationResult,
        format_number,
        is_possible_number_with_reason,
        is_valid_number,
        parse,
    )

    known = regions or ("",)
    best: str | None = None
    for region in ("",) if number.startswith("+") else known:
        try:
            parsed = parse(number[:PHONE_CHARS], region or None)
        except NumberParseException:
            continue
        reason = is_possible_number_with_reason(parsed)
        local = reason == ValidationResult.IS_POSSIBLE_LOCAL_ONLY and number.startswith("+")
        if reason != ValidationResult.IS_POSSIBLE and not local:
            continue
        spelled = str(format_number(parsed, PhoneNumberFormat.E164))
        if is_valid_number(parsed):
            return spelled + _extension(text)
        if number.startswith("+") or len(number) >= LIKELY_DIGITS:
            best = best or spelled
    if best is None and not regions and not number.startswith("+"):
        best = number
    return best + _extension(text) if best is not None else None


def _odd_number(text: str) -> str | None:
    """A number in groups that entities.py does not join, e.g. 0 20 7946-0123: digits and separators, nothing else."""
    digits = "".join(character for character in text if character.isdecimal() and character.isascii())
    rest = text.translate(str.maketrans("", "", "0123456789 +()-./\u00a0"))
    plain = text.strip()[:PHONE_CHARS]
    return ("+" if plain.startswith("+") else "") + digits if not rest and 7 <= len(digits) <= 15 else None


def _extension(text: str) -> str:
    words = text.lower().replace("ext.", " ext ").split()
    for at, word in enumerate(words[:-1]):
        digits = words[at + 1].strip(".,;:#")
        if word in _EXTENSIONS and digits.isascii() and digits.isdecimal() and len(digits) <= 6:
            return f" ext. {digits}"
    return ""


def address(text: str) -> str | None:
    """An e-mail address that can exist, its domain in lower case."""
    found = next((made for part in _spelled(text).split() if "@" in part and (made := email(part))), None)
    if found is None:
        return None
    from email_validator import EmailNotValidError, validate_email

    try:
        return str(validate_email(found, check_deliverability=False).normalized)
    except EmailNotValidError:
        return None


def _spelled(text: str) -> str:
    """jane at example dot com, jane(at)example.com -> jane@example.com; only where no address is written out."""
    if "@" not in text and _AT.search(text):
        return _DOT.sub(".", _AT.sub("@", text, 1))
    words = text.split()
    lower = [word.lower().strip("()[]") for word in words]
    if "@" in text or "at" not in lower or "dot" not in lower:
        return text
    at = lower.index("at")
    if at == 0 or "dot" not in lower[at:]:
        return text
    end = max(place for place, word in enumerate(lower) if word == "dot") + 2
    domain = "".join("." if word == "dot" else word for word in lower[at + 1 : end])
    return " ".join([*words[: at - 1], f"{words[at - 1]}@{domain}", *words[end:]])
