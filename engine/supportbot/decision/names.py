"""The name in an answer to "what is your name?": a few words, and nothing of a wish or a story."""

from __future__ import annotations

MOST_WORDS = 6  # of a name: "Maria del Carmen Garcia y Lopez"
_LEADING = frozenset(
    ("actually", "just", "really", "me", "hi", "hello", "hey", "sure", "ok", "okay", "well", "yes", "oh", "for")
)
_TRAILING = frozenset(("please", "thanks", "here", "actually", "again", "sir"))
_JOINING = frozenset(("and", "but", "because", "or", "so", "with", "from"))
_NEVER = frozenset(
    (
        *("a", "the", "i", "my", "it", "its", "is", "are", "was", "not", "do", "does", "did", "to", "you", "your"),
        *("want", "need", "have", "has", "would", "could", "should", "please", "instead", "ticket", "help", "urgent"),
        *("open", "opened", "cannot", "can't", "don't", "doesn't", "won't", "what", "how", "why", "this", "that"),
        *("number", "phone", "email", "broken", "working", "works", "problem", "issue", "error", "asap", "nobody"),
        *("callback", "chat", "bot", "useless", "ridiculous", "stupid", "annoying", "rubbish", "nonsense", "wrong"),
        *("whatever", "nothing"),
    )
)
_EDGES = ".,;:!?\"'()"


def name_in(text: str) -> str | None:
    """``Jane`` of "Jane and it is urgent", "Jane, all right?" and "actually Jane"; None where no name is left."""
    words = text.split()
    while words and _bare(words[0]) in _LEADING and len(words) > 1:
        words = words[1:]
    words = _first_part(words)
    while len(words) > 1 and _bare(words[-1]) in _TRAILING:
        words = words[:-1]
    name = " ".join(words).strip(" .,;:!?")
    if all(_bare(word) in _LEADING | _JOINING for word in words):
        return None
    sane = 0 < len(words) <= MOST_WORDS and any(map(str.isalpha, name))
    return name if sane and not any(_bare(word) in _NEVER for word in words) else None


def _first_part(words: list[str]) -> list[str]:
    """The words before a "not", an "and" or a comma with which something else begins; "Roe, Jane" is one name."""
    for at in range(1, len(words)):
        rest = words[at:]
        if _bare(words[at]) == "not":
            return words[:at]
        if _bare(words[at]) in _JOINING and any(_bare(word) in _NEVER for word in rest):
            return words[:at]
        if words[at - 1][-1:] in ".!?" and any(_bare(word) in _NEVER for word in rest):
            return words[:at]
        named = len(rest) <= 2 and all(word[:1].isupper() for word in rest)
        if words[at - 1][-1:] in ",;:-" and not named:
            return words[:at]
    return words


def _bare(word: str) -> str:
    return word.strip(_EDGES).lower().replace("\u2019", "'")
