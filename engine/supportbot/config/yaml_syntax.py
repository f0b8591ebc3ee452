"""Plain-English explanations of broken YAML.

The parser says where it stopped and what it wanted; a person wants to know which character to change. Each trap below
looks at the line where the parser stopped and recognizes one frequent mistake, with its exact mending.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import yaml

from supportbot.config.yaml_place import lines_of
from supportbot.config.yaml_stops import Finding, Stop, goes_on, is_one_text, one_text, quote_hint, quoted
from supportbot.diagnostics import Diagnostic, Fix, Place, error

_SLOW_PARSER_LIMIT = 200_000  # characters; Python's own parser words its messages better but takes 6 s a megabyte
_STEP = re.compile(
    r"(?:trigger|reply|form|action|set|guide|next_step|handoff|close|llm|phrase|regex|any|all|none):[ ]+\S"
)
_BRACES = "a text that begins with {{ must be in quotes"


def explain_syntax(source: str, file: str, problem: Exception) -> Diagnostic:
    """One finding, with the code yaml-syntax, for the first place where the text stops being YAML."""
    stop = _stop(source, problem)
    for trap in _TRAPS:
        found = trap(stop)
        if found is not None:
            place = _place(stop, file, found)
            fix = None if found.mended is None else Fix(place, "", found.mended)
            return error("yaml-syntax", place, found.message, found.hint, fix=fix)
    hint = (
        "compare the indentation with the lines above, and put the text in quotes if it has : # [ ] { } & * ! | > % @"
    )
    found = _at(stop, f"this is not YAML: {_worded(source, stop.problem)}", hint)
    return error("yaml-syntax", _place(stop, file, found), found.message, found.hint)


def _place(stop: Stop, file: str, found: Finding) -> Place:
    """The place of a finding; the end of the text when the parser stopped behind it."""
    line = min(found.line, len(stop.lines) - 1)
    width = len(stop.lines[line])
    start = min(found.start, width) if line == found.line else width
    end = max(found.end, start + 1) if line == found.line else start + 1
    return Place(file, line + 1, start + 1, line + 1, end + 1)


def braces(source: str, place: Place) -> Diagnostic:
    """The finding for ``{{ name }}`` without quotes, which YAML takes for a mapping whose key is a mapping."""
    text = one_text(re.sub(r"\s+#.*$", "", lines_of(source)[place.line - 1][place.column - 1 :].rstrip()))
    where = Place(place.file, place.line, place.column, place.line, place.column + len(text))
    more = goes_on(lines_of(source), place.line - 1, place.column - 1, text)
    return error(
        "yaml-syntax", where, _BRACES, more or quote_hint(text), fix=None if more else Fix(where, "", quoted(text))
    )


def _stop(source: str, problem: Exception) -> Stop:
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    context = getattr(problem, "context_mark", None) or mark
    return Stop(
        lines=lines_of(source),
        line=mark.line if mark else 0,
        column=mark.column if mark else 0,
        problem=str(getattr(problem, "problem", None) or problem),
        context=str(getattr(problem, "context", None) or ""),
        context_line=context.line if context else 0,
        context_column=context.column if context else 0,
    )


def _worded(source: str, problem: str) -> str:
    if len(source) <= _SLOW_PARSER_LIMIT:
        try:
            for _ in yaml.parse(source, Loader=yaml.SafeLoader):
                pass
        except yaml.MarkedYAMLError as better:
            return str(better.problem or problem)
        except Exception:  # its other failures, e.g. OverflowError, say less than the first parser did
            return problem
    return problem


def _at(stop: Stop, message: str, hint: str, width: int = 1) -> Finding:
    return Finding(message, hint, stop.line, stop.column, stop.column + width)


def _whole(stop: Stop, value: str, column: int, message: str) -> Finding:
    more = goes_on(stop.lines, stop.line, column, value)
    mended = quoted(value) if is_one_text(value) and not more else None
    return Finding(message, more or quote_hint(value), stop.line, column, column + len(value), mended)


# --- traps, in the order in which they are tried ----------------------------------------------


def _tab(stop: Stop) -> Finding | None:
    lead = re.match(r"[ \t]*", stop.text)
    if lead and "\t" in lead[0]:
        return Finding(
            "this line is indented with a tab",
            "indent with spaces: in YAML a tab does not count as indentation",
            stop.line,
            0,
            lead.end(),
        )
    if stop.letter == "\t":
        message, hint = "a tab stands here where a space is expected", "replace the tab by a space"
        return Finding(message, hint, stop.line, stop.column, stop.column + 1, " ")
    return None


def _odd_space(stop: Stop) -> Finding | None:
    for number in (stop.line, stop.above()):
        if number is not None and number < len(stop.lines):
            lead = re.match(r"[ ]*[\xa0\u2000-\u200b\u202f\u3000][\s\u200b]*", stop.lines[number])
            if lead:
                hint = "replace the beginning of the line by ordinary spaces; such spaces come with pasted text"
                mended = re.sub(r"\S|[^\S ]", " ", lead[0].replace("\u200b", ""))
                return Finding("this line is indented with special spaces", hint, number, 0, lead.end(), mended)
    return None


def _unclosed_quote(stop: Stop) -> Finding | None:
    if "quoted scalar" not in stop.context or not ("end of stream" in stop.problem or "document" in stop.problem):
        return None
    line, column = stop.context_line, stop.context_column
    quote = stop.line_at(line)[column : column + 1]
    hint = f"put a {quote} at the end of the text; an apostrophe inside '...' is written twice: 'it''s'"
    return Finding("this quote is never closed", hint, line, column, len(stop.line_at(line)))


def _escape(stop: Stop) -> Finding | None:
    if "quoted scalar" not in stop.context or not re.search("escape|hexa?decimal", stop.problem):
        return None
    if re.search("hexa?decimal", stop.problem):
        return _code(stop)
    back = stop.text.find("\\", stop.column if stop.letter == "\\" else max(0, stop.column - 1))
    start = back if back >= 0 else stop.column
    shown = stop.text[start : start + 2]
    hint = "write the text in single quotes, where a backslash is just a backslash"
    return Finding(f"{shown} means nothing between double quotes", hint, stop.line, start, start + 2)


def _code(stop: Stop) -> Finding | None:
    r"""``\U`` and what else wants the number of a character: ``"C:\Users"``."""
    start = max(stop.text.rfind("\\", 0, stop.column + 1), 0)
    shown = stop.text[start : start + 2]
    hint = "write the text in single quotes, where a backslash is just a backslash"
    message = f"{shown} between double quotes begins the number of a character, which is missing"
    return Finding(message, hint, stop.line, start, start + 2)


def _bad_start(stop: Stop) -> Finding | None:
    """A text that begins with a character that means something else to YAML."""
    value, column = stop.value()
    if "{{" in value[:2]:
        return _whole(stop, value, column, _BRACES)
    column_of = stop.context_column if stop.context_line == stop.line else -1
    by_context = any(word in stop.context for word in ("alias", "anchor", "block scalar", "scanning a tag"))
    if by_context and column_of == column and value:
        return _whole(stop, value, column, f"a text cannot begin with {value[0]} without quotes")
    if stop.letter and stop.letter in "@`%" and "cannot start" in stop.problem:
        text = stop.text[stop.column :].rstrip() if stop.column != column else value
        return _whole(stop, text, stop.column, f"a text cannot begin with {stop.letter} without quotes")
    if "directive" in stop.context and stop.text.startswith("%"):
        return _whole(stop, stop.text.rstrip(), 0, "a text cannot begin with % without quotes")
    if "node content" in stop.problem and stop.letter and stop.letter in ",]}":
        if stop.column == column:
            return _whole(stop, value, column, f"a text cannot begin with {stop.letter} without quotes")
        return _at(stop, f"nothing stands before this {stop.letter}", "remove it, or put the text in quotes")
    return None


def _inside_brackets(stop: Stop) -> Finding | None:
    if "flow" not in stop.context:
        return None
    opened = list(re.finditer(r"[\[{,:][ ]*(\{\{)", stop.text[: stop.column]))
    if opened and not re.search("[\"']", stop.text[: opened[-1].start()]):
        column = opened[-1].start(1)
        return _whole(stop, one_text(re.sub(r"\s+#.*$", "", stop.text[column:])), column, _BRACES)
    if not stop.text[stop.column :].strip() and stop.context_line == stop.line:
        return _unclosed_bracket(stop)
    opening = stop.line_at(stop.context_line)[stop.context_column : stop.context_column + 1]
    before = stop.text[: stop.column].rstrip()[-1:]
    if (opening, stop.letter) in (("[", "}"), ("{", "]")):
        closing = "]" if opening == "[" else "}"
        message = f"this {opening} is not closed before the next {stop.letter}"
        line, column = stop.context_line, stop.context_column
        return Finding(message, f"put a {closing} where what it holds ends", line, column, column + 1)
    if stop.line == stop.context_line and stop.letter in ("[", "{", "]", "}"):
        hint = 'put each text that has brackets in quotes, e.g. ["printer [is] offline", scanner]'
        return _at(stop, f"inside {opening} a text with brackets must be in quotes", hint)
    if stop.line == stop.context_line and before in ("'", '"'):
        return _after_quote(stop)
    closing = "]" if opening == "[" else "}"
    line, column = stop.context_line, stop.context_column
    if stop.line == line and stop.letter == ":":
        return _at(stop, "a colon stands here where a comma is expected", "put the text in quotes if it has a colon")
    hint = f"put a {closing} at the end; texts with brackets, commas or colons inside must be in quotes"
    if re.search(r"\s#", stop.line_at(line)[column:]):
        hint = "' #' begins a comment, so that the rest of the line is not read: put the text with the # in quotes"
    return Finding(f"this {opening} is never closed", hint, line, column, column + 1)


def _unclosed_bracket(stop: Stop) -> Finding | None:
    """The text ends where something should follow an opening bracket."""
    last = stop.above() if not stop.text.strip() else stop.line
    text = stop.line_at(last) if last is not None else ""
    column = max(text.rfind("["), text.rfind("{"))
    if last is None or column < 0:
        return None
    closing = "]" if text[column] == "[" else "}"
    return Finding(f"this {text[column]} is never closed", f"put a {closing} at the end", last, column, column + 1)


def _more_after_value(stop: Stop) -> Finding | None:
    """The value was complete, and the line goes on."""
    if "did not find expected" not in stop.problem and "expected <block end>" not in stop.problem:
        return None
    if stop.column <= stop.indent:
        return None
    above = _opened_above(stop)
    if above is not None:
        return above
    value, column = stop.value()
    if stop.letter and stop.letter in "]}":
        return _at(stop, f"this {stop.letter} closes nothing", "remove it, or put the text in quotes")
    if value[:1] == "[":
        return _whole(stop, value, column, "a text cannot begin with [ without quotes: a [ begins a list")
    if value[:1] == "{":
        return _whole(stop, value, column, "a text cannot begin with { without quotes: a { begins keys and values")
    if value[:1] and value[0] in "*&!":
        return _whole(stop, value, column, f"a text cannot begin with {value[0]} without quotes")
    return _after_quote(stop)


def _opened_above(stop: Stop) -> Finding | None:
    """The first quote of this line ended a text, so an earlier line has one that was left open."""
    head = stop.text[: stop.column].rstrip()
    quote = head[-1:]
    if quote not in ("'", '"') or head.count(quote) != 1:
        return None
    for number in range(stop.line - 1, max(stop.line - 200, -1), -1):
        opened = re.search(rf"(?:[:,\[{{-][ ]+|[\[{{])({quote})[^{quote}]*$", stop.lines[number])
        if opened:
            hint = f"put a {quote} at its end; only in line {stop.line + 1} the next {quote} closes it"
            message = "this quote is not closed where its text ends"
            return Finding(message, hint, number, opened.start(1), len(stop.lines[number]))
        if quote in stop.lines[number]:
            break
    return None


def _after_quote(stop: Stop) -> Finding | None:
    head = stop.text[: stop.column].rstrip()
    before = head[-1:]
    if before not in ("'", '"'):
        return None
    value, column = stop.value()
    if "flow" not in stop.context and (value[:1] != before or column == len(head) - 1):
        message = f"the {before} before this closes a text that began in a line above, and more follows"
        return _at(stop, message, f"look above for a {before} that is not closed in its own line")
    if before == "'":
        hint = "write an apostrophe twice inside single quotes ('it''s'), or use double quotes (\"it's\")"
    else:
        hint = "use single quotes around a text that has double ones: 'press \"OK\"'"
    return _at(
        stop,
        f"the quoted text ends at the {before} before this, and more follows",
        hint,
        len(stop.text.rstrip()) - stop.column,
    )


def _colon(stop: Stop) -> Finding | None:
    """``mapping values are not allowed``: a colon where no key can be."""
    if "mapping values" not in stop.problem:
        return None
    dash = _missing_space(stop.text, stop.line)
    if dash and stop.text.lstrip().startswith("-"):
        return dash
    above = stop.above()
    first = re.match(r"[ ]*(?:-[ ]+)*[^\s#'\"][^#]*?:[ ]+(?=\S)", stop.text)
    if first and first.end() <= stop.column:
        value = re.sub(r"\s+#.*$", "", stop.text[first.end() :])
        if _STEP.match(value):  # do: reply: welcome
            hint = f"put what belongs together in brackets: [{{{value}}}], or on a line of its own below"
            message = "a key with a value cannot stand behind another key in the same line"
            return Finding(message, hint, stop.line, first.end(), first.end() + len(value))
        return _whole(stop, value, first.end(), "a text with a colon and a space inside must be in quotes")
    if above is None:
        return None
    upper = stop.lines[above]
    missing = _missing_space(upper, above)
    if missing:
        return missing
    if len(upper) - len(upper.lstrip(" ")) < stop.indent and re.search(r":\s+\S", upper):
        message = f"this line is indented below line {above + 1}, which has a value already"
        hint = "a key has either a text or keys below it; mend the indentation"
        return Finding(message, hint, stop.line, 0, stop.indent)
    if not re.search(r":(\s|$)", upper):
        return _no_colon(upper, above)
    return None


def _no_key(stop: Stop) -> Finding | None:
    """``could not find expected ':'``: a line that is no ``key: value``."""
    if "':'" not in stop.problem or stop.context_line >= len(stop.lines):
        return None
    text = stop.lines[stop.context_line]
    return _missing_space(text, stop.context_line) or _no_colon(text, stop.context_line)


def _missing_space(text: str, number: int) -> Finding | None:
    start = len(text) - len(text.lstrip(" "))
    if re.match(r"-[^\s-]", text[start:]):
        hint = f"write it as: - {text[start + 1 :].rstrip()[:60]}"
        return Finding("a space is missing after the dash", hint, number, start, start + 1, "- ")
    colon = re.match(r"[ ]*(?:-[ ]+)*([A-Za-z_][\w-]*):(?=[^\s:/])", text)
    if colon and ": " not in text:
        hint = f"write it as: {colon[1]}: {text[colon.end() :].rstrip()[:60]}"
        message = "a space is missing after the colon"
        return Finding(message, hint, number, colon.start(1), colon.end(), f"{colon[1]}: ")
    return None


def _no_colon(text: str, number: int) -> Finding:
    hint = (
        "a line is 'key: value', or '- ' and an entry of a list; a text over several lines begins with | after its key"
    )
    start = len(text) - len(text.lstrip(" "))
    return Finding("this line is neither a key with a value nor an entry of a list", hint, number, start, len(text))


def _indentation(stop: Stop) -> Finding | None:
    if stop.column > stop.indent or "block" not in stop.context:
        return None
    if "collection" in stop.context and stop.column == stop.context_column:
        message = f"a key stands here among the entries of the list that begins in line {stop.context_line + 1}"
        hint = "begin the line with '- ' if it is an entry, or mend the indentation"
    elif stop.letter == "-" and stop.column == stop.context_column:
        message = f"an entry of a list stands here among the keys that begin in line {stop.context_line + 1}"
        hint = "indent the entries more than the key that they belong to, or remove the dash"
    else:
        message = "the indentation of this line fits no line above it"
        hint = "entries and keys that belong together begin in the same column; count the spaces of the lines above"
    return Finding(message, hint, stop.line, 0, max(stop.indent, 1))


def _second_beginning(stop: Stop) -> Finding | None:
    """The file was complete, and goes on."""
    above = stop.above()
    if "document start" not in stop.problem or above is None:
        return None
    message = f"this does not go on with what line {above + 1} ends"
    hint = f"is a # missing before a comment above, a colon in line {above + 1}, or is the indentation not the same?"
    return Finding(message, hint, stop.line, stop.column, len(stop.text))


_TRAPS: tuple[Callable[[Stop], Finding | None], ...] = (
    _tab,
    _odd_space,
    _unclosed_quote,
    _escape,
    _bad_start,
    _inside_brackets,
    _more_after_value,
    _colon,
    _no_key,
    _indentation,
    _second_beginning,
)
