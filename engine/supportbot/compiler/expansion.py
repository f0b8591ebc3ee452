"""How long the wordings of a list are when lists stand in lists: they double with each level, and nobody says that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from supportbot.compiler.patterns import Element, Group, ListName

MAX_WORDS = 100  # of one wording
MAX_LEVELS = 20  # of lists in lists

Phrases = Sequence[tuple[Element, ...]]
Size = tuple[int, int]  # words of the longest wording, levels of lists in it

_ONE: Size = (1, 0)


def too_far(lists: Mapping[str, Phrases]) -> tuple[dict[str, Size], dict[str, str]]:
    """Sizes of the lists, and for each list that grows too far, why.

    What uses a list that grows too far is not blamed once more. Lists in a circle have no size.
    """
    sizes: dict[str, Size] = {}
    reasons: dict[str, str] = {}
    affected: set[str] = set()
    for name in _inner_first(lists):
        whole = [size_of(phrase, sizes) for phrase in lists[name]]
        size = (max((words for words, _ in whole), default=1), 1 + max((levels for _, levels in whole), default=0))
        reason = why_too_far(size)
        sizes[name] = _ONE if reason else size
        if any(not affected.isdisjoint(_names(phrase)) for phrase in lists[name]):
            affected.add(name)
            sizes[name] = _ONE
        elif reason:
            affected.add(name)
            reasons[name] = reason
    return sizes, reasons


def size_of(phrase: Sequence[Element], sizes: Mapping[str, Size]) -> Size:
    words = levels = 0
    for element in phrase:
        more = _ONE
        if isinstance(element, ListName):
            more = sizes.get(element.name, _ONE)
        elif isinstance(element, Group):
            ways = [size_of(way, sizes) for way in element.alternatives]
            more = (max(found for found, _ in ways), max(found for _, found in ways))
        words, levels = words + more[0], max(levels, more[1])
    return words, levels


def why_too_far(size: Size) -> str:
    words, levels = size
    if words > MAX_WORDS:
        return f"with the lists in it, it makes texts of {words} words; at most {MAX_WORDS} are possible"
    return f"lists stand in lists more than {MAX_LEVELS} levels deep" if levels > MAX_LEVELS else ""


def _inner_first(lists: Mapping[str, Phrases]) -> list[str]:
    """Each list behind all that it uses; without those of circles and what uses them."""
    users: dict[str, list[str]] = {}
    waiting: dict[str, int] = {}
    for name, phrases in lists.items():
        used = {item for phrase in phrases for item in _names(phrase) if item in lists}
        waiting[name] = len(used)
        for item in used:
            users.setdefault(item, []).append(name)
    ready = [name for name, number in waiting.items() if not number]
    for name in ready:
        for user in users.get(name, ()):
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    return ready


def _names(phrase: Sequence[Element]) -> set[str]:
    found: set[str] = set()
    for element in phrase:
        if isinstance(element, ListName):
            found.add(element.name)
        elif isinstance(element, Group):
            found.update(name for way in element.alternatives for name in _names(way))
    return found
