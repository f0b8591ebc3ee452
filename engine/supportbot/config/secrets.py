"""Secrets that were written into a file: found by their form, never repeated in a message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from supportbot.config.yaml_place import lines_of
from supportbot.diagnostics import Diagnostic, Place, warning


@dataclass(frozen=True, slots=True)
class _Form:
    what: str
    hint: str  # a part of every such secret: lines without it are not searched
    form: re.Pattern[str]


# Used on the bot's own files only, never on a visitor's text. Each has a length that ordinary words do not reach.
_FORMS = (
    _Form("an API key", "sk-", re.compile(r"\bsk-[A-Za-z0-9_-]{20,}")),
    _Form("a Zoho token", "1000.", re.compile(r"\b1000\.[0-9a-f]{16,}\.[0-9a-f]{16,}", re.IGNORECASE)),
    _Form("an AWS access key", "AKIA", re.compile(r"\bAKIA[0-9A-Z]{16}\b")),
    _Form("a GitHub token", "gh", re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}")),
    _Form("a Slack token", "xox", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}")),
    _Form("a Google API key", "AIza", re.compile(r"\bAIza[0-9A-Za-z_-]{30,}")),
    _Form("a password in an address", "://", re.compile(r"(?<=://)[^\s/:@'\"{}$]+:[^\s/@'\"{}$]+(?=@)")),
    _Form("a private key", "PRIVATE KEY", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    _Form("a signed token", "eyJ", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")),
)
_HINT = "put it into the environment, write ${NAME} here, and have it replaced: whoever could read the file knows it"


def inline_secrets(source: str, file: str) -> Iterator[Diagnostic]:
    """A finding for each secret in a text; comments count, because they are read and shared as well."""
    forms = [form for form in _FORMS if form.hint in source]
    if not forms:
        return
    for number, line in enumerate(lines_of(source), start=1):
        for form in forms:
            for match in form.form.finditer(line):
                place = Place(file, number, match.start() + 1, number, match.end() + 1)
                yield warning(
                    "inline-secret", place, f"this looks like {form.what}; a bot's files hold no secrets", _HINT
                )
