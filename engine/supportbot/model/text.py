"""The normal form of text: what messages and phrases are compared in.

Two texts that a person would call the same words have the same tokens, however they are typed:
case, accents, apostrophes, full-width or look-alike letters, invisible characters, contractions.
The form is a fixed point: the tokens of joined tokens are those tokens.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

MAX_TOKENS = 16_000  # of a text; one character of some scripts unfolds into eighteen

# Apostrophes and what people type instead of them. They vanish, after contractions were opened.
_APOSTROPHES = "'\u2019\u2018\u02bc\u02b9`\u2032\u201b\uff07"

# Letters of other scripts that look like Latin ones (Unicode TR39 confusables, the frequent part).
# Letters with a stroke have no decomposition of their own: they are unfolded here.
_LOOK_ALIKES: dict[str, str] = {
    like: latin
    for likes, latins in (
        ("\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455", "aeopcyxijs"),  # Cyrillic
        ("\u04bb\u0501\u051b\u051d\u0432\u043d\u043a\u043c\u0442\u0433", "hdqwbhkmtr"),
        ("\u03b1\u03b5\u03bf\u03c1\u03c5\u03b9\u03bd\u03ba\u03c4", "aeopuivkt"),  # Greek
        ("\u0585\u0578\u057d\u0566\u0570\u056f", "onuqhk"),  # Armenian
        ("\u0131\u0251\u0261\u026a\u0142\u00f8\u0111\u0127\u0167\u0269", "iagilodhti"),  # Latin
        ("\u1d00\u0299\u1d04\u1d05\u1d07\ua730\u0262\u029c\u1d0a\u1d0b\u029f\u1d0d", "abcdefghjklm"),  # small capitals
        ("\u0274\u1d0f\u1d18\u0280\ua731\u1d1b\u1d1c\u1d20\u1d21\u028f\u1d22", "noprstuvwyz"),
        ("\u04cf\u03b7", "in"),  # palochka, eta
    )
    for like, latin in zip(likes, latins, strict=True)
}
# White letters on black disks and squares, which have no compatibility form.
_LOOK_ALIKES |= {chr(first + at): chr(ord("a") + at) for first in (0x1F150, 0x1F170) for at in range(26)}
# Letters in parentheses would come apart.
_IN_PARENTHESES = {first + at: chr(ord("a") + at) for first in (0x249C, 0x1F110) for at in range(26)}
_FILLERS = "\u115f\u1160"  # letters that nobody sees
_BLANK = "\u2800"  # a Braille pattern without dots

# One typed word -> the words it stands for. Spellings without the apostrophe count as well.
_NEGATED = [
    "do",
    "does",
    "did",
    "is",
    "are",
    "was",
    "were",
    "have",
    "has",
    "had",
    "could",
    "would",
    "should",
    "must",
    "need",
    "might",
]  # + n't
_OPENED: dict[str, tuple[str, ...]] = {f"{verb}nt": (verb, "not") for verb in _NEGATED} | {
    "cant": ("can", "not"),
    "cannot": ("can", "not"),
    "cannt": ("can", "not"),
    "wont": ("will", "not"),
    "shant": ("shall", "not"),
    "donot": ("do", "not"),
    "doesnot": ("does", "not"),
    "didnot": ("did", "not"),
    "isnot": ("is", "not"),
    "wasent": ("was", "not"),
    "isent": ("is", "not"),
    "havnt": ("have", "not"),
    "hasent": ("has", "not"),
    "didint": ("did", "not"),
    "aint": ("is", "not"),
    "dosent": ("does", "not"),
    "dosnt": ("does", "not"),
    "doesn": ("does", "not"),
    "dident": ("did", "not"),
    "im": ("i", "am"),
    "ive": ("i", "have"),
    "its": ("it", "is"),
    "thats": ("that", "is"),
    "whats": ("what", "is"),
    "wheres": ("where", "is"),
    "heres": ("here", "is"),
    "theres": ("there", "is"),
    "youre": ("you", "are"),
    "theyre": ("they", "are"),
    "youve": ("you", "have"),
    "weve": ("we", "have"),
    "gonna": ("going", "to"),
    "wanna": ("want", "to"),
    "gotta": ("got", "to"),
    "pls": ("please",),
    "plz": ("please",),
}
# Only with the apostrophe: without it they are other words (ill, well, hell, shed, were, id).
_OPENED_APOSTROPHE: dict[str, tuple[str, ...]] = {
    "i'll": ("i", "will"),
    "we'll": ("we", "will"),
    "he'll": ("he", "will"),
    "she'll": ("she", "will"),
    "we're": ("we", "are"),
    "i'd": ("i", "would"),
    "we'd": ("we", "would"),
    "let's": ("let", "us"),
}
_JOINED = {("e", "mail"): "email", ("e", "mails"): "emails", ("wi", "fi"): "wifi"}
JOINABLE = frozenset(first for first, _ in _JOINED)
_SPECIAL = JOINABLE.union(_OPENED)  # words that may not stay as they are

NEGATIONS = frozenset(
    [
        "not",
        "no",
        "never",
        "nor",
        "none",
        "nothing",
        "nobody",
        "nowhere",
        "neither",
        "without",
        "cannot",
        "hardly",
        "barely",
        "nope",
        "nah",
        "non",
        "un",
        "unable",
    ]
)

# One character for one, which str.translate does in a tenth of the time of anything else.
_ASCII_TABLE = {code: chr(code) if chr(code).isalnum() or chr(code) in "'?" else " " for code in range(128)}
_ASCII_TABLE |= {code: chr(code).lower() for code in range(ord("A"), ord("Z") + 1)}
_ASCII_TABLE[ord("`")] = "'"
_ASCII_TABLE |= {code: " " if chr(code).isspace() else None for code in (*range(32), 127)}
# The same for bytes, which takes half of that again.
_DROPPED = bytes([code for code, kept in _ASCII_TABLE.items() if kept is None])
_BYTE_TABLE = bytes([ord(_ASCII_TABLE.get(code) or " ") for code in range(256)])


def tokens(text: str) -> tuple[str, ...]:
    """The words of a text in normal form. Total, and idempotent over ``" ".join(tokens)``."""
    if text.isascii():
        text = text.encode().translate(_BYTE_TABLE, _DROPPED).decode()
    else:
        text = _latin(text).translate(_ASCII_TABLE)
    asked = text.count("?")
    if asked:
        text = text.replace("?", " ? ")
    words = text.split()
    once = not asked or (asked == 1 and words[0] != "?")
    if once and "'" not in text and _SPECIAL.isdisjoint(words):  # most texts, for half the cost
        return tuple(words)[:MAX_TOKENS]
    found: list[str] = []
    for word in words:
        if word == "?":
            if found and found[-1] != "?":
                found.append(word)
            continue
        opened = _open(word) if "'" in word or word in _OPENED else None
        if opened is None:
            found.append(word)
        else:
            found.extend(opened)
    if not JOINABLE.isdisjoint(found):
        found = _join(found)
    return tuple(found[:MAX_TOKENS])


def folded(text: str) -> str:
    """The text that regex patterns search: compatibility form, case folded, punctuation kept.

    Halves of surrogate pairs, which the regex engine cannot read, become question marks.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text).casefold().encode("utf-8", "replace").decode("utf-8")


def _open(word: str) -> tuple[str, ...]:
    word = word.strip("'")  # 'quoted'
    bare = word.replace("'", "")
    if word in _OPENED_APOSTROPHE:
        return _OPENED_APOSTROPHE[word]
    if bare in _OPENED:
        return _OPENED[bare]
    if word.endswith("'s"):
        # "printer's offline" and "the user's password" are both better read without the s.
        stem = word[:-2].replace("'", "")
        return _OPENED.get(stem, (stem,)) if stem else ()
    if word.endswith("'ve"):
        return (*_plain(word[:-3]), "have")
    if word.endswith("'re"):
        return (*_plain(word[:-3]), "are")
    return (bare,) if bare else ()


def _plain(part: str) -> tuple[str, ...]:
    bare = part.replace("'", "")
    return _OPENED.get(bare, (bare,)) if bare else ()


def _join(words: list[str]) -> list[str]:
    joined: list[str] = []
    for word in words:
        pair = (joined[-1], word) if joined else None
        if pair in _JOINED:
            joined[-1] = _JOINED[pair]
        else:
            joined.append(word)
    return joined


def _latin(text: str) -> str:
    """Fold a text with characters beyond ASCII; letters of other alphabets survive as they are."""
    text = text.replace("\u00b4", "'").translate(_IN_PARENTHESES)  # else a space and an accent
    text = unicodedata.normalize("NFKD", text).casefold()
    text = unicodedata.normalize("NFKD", text)
    return "".join(map(_fold_character, text))


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    if character in _LOOK_ALIKES:
        return _LOOK_ALIKES[character]
    if character.isascii():
        return character
    if character in _APOSTROPHES:
        return "'"
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf", "Cc", "Cs", "Co", "Cn") or character in _FILLERS:
        return " " if character in "\u0085\u2028\u2029" else ""
    if category == "So" and character != _BLANK:
        return f" {character} "
    if category == "Mc":  # a mark that takes part in reordering would not come out the same twice
        return "" if unicodedata.combining(character) else character
    return character if category[0] in "LN" else " "
