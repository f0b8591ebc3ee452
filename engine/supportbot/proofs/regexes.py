"""Regexes that can never match, that repeat in vain, or that a phrase would say better."""

from __future__ import annotations

from collections.abc import Iterator

from supportbot.diagnostics import Diagnostic, warning
from supportbot.model.index import Pattern
from supportbot.model.text import folded
from supportbot.proofs.ground import Ground
from supportbot.proofs.regex_tree import Item, Ways, parse


def find_odd_regexes(ground: Ground) -> list[Diagnostic]:
    """Findings about single regexes; of each the first that is wrong."""
    regexes = (pattern for pattern in ground.bot.index.patterns if pattern.regex)
    first = (next(findings_of(pattern), None) for pattern in regexes)
    return [finding for finding in first if finding is not None]


def findings_of(pattern: Pattern) -> Iterator[Diagnostic]:
    """All that is odd about one regex; nothing when it has parts that are not known here."""
    ways = parse(pattern.source)
    return _findings(pattern, ways) if ways is not None else iter(())


def _findings(pattern: Pattern, ways: Ways) -> Iterator[Diagnostic]:
    yield from _letters(pattern, ways)
    if all(_cannot_hold(way) for way in ways):
        item = next(item for item in (_cannot_hold(way) for way in ways) if item is not None)
        what = "begins" if item.kind == "start" else "ends"
        yield warning(
            "regex-never-matches",
            pattern.place,
            f"the regex '{pattern.source}' can never match: its '{item.text}' stands where the message never {what}",
            f"remove the '{item.text}', or put \\ before it if the sign itself is meant",
        )
    yield from _repeats(pattern, ways)
    phrase = _as_phrase(ways)
    if phrase:
        yield warning(
            "regex-for-phrase",
            pattern.place,
            f"the regex '{pattern.source}' looks for whole words, which a phrase does, with typing mistakes allowed",
            f'write the phrase: "{phrase}"',
        )


def _letters(pattern: Pattern, ways: Ways) -> Iterator[Diagnostic]:
    """A letter that no message holds, because messages are folded before they are searched."""
    for way in ways:
        for item in way:
            if item.kind == "letter" and item.least and folded(item.text) != item.text.lower():
                yield warning(
                    "regex-never-matches",
                    pattern.place,
                    f"in the regex '{pattern.source}' the letter '{item.text}' is never found: "
                    f"messages are read with '{folded(item.text)}' in its place",
                    f"write '{folded(item.text)}' instead of '{item.text}'",
                )


def _cannot_hold(way: tuple[Item, ...]) -> Item | None:
    """A ``^`` behind something, or a ``$`` before something, in the one row of an alternative."""
    for at, item in enumerate(way):
        if item.kind == "start" and item.least and any(map(_takes, way[:at])):
            return item
        if item.kind == "end" and item.least and any(map(_takes, way[at + 1 :])):
            return item
    return None


def _takes(item: Item) -> bool:
    """Whether an item takes at least one character whenever it matches."""
    if not item.least or item.kind in ("start", "end", "edge"):
        return False
    if item.kind == "group":
        return all(any(map(_takes, way)) for way in item.ways)
    return True


def _repeats(pattern: Pattern, ways: Ways) -> Iterator[Diagnostic]:
    for way in ways:
        for item in way:
            inner = item.ways[0][0] if len(item.ways) == 1 and len(item.ways[0]) == 1 else None
            if inner is not None and item.most is None and inner.most is None and not item.named:
                yield warning(
                    "regex-repeats-twice",
                    pattern.place,
                    f"in the regex '{pattern.source}' the part '{item.text}' repeats what repeats already",
                    "one repetition does the same: remove the outer one",
                )
            yield from _repeats(pattern, item.ways)


def _as_phrase(ways: Ways) -> str:
    r"""The phrase that says the same as ``\bword word\b`` or ``\b(one|two)\b``; empty when none does."""
    if len(ways) != 1 or len(ways[0]) < 3:
        return ""
    first, *middle, last = ways[0]
    if first.text != "\\b" or last.text != "\\b":
        return ""
    phrase = _words(tuple(middle))
    return phrase if phrase and phrase[0] != " " and phrase[-1] != " " else ""


def _words(items: tuple[Item, ...]) -> str:
    """Letters and spaces as they are, groups of such as alternatives; empty when there is anything else."""
    parts = []
    for at, item in enumerate(items):
        if item.kind == "letter" and (item.text.isalnum() or item.text == " ") and (item.least, item.most) == (1, 1):
            parts.append(item.text)
        elif item.text == "\\s" and item.least == 1:
            parts.append(" ")
        elif item.kind == "group" and not item.named and (item.least, item.most) == (1, 1):
            inner = [_words(way) for way in item.ways]
            alone = (at == 0 or parts[-1:] == [" "]) and (at + 1 == len(items) or items[at + 1].text in (" ", "\\s"))
            if not alone or not all(inner):
                return ""
            parts.append(f"({'|'.join(inner)})")
        else:
            return ""
    return "".join(parts)
