"""The phrase language: text -> a small tree, with the place of every mistake.

printer (is|shows) [still] offline     <cannot> print*     my name is {name:text}     call * back
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from supportbot.model.text import tokens

CAPTURE_TYPES = ("text", "number", "email", "phone", "date", "time")
MAX_DEPTH = 8
_SPECIAL = "()[]|<>{}*?"
_MARKS = frozenset(_SPECIAL)
_PLAIN = re.compile(r"[^()\[\]|<>{}*?]+")  # used on the bot's own phrases only


@dataclass(frozen=True, slots=True)
class Word:
    text: str  # one token of the normal form


@dataclass(frozen=True, slots=True)
class Beginning:
    text: str


@dataclass(frozen=True, slots=True)
class Gap:
    pass


@dataclass(frozen=True, slots=True)
class ListName:
    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Capture:
    slot: str
    type: str


@dataclass(frozen=True, slots=True)
class Group:
    alternatives: tuple[tuple[Element, ...], ...]
    optional: bool


Element = Word | Beginning | Gap | ListName | Capture | Group


class PhraseError(Exception):
    """A mistake in a phrase: ``offset`` and ``length`` count characters of its text."""

    def __init__(self, offset: int, length: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.offset, self.length, self.message, self.hint = offset, length, message, hint


def parse_phrase(text: str) -> tuple[Element, ...]:
    """Parse a phrase; raises PhraseError at the first mistake."""
    if _MARKS.isdisjoint(text):  # most phrases are words and nothing else
        return tuple(Word(word) for word in tokens(text))
    parser = _Parser(text)
    elements = parser.sequence()
    if parser.at < len(text):
        found = text[parser.at]
        opener = {")": "(", "]": "[", ">": "<", "}": "{"}.get(found)
        if opener:
            raise PhraseError(parser.at, 1, f"'{found}' closes nothing", f"write '{opener}' before it, or remove it")
        raise PhraseError(
            parser.at, 1, "'|' stands outside a group", "put the alternatives in round brackets: (one|other)"
        )
    return elements


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def sequence(self) -> tuple[Element, ...]:
        """Elements up to a closing bracket, a bar or the end."""
        found: list[Element] = []
        run: list[str] = []  # plain text, normalised as a whole so that "e mail" is one word

        def flush() -> None:
            if run:
                found.extend(Word(word) for word in tokens("".join(run)))
                run.clear()

        while self.at < len(self.text):
            character = self.text[self.at]
            if character in ")]}>|":
                break
            if character == "*" and run and not run[-1][-1].isspace():
                found.extend(self._beginning(run))
                continue
            if character not in _SPECIAL:
                run.append(_PLAIN.match(self.text, self.at)[0])  # type: ignore[index]  # it has this character at least
                self.at += len(run[-1])
                continue
            flush()
            element = self._special(character)
            if element != Word("?") or found[-1:] != [element]:  # "??" is one question, in messages too
                found.append(element)
        flush()
        return tuple(found)

    def _beginning(self, run: list[str]) -> list[Element]:
        typed = "".join(run)
        last = typed.split()[-1]
        before = typed[: -len(last)]
        run.clear()
        words = tokens(last)
        if len(words) != 1:
            raise _not_a_beginning(self.at, last, words)
        if len(words[0]) < 2:
            raise PhraseError(self.at - 1, 2, f"'{last}*' would match almost any word", "write at least two letters")
        self.at += 1
        if self.at < len(self.text) and not self.text[self.at].isspace() and self.text[self.at] not in ")]|":
            raise PhraseError(
                self.at - 1,
                1,
                "'*' inside a word",
                "'*' ends a word (print*) or stands alone between spaces for up to three words;"
                " a regular expression is written {regex: '...'}",
            )
        return [*(Word(word) for word in tokens(before)), Beginning(words[0])]

    def _special(self, character: str) -> Element:
        if character == "?":
            self.at += 1
            return Word("?")
        if character == "*":
            self.at += 1
            return Gap()
        if character in "([":
            return self._group(character)
        if character == "<":
            start, name = self._until(">", "a list")
            return ListName(name.strip(), start)
        start, body = self._until("}", "a captured value")
        return self._capture(start, body)

    def _capture(self, start: int, body: str) -> Capture:
        slot, colon, type_ = (part.strip() for part in body.partition(":"))
        if not slot.isidentifier() or not slot.islower():
            raise PhraseError(start, len(body) + 2, f"'{{{body}}}' has no slot name", "write {name:text}")
        type_ = type_ if colon else "text"
        if type_ not in CAPTURE_TYPES:
            raise PhraseError(
                start, len(body) + 2, f"'{type_}' is not a type of value", f"use one of {', '.join(CAPTURE_TYPES)}"
            )
        return Capture(slot, type_)

    def _until(self, closer: str, what: str) -> tuple[int, str]:
        start = self.at
        end = self.text.find(closer, start)
        if end < 0:
            raise PhraseError(start, 1, f"{what} begins here but '{closer}' is missing", f"add '{closer}'")
        self.at = end + 1
        body = self.text[start + 1 : end]
        if not body.strip():
            raise PhraseError(start, 2, f"{what} needs a name", f"write a name between the brackets, before '{closer}'")
        return start, body

    def _group(self, opener: str) -> Group:
        closer = ")" if opener == "(" else "]"
        start = self.at
        self.at += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise PhraseError(
                start, 1, f"brackets nest deeper than {MAX_DEPTH} levels", "name the inner part as a list"
            )
        alternatives: list[tuple[Element, ...]] = []
        while True:
            begin = self.at
            alternative = self.sequence()
            if not alternative:
                raise PhraseError(
                    begin, 1, "an empty alternative", f"write words, or [..] for what may be absent: {self.text!r}"
                )
            alternatives.append(alternative)
            if self.at >= len(self.text):
                raise PhraseError(start, 1, f"'{opener}' is not closed", f"add '{closer}'")
            end = self.text[self.at]
            if end not in ("|", closer):
                raise PhraseError(
                    self.at, 1, f"'{end}' where '{closer}' was expected", f"the bracket opened with '{opener}'"
                )
            self.at += 1
            if end == closer:
                self.depth -= 1
                return Group(tuple(alternatives), opener == "[")


def _not_a_beginning(at: int, last: str, words: Sequence[str]) -> PhraseError:
    if len(words) > 1 and last.isalnum():  # its, cant, im: read as two words
        read = " ".join(words)
        message = f"'{last}' is read as the words '{read}', so '*' cannot follow it"
        return PhraseError(at, 1, message, "leave the '*' out")
    return PhraseError(at, 1, f"'{last}*' is not one word", "write the beginning of one word before '*'")


def walk(elements: Sequence[Element]) -> list[Element]:
    """All elements, also those inside groups."""
    found: list[Element] = []
    for element in elements:
        found.append(element)
        if isinstance(element, Group):
            for alternative in element.alternatives:
                found.extend(walk(alternative))
    return found


def fits_anything(elements: Sequence[Element]) -> bool:
    """Whether no word at all is needed: only gaps, free texts and optional parts, or nothing."""
    ways = _needs(elements)
    return not any(needs_word for needs_word, _ in ways) or (False, True) in ways


def _needs(elements: Sequence[Element]) -> set[tuple[bool, bool]]:
    """The ways to say a phrase, as (something must be found, a free text is taken)."""
    ways = {(False, False)}
    for element in elements:
        if isinstance(element, Group):
            more = set().union(*(_needs(alternative) for alternative in element.alternatives))
            more |= {(False, False)} if element.optional else set()
        elif isinstance(element, Gap):
            continue
        else:
            free = isinstance(element, Capture) and element.type == "text"
            more = {(not free, free)}
        ways = {(word or needs, text or takes) for word, text in ways for needs, takes in more}
    return ways
