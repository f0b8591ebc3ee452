"""A model's answer made fit for a visitor's screen: it is untrusted text like any other."""

from __future__ import annotations

import unicodedata

_KEPT = "\n\t\u200c\u200d"  # the joiners belong to Persian, Hindi and emoji
_DROPPED = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))


def clean(text: str, max_chars: int) -> str:
    """Without control, bidirectional and tag characters or lone surrogates, at most ``max_chars`` long."""
    head = text[: max_chars * 2].replace("\r\n", "\n")
    visible = "".join(c for c in head if c in _KEPT or unicodedata.category(c) not in _DROPPED).strip(
        " \n\t\u200c\u200d"
    )
    if len(visible) <= max_chars:
        return visible
    cut = visible[: max_chars - 1]
    at_word = cut.rsplit(None, 1)[0] if any(c.isspace() for c in cut[-80:]) else cut
    return at_word.rstrip() + "…"
