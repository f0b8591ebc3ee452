"""``# supportbot: ignore CODE reason``: findings that somebody decided to live with, and why.

Such a comment stands at the end of the line it is for, or alone above it; ``ignore-file`` stands above everything
else of a file and is for all of it. An error that keeps the bot from running cannot be ignored.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from supportbot.config.yaml_place import lines_of
from supportbot.diagnostics import Diagnostic, Fix, Place, correction, did_you_mean, warning

_NAME = "supportbot"
_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*supportbot:\s*(?P<verb>\S*)[ \t]*(?P<code>\S*)[ \t]*(?P<reason>.*?)\s*$")
# "supportbot" misspelt, or without its colon
_NEARLY = re.compile(r"(?:^|(?<=\s))#\s*(?P<name>[A-Za-z][\w-]{5,14})\s*(?P<colon>:?)\s*ignore(?:-file)?\b.*")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_VERBS = ("ignore", "ignore-file")


@dataclass(frozen=True, slots=True)
class Ignore:
    """``line`` is the one that it is for; 0 for the whole file. ``place`` is that of the comment."""

    file: str
    line: int
    code: str
    place: Place


def read_ignores(source: str, file: str) -> tuple[list[Ignore], list[Diagnostic]]:
    """The ignores of a YAML file, and what is wrong with them. Never raises for any content."""
    if "supportbot:" not in source and "ignore" not in source:
        return [], []
    lines = lines_of(source)
    candidates = [(number, match) for number, line in enumerate(lines, start=1) if (match := _candidate(line))]
    texts = _Texts(source if candidates else "")
    ignores: list[Ignore] = []
    found: list[Diagnostic] = []
    for number, match in candidates:
        if texts.holds(number, match.start()):
            continue
        place = Place(file, number, match.start() + 1, number, match.end() + 1)
        if match.re is _NEARLY:
            found.append(_misspelt(match, place))
            continue
        problem = _problem(match, lines[: number - 1])
        if problem:
            fix = correction(place, match["verb"], _VERBS)
            found.append(warning("bad-ignore", place, *problem, fix=fix))
        elif match["verb"] == "ignore-file":
            ignores.append(Ignore(file, 0, match["code"], place))
        else:
            above = not lines[number - 1][: match.start()].strip()
            ignores.append(Ignore(file, _next(lines, number) if above else number, match["code"], place))
    return ignores, found


def with_known_codes(ignores: Iterable[Ignore], known: Collection[str]) -> tuple[list[Ignore], list[Diagnostic]]:
    """The ignores of codes that exist, and a warning for each other one."""
    good: list[Ignore] = []
    found: list[Diagnostic] = []
    for item in ignores:
        if item.code in known:
            good.append(item)
            continue
        fix = correction(item.place, item.code, known)
        near = difflib.get_close_matches(item.code[:60], known, n=1, cutoff=0.6)
        hint = f"did you mean '{near[0]}'?" if near else "write the code that stands in [brackets] behind the severity"
        found.append(warning("bad-ignore", item.place, f"no finding has the code '{item.code}'", hint, fix=fix))
    return good, found


def without_ignored(
    findings: Sequence[Diagnostic], ignores: Sequence[Ignore], runs: bool
) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """The findings that nobody ignored, and a warning for each ignore that is of no use.

    ``runs``: whether the bot compiled. When it did not, its errors stay, and what later checks would have found
    is unknown, so that no ignore counts as unused.
    """
    used: set[Ignore] = set()
    kept: list[Diagnostic] = []
    for finding in findings:
        given = [item for item in ignores if _is_for(item, finding)]
        used.update(given)
        if not given or (finding.severity == "error" and not runs):
            kept.append(finding)
    unused = [_unused(item, findings) for item in ignores if item not in used] if runs else []
    return kept, unused


def _is_for(ignore: Ignore, finding: Diagnostic) -> bool:
    same = ignore.code == finding.code and ignore.file == finding.place.file
    return same and ignore.line in (0, finding.place.line)


def _unused(ignore: Ignore, findings: Iterable[Diagnostic]) -> Diagnostic:
    where = "in this file" if not ignore.line else f"in line {ignore.line}"
    here = {item.code for item in findings if item.place.file == ignore.file and ignore.line in (0, item.place.line)}
    hint = did_you_mean(ignore.code, here) if here else "remove the comment"
    message, fix = f"there is no finding '{ignore.code}' {where}", None if here else Fix(ignore.place)
    return warning("unused-ignore", ignore.place, message, hint, fix=fix)


def _candidate(line: str) -> re.Match[str] | None:
    exact = _COMMENT.search(line) if "supportbot:" in line else None
    if exact is not None or "ignore" not in line:
        return exact
    nearly = _NEARLY.search(line)
    near = nearly is not None and difflib.SequenceMatcher(None, nearly["name"].lower(), _NAME).ratio() > 0.85
    return nearly if near else None


def _misspelt(match: re.Match[str], place: Place) -> Diagnostic:
    """A comment that is meant to ignore something and does not."""
    written = match["name"] + match["colon"]
    fix = correction(place, match["name"], [_NAME]) if match["colon"] else None
    return warning("bad-ignore", place, f"'{written}' ignores nothing", f"did you mean '{_NAME}:'?", fix=fix)


def _problem(match: re.Match[str], before: Sequence[str]) -> tuple[str, str] | None:
    """What is wrong with a comment, and how to mend it."""
    example = "write it as: # supportbot: ignore never-wins kept for the spring sale"
    if match["verb"] not in _VERBS:
        hint = did_you_mean(match["verb"], _VERBS) if match["verb"] else example
        return f"'{match['verb']}' is nothing that a comment can ask for", hint
    if not match["code"]:
        return "this comment does not say which finding to ignore", example
    if not match["reason"]:
        return f"this comment does not say why '{match['code']}' is ignored", "add the reason after the code"
    if match["verb"] == "ignore-file" and any(line.strip() and not line.lstrip().startswith("#") for line in before):
        return "an ignore for the whole file stands above everything else", "move it to the top of the file"
    return None


def _next(lines: Sequence[str], number: int) -> int:
    """The first line after a comment that is neither blank nor a comment."""
    for later in range(number, len(lines)):
        line = lines[later].strip()
        if line and not line.startswith("#"):
            return later + 1
    return number


class _Texts:
    """Where the texts of a file are: a ``#`` inside one begins no comment. Lines count from 1, columns from 0."""

    def __init__(self, source: str) -> None:
        self._lines = lines_of(source)
        self._spans: list[tuple[tuple[int, int], tuple[int, int]]] = []
        self._blocks: list[tuple[int, int, int]] = []  # first and last line of the content, its indentation
        loader = _LOADER(source)
        try:
            while (event := loader.get_event()) is not None:
                if isinstance(event, yaml.ScalarEvent):
                    self._add(event)
                if isinstance(event, yaml.StreamEndEvent):
                    break
        except Exception:  # not YAML: reported by the reader; what was found so far is good
            return
        finally:
            loader.dispose()

    def holds(self, line: int, column: int) -> bool:
        if any(start <= (line, column) < end for start, end in self._spans):
            return True
        text = self._lines[line - 1]
        indent = len(text) - len(text.lstrip(" "))
        return any(first <= line <= last and indent >= least for first, last, least in self._blocks)

    def _add(self, event: Any) -> None:
        start, end = event.start_mark, event.end_mark
        if event.style in ("|", ">"):
            first = start.line + 2
            content = (line for line in self._lines[first - 1 : end.line + 1] if line.strip())
            least = next((len(line) - len(line.lstrip(" ")) for line in content), 0)
            self._blocks.append((first, end.line + 1, max(least, 1)))
        elif event.style:
            self._spans.append(((start.line + 1, start.column), (end.line + 1, end.column)))
