"""What RE2 says about a regular expression, as people would, with the place inside it."""

from __future__ import annotations

import re

_HINT = "a phrase often says the same: (a|b) is one of two, [x] may be missing, word* is a beginning"
_WORDS: tuple[tuple[str, str, str], ...] = (
    ("missing ): ", "a ( is never closed", "close it with ), or write \\( when the sign itself is meant"),
    ("unexpected ): ", "a ) closes nothing", "remove it, or write \\) when the sign itself is meant"),
    ("missing ]: ", "a [ is never closed", "close it with ], or write \\[ when the sign itself is meant"),
    (
        "no argument for repetition operator: ",
        "nothing stands before {0} that could be repeated",
        "write what is repeated before it, or \\{0} when the sign itself is meant",
    ),
    ("bad repetition operator: ", "{0} repeats what is repeated already", "keep one of the signs"),
    (
        "invalid repetition size: ",
        "{0} repeats too often or from more to less",
        "write the smaller number first, at most 1000",
    ),
    ("invalid escape sequence: ", "{0} means nothing", "for the sign itself leave the backslash out"),
    ("trailing \\", "it ends with a backslash", "remove it, or write \\\\ when the sign itself is meant"),
    (
        "invalid character class range: ",
        "the range {0} runs backwards or means nothing",
        "write the earlier letter first; put a - that is meant as such at the end: [a-z-]",
    ),
    ("invalid character class: ", "{0} is no class of characters", "write \\d for digits, \\w for letters and digits"),
    (
        "invalid named capture group: ",
        "the name of the group in {0} is not possible",
        "write (?P<name>...) with letters and digits",
    ),
    (
        "duplicate capture group name: ",
        "two groups have the name {0}",
        "give one of them another name",
    ),
)


def explain_regex(source: str, message: str) -> tuple[tuple[int, int] | None, str, str]:
    """Offset and length of the mistake (None: anywhere), what is wrong, and how to mend it."""
    reference = re.match(r"invalid escape sequence: (\\[1-9])", message)
    if reference:
        return _find(source, reference[1]), "a reference back to a group is not possible here", _HINT
    for start, what, hint in _WORDS:
        if message.startswith(start):
            part = message[len(start) :]
            spot = _bracket(source, start) if start.startswith(("missing", "unexpected")) else _find(source, part)
            return spot, what.format(part), hint.format(part)
    if message.startswith("invalid perl operator: "):
        part = message.removeprefix("invalid perl operator: ")
        what = "look-around" if part.startswith(("(?=", "(?!", "(?<")) else f"'{part}'"
        return _find(source, part), f"{what} is not possible here, because it can take forever", _HINT
    return None, message, _HINT


def _find(source: str, part: str) -> tuple[int, int] | None:
    at = source.find(part) if part else -1
    return (at, len(part)) if at >= 0 else None


def _bracket(source: str, start: str) -> tuple[int, int] | None:
    """The bracket without a partner, leaving out escaped ones and those inside [...]."""
    opened: list[int] = []
    inside = -1
    for match in re.finditer(r"\\\\.|[()\[\]]", source, re.DOTALL):
        sign, at = match[0], match.start()
        if inside >= 0:
            inside = -1 if sign == "]" and at > inside + 1 else inside
        elif sign == "[":
            inside = at
        elif sign == "(":
            opened.append(at)
        elif sign == ")" and opened:
            opened.pop()
        elif sign == ")":
            return (at, 1)
    if start.startswith("missing ]"):
        return (inside, 1) if inside >= 0 else None
    return (opened[-1], 1) if opened else None
