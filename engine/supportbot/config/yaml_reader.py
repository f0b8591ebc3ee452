"""Read YAML into plain values that know their places, and explain what is wrong with it.

Built on the events of the parser, because composing or loading recurses (the C loader then
crashes the whole process on deep nesting) and shares nodes between aliases (a few hundred
bytes can then unfold to hours of work). Events do neither, and they are the fastest way too.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from supportbot.config.collecting import no_garbage_collection
from supportbot.config.yaml_nodes import YamlList, YamlMap
from supportbot.config.yaml_place import lines_of, locate
from supportbot.config.yaml_scalars import NUMBER_STARTS, NumberProblem, typed
from supportbot.config.yaml_syntax import braces, explain_syntax
from supportbot.diagnostics import Diagnostic, Fix, Place, Related, error, warning

__all__ = ["MAX_BYTES", "MAX_DEPTH", "YamlList", "YamlMap", "decode", "locate", "read_yaml"]

MAX_BYTES = 16_000_000
MAX_DEPTH = 50

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What YAML allows, less U+0085, U+2028 and U+2029: YAML ends a line at them, no editor does, so every place after
# one would be wrong. The byte order mark may only be the first character, where `decode` removes it.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_HASH = re.compile(r"(?<=[^\s#]) #")
# \N, \L and \P of a path make U+0085, U+2028 and U+2029, its \_ a space that does not break.
_ESCAPED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]|\\b[A-Za-z]:[\t\n\r]")
_PLAIN_STARTS = NUMBER_STARTS | {"t", "f", "n", "~", "+"}

_NO_KEY: Any = object()  # a mapping waits for its next key
_DROPPED: Any = object()  # the value that comes next belongs to a key that was refused


def read_yaml(source: str | bytes, file: str, max_bytes: int = MAX_BYTES) -> tuple[Any, list[Diagnostic]]:
    """The document as YamlMap, YamlList, str, int, float, bool or None, and what is wrong with it.

    Never raises for any content. The value is None when the text is not YAML at all; otherwise it is complete
    but for the parts that were refused. ``file`` is only used to name places. Places point into ``decode(source)``.
    """
    if len(source) > max_bytes:
        return None, [_too_large(file, len(source), max_bytes)]
    text, found = decode(source, file)
    if text is None:
        return None, found
    reader = _Reader(text, file)
    with no_garbage_collection():
        data = reader.read()
    return data, found + reader.found


def decode(source: str | bytes, file: str) -> tuple[str | None, list[Diagnostic]]:
    """The text without its byte order mark, or None and the reason why it cannot be read."""
    if isinstance(source, str):
        text = source
    else:
        try:
            text = source.decode("utf-8")
        except UnicodeDecodeError as problem:
            return None, [_not_utf8(source, file, problem)]
    text = text.removeprefix("\ufeff")
    bad = _FORBIDDEN.search(text)
    return (None, [_forbidden(text, file, bad.start())]) if bad else (text, [])


class _Stop(Exception):
    """Reading further makes no sense; the reason is among the diagnostics."""


class _Reader:
    """Builds one document from events, with an explicit stack."""

    def __init__(self, source: str, file: str) -> None:
        self.source = source
        self.file = file
        self.found: list[Diagnostic] = []
        self.hashes = {match.start() for match in _HASH.finditer(source)}
        self.stack: list[tuple[Any, Any, Any]] = []  # (container, its pending key, start event)
        self.node: Any = None
        self.key: Any = _NO_KEY
        self.root: Any = None
        self.last = Place(file)
        self.braced: set[int] = set()  # ids of mappings that are `{{ name }}` without quotes
        self.restarted: set[int] = set()  # ids of mappings in which a second one seems to begin

    def read(self) -> Any:
        loader = None
        try:
            loader = _LOADER(self.source)
            self._events(loader)
        except _Stop:
            return None
        except Exception as problem:  # the parsers raise more than YAMLError, e.g. OverflowError for "\UFFFFFFFF"
            finding = explain_syntax(self.source, self.file, problem)
            self.found = [item for item in self.found if item.place.line != finding.place.line]  # the same cause
            self.found.append(finding)
            return None
        finally:
            if loader is not None:
                loader.dispose()
        return self.root

    def _events(self, loader: Any) -> None:
        documents = 0
        next_event = loader.get_event
        while True:
            event = next_event()
            kind = type(event)
            if kind is ScalarEvent:
                self._scalar(event)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                self._open(event, kind is MappingStartEvent)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._close(event)
            elif kind is AliasEvent:
                self._alias(event)
            elif kind is DocumentStartEvent:
                documents += 1
                if documents > 1:
                    self._several(event)
            elif kind is StreamEndEvent:
                return

    # --- values ---------------------------------------------------------------------------

    def _scalar(self, event: Any) -> None:
        start, end = event.start_mark, event.end_mark
        place = Place(self.file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)
        value: Any = event.value
        style = event.style
        if not style:
            if not value or value[0] in _PLAIN_STARTS:
                value = self._typed(value, place, end.index in self.hashes)
            if end.index in self.hashes and type(value) is str:
                self._hash(value, place, end.index)
        elif style in "'\"":
            if end.index in self.hashes:
                self._hash_after_quote(place, end.index)
            if style == '"' and (_ESCAPED.search(value) or ("\xa0" in value and "\\_" in self._raw(place))):
                self._escaped(value, place)
        elif style in "|>":
            place = self._trimmed(place, start.index, end.index)
        if event.anchor is not None or event.tag is not None:
            self._decorated(event, place)
        self.last = place
        node = self.node
        if type(node) is YamlList:
            node.append(value)
            node.items_at.append(place)
        elif type(node) is YamlMap:
            key = self.key
            if key is _NO_KEY:
                self._take_key(node, value, place, style)
                return
            self.key = _NO_KEY
            if key is not _DROPPED:
                node[key] = value
                node.values_at[key] = place
        else:
            self.root = value

    def _typed(self, text: str, place: Place, commented: bool) -> Any:
        try:
            return typed(text)
        except NumberProblem as problem:
            hint = "put it in quotes if it is a text, e.g. an account number"
            fix = Fix(place, "", f'"{text}"') if problem.code == "number-too-long" and not commented else None
            self.found.append(error(problem.code, place, str(problem), hint, fix=fix))
            return 0

    def _attach(self, value: Any, place: Place) -> None:
        node = self.node
        if type(node) is YamlList:
            node.append(value)
            node.items_at.append(place)
        elif type(node) is YamlMap:
            key, self.key = self.key, _NO_KEY
            if key is _NO_KEY:
                self.found.append(self._complex_key(node, place))
                self.key = _DROPPED
            elif key is not _DROPPED:
                node[key] = value
                node.values_at[key] = place
        else:
            self.root = value

    def _take_key(self, node: YamlMap, key: Any, place: Place, style: str | None) -> None:
        self.key = _DROPPED
        if type(key) is not str:
            self.found.append(_key_not_text(place, _spoken(key)))
        elif key == "<<" and not style:
            hint = "write the keys out in each place; supportbot has lists and responses for what is shared"
            self.found.append(error("merge-key", place, "merge keys (<<) are not supported", hint))
        elif key in node.keys_at:
            self._twice(node, key, place)
        else:
            node.keys_at[key] = place
            self.key = key

    def _twice(self, node: YamlMap, key: str, place: Place) -> None:
        if id(node) in self.restarted:  # what follows belongs to the entry that lacks its dash
            return
        first = node.keys_at[key]
        hint = "keep one of the two, or join what they say"
        inside_list = bool(self.stack) and type(self.stack[-1][0]) is YamlList
        if inside_list and first.line != place.line and next(iter(node.keys_at)) == key:
            self.restarted.add(id(node))
            hint = "begin this line with '- ' if a new entry of the list is meant; otherwise keep one of the two"
        message = f"'{_short(key)}' is given twice here; it was first given in line {first.line}"
        also = Related(first, f"'{_short(key)}' was first given here")
        self.found.append(error("duplicate-key", place, message, hint, also))

    def _alias(self, event: Any) -> None:
        place = self._of(event)
        message = f"aliases (*{_short(event.anchor)}) are not supported"
        hint = "write the value out; quote the text when it should begin with a star"
        self.found.append(error("alias", place, message, hint))
        self.last = place
        self._attach(None, place)

    def _decorated(self, event: Any, place: Place) -> None:
        at = Place(self.file, place.line, place.column, place.line, place.column + 1)
        if event.anchor is not None:
            hint = "write the value out where it is needed; quote the text when it should begin with &"
            self.found.append(error("anchor", at, f"anchors (&{_short(event.anchor)}) are not supported", hint))
        if event.tag is not None:
            hint = "quote the text when it should begin with an exclamation mark, else remove the tag"
            self.found.append(error("yaml-tag", at, f"tags ({_short(event.tag)}) are not supported", hint))

    # --- collections ----------------------------------------------------------------------

    def _open(self, event: Any, mapping: bool) -> None:
        if len(self.stack) >= MAX_DEPTH:
            hint = f"at most {MAX_DEPTH} levels are read; look for brackets that are never closed"
            self.found.append(error("too-deep", self._of(event), "lists and mappings are nested too deeply here", hint))
            raise _Stop
        place = self._of(event)
        if event.anchor is not None or event.tag is not None:
            self._decorated(event, place)
        self.last = place
        self.stack.append((self.node, self.key, event))
        self.node = YamlMap(place) if mapping else YamlList(place)
        self.key = _NO_KEY

    def _close(self, event: Any) -> None:
        node = self.node
        self.node, self.key, opened = self.stack.pop()
        start = opened.start_mark
        if opened.flow_style:
            end_line, end_column = event.end_mark.line + 1, event.end_mark.column + 1
        else:  # a block ends, says the parser, where the next thing begins
            end_line, end_column = self.last.end_line, self.last.end_column
        place = Place(self.file, start.line + 1, start.column + 1, end_line, end_column)
        node.place = self.last = place
        self.restarted.discard(id(node))
        if id(node) in self.braced:  # the text that was meant, so that nothing else is found missing
            self.braced.discard(id(node))
            node = lines_of(self.source)[place.line - 1][place.column - 1 : place.end_column - 1]
        self._attach(node, place)

    # --- places ---------------------------------------------------------------------------

    def _of(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        return Place(self.file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def _trimmed(self, place: Place, start: int, end: int) -> Place:
        """A block text without the blank lines after it, which the parser counts in."""
        text = self.source[start:end].rstrip().replace("\r\n", "\n").replace("\r", "\n")
        breaks = text.count("\n")
        if not breaks:
            return Place(self.file, place.line, place.column, place.line, place.column + len(text))
        return Place(self.file, place.line, place.column, place.line + breaks, len(text) - text.rfind("\n"))

    # --- findings ------------------------------------------------------------------------

    def _complex_key(self, node: YamlMap, place: Place) -> Diagnostic:
        outer = node.place
        if (outer.line, outer.column + 1) == (place.line, place.column) and self._has_braces(outer):
            self.braced.add(id(node))
            return braces(self.source, outer)
        return _key_not_text(place, "a list or a mapping")

    def _has_braces(self, place: Place) -> bool:
        return lines_of(self.source)[place.line - 1].startswith("{{", place.column - 1)

    def _several(self, event: Any) -> None:
        place = self._of(event)
        hint = "remove the line with the three dashes, or move what follows to a file of its own"
        self.found.append(error("several-documents", place, "a second document begins here; a file holds one", hint))
        raise _Stop

    def _hash(self, value: str, place: Place, end: int) -> None:
        """A comment that looks like the rest of a text: ``ticket #123``, ``press the # key``."""
        rest = self._comment(end)
        if rest.startswith("# supportbot:") or ((len(rest) < 2 or rest[1] == " ") and " " not in value):
            return
        self._cut_off(rest, place, "an unquoted text ends where ' #' begins a comment")

    def _hash_after_quote(self, place: Place, end: int) -> None:
        """``"ticket" #123``: nobody writes a comment so close."""
        rest = self._comment(end)
        if re.match(r"#\w", rest):
            self._cut_off(rest, place, "the text ends with its quote, and ' #' begins a comment")

    def _comment(self, end: int) -> str:
        return re.split(r"[\r\n]", self.source[end + 1 : end + 400], maxsplit=1)[0].rstrip()

    def _cut_off(self, rest: str, place: Place, why: str) -> None:
        at = Place(self.file, place.end_line, place.end_column + 1, place.end_line, place.end_column + 1 + len(rest))
        message = f"'{_short(rest)}' is not part of the text: {why}"
        hint = "put the whole text in quotes; if a comment is meant, put two spaces before the #"
        self.found.append(warning("text-after-hash", at, message, hint))

    def _escaped(self, value: str, place: Place) -> None:
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            self.found.append(error("control-character", place, "half a character (\\uD800 to \\uDFFF) cannot be kept"))
            return
        message = "a backslash in double quotes makes an invisible character here"
        hint = "write the text in single quotes, where a backslash is just a backslash"
        self.found.append(warning("escaped-control", place, message, hint, fix=self._in_single_quotes(place)))

    def _raw(self, place: Place) -> str:
        """What stands between the quotes of a text, as far as its first line goes."""
        line = lines_of(self.source)[place.line - 1]
        return line[place.column : place.end_column - 2 if place.line == place.end_line else None]

    def _in_single_quotes(self, place: Place) -> Fix | None:
        """The same characters between single quotes, where that surely is what was meant."""
        raw = self._raw(place)
        if place.line != place.end_line or "'" in raw or re.search(r'\\[\\"nuUx/]', raw):
            return None
        if re.search(r"\\[NLP_]", raw) and not re.match(r"[A-Za-z]:\\", raw):  # somebody may know what they mean
            return None
        return Fix(place, "", f"'{raw}'")


def _spoken(key: object) -> str:
    return "empty" if key is None else f"{str(key).lower() if isinstance(key, bool) else key}, which is not a text"


def _key_not_text(place: Place, what: str) -> Diagnostic:
    return error("key-not-text", place, f"this key is {what}", "keys are texts: put it in quotes")


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _too_large(file: str, size: int, limit: int) -> Diagnostic:
    message = f"the file has {size / 1e6:.1f} MB; at most {limit / 1e6:.0f} MB are read"
    return error("file-too-large", Place(file), message, "split it into several files")


def _not_utf8(source: bytes, file: str, problem: UnicodeDecodeError) -> Diagnostic:
    hint = "save the file as UTF-8 (in VS Code: 'Save with Encoding')"
    if source[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return error("not-utf8", Place(file), "the file is saved as UTF-16", hint)
    before = source[: problem.start].decode("utf-8", "replace")
    place = _point(before, file, len(before))
    message = f"this character cannot be read: the file is not saved as UTF-8 (byte {source[problem.start]:#04x})"
    return error("not-utf8", place, message, hint)


def _forbidden(text: str, file: str, index: int) -> Diagnostic:
    code = ord(text[index])
    what = "half a character" if 0xD800 <= code <= 0xDFFF else "an invisible control character"
    hint = "delete it; it often comes with text that was pasted from elsewhere"
    return error("control-character", _point(text, file, index), f"U+{code:04X} here is {what}", hint)


def _point(text: str, file: str, index: int) -> Place:
    before = text[:index].replace("\r\n", "\n").replace("\r", "\n")
    line, column = before.count("\n") + 1, index if "\n" not in before else len(before) - before.rfind("\n") - 1
    return Place(file, line, column + 1, line, column + 2)
