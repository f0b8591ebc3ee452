"""Small typing mistakes: which known word an unknown one stands for."""

from __future__ import annotations

from supportbot.model.index import Index
from supportbot.model.text import NEGATIONS

MIN_TYPED = 4  # letters of the word as typed


def correct(index: Index, word: str) -> str | None:
    """The one known word that differs by one letter and begins alike; None when there is none, or several."""
    if len(word) < MIN_TYPED or not word.isalpha() or word in NEGATIONS or word in index.ignored:
        return None
    found = _near(index, word)
    if len(found) > 1:
        alike = [near for near in found if near[-1] == word[-1] and len(near) >= len(word)]
        found = alike or found
    return found[0] if len(found) == 1 else None


def _near(index: Index, word: str) -> list[str]:
    deletions, vocabulary = index.deletions, index.vocabulary
    near: dict[str, None] = dict.fromkeys(deletions.get(word, ()))  # a letter was left out
    for at in range(1, len(word)):
        shorter = word[:at] + word[at + 1 :]
        if shorter in vocabulary and _may_be(index, shorter):  # a letter was added
            near[shorter] = None
        for candidate in deletions.get(shorter, ()):
            if len(candidate) == len(word) and _one_apart(candidate, word):
                near[candidate] = None
    return list(near)


def _may_be(index: Index, word: str) -> bool:
    """Whether a vocabulary word takes part in typing mistakes at all: its own deletions are listed."""
    return word in index.deletions.get(word[0] + word[2:], ())


def _one_apart(left: str, right: str) -> bool:
    """Equal lengths: one letter changed, or two neighbours swapped."""
    apart = [at for at in range(len(left)) if left[at] != right[at]]
    if len(apart) == 1:
        return True
    if len(apart) != 2 or apart[1] != apart[0] + 1:
        return False
    first, second = apart
    return left[first] == right[second] and left[second] == right[first]
