"""Diagnostics for people and for programs. Every format is a reading of the same records."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from supportbot.cli.terminal import TAB, Paint, columns, safe, width
from supportbot.config.disk import Disk
from supportbot.diagnostics import SEVERITIES, Diagnostic, Place, Severity

GITHUB_LIMIT = 10  # GitHub shows ten annotations of a kind for a step and drops the others without a word
_GITHUB_KINDS: Mapping[Severity, str] = {"error": "error", "warning": "warning", "info": "notice"}
_SECRETS = frozenset({"inline-secret", "secret-in-file"})  # their lines are not printed
_WIDEST_SOURCE = 160  # columns of a source line that are shown when no terminal says how many fit


def plural(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def counts(diagnostics: Iterable[Diagnostic]) -> Counter[str]:
    return Counter(item.severity for item in diagnostics)


def shown_path(file: str, root: Path | None, base: Path | None = None) -> str:
    """A file of the bot as seen from ``base`` (the working folder), so that terminals and editors can open it."""
    if root is None or not file:
        return file
    path, start = (root / file).absolute(), (base or Path.cwd()).absolute()
    return path.relative_to(start).as_posix() if path.is_relative_to(start) else path.as_posix()


# --- text ---------------------------------------------------------------------------------


def render_text(diagnostics: Sequence[Diagnostic], root: Path | None, paint: Paint) -> str:
    """Each finding with its source line, an underline and a hint; ``root`` is the folder of the bot."""
    _lines.cache_clear()  # the files may have changed since the last time
    return "\n\n".join("\n".join(_finding(item, root, paint)) for item in diagnostics)


def _finding(item: Diagnostic, root: Path | None, paint: Paint) -> list[str]:
    lines = [
        f"{paint.strong(_where(item.place, root))}: "
        f"{paint.severity(item.severity)} {paint.faint(f'[{item.code}]')} {safe(item.message)}",
        *(() if item.code in _SECRETS else _excerpt(item.place, item.severity, root, paint)),
    ]
    if item.hint:
        hint = safe(item.hint, lines=True).replace("\n", "\n        ")
        lines.append(f"  {paint.note('hint:')} {hint}")
    for other in item.related:
        lines.append(f"  {paint.note('also:')} {_where(other.place, root)}: {safe(other.message)}")
    return lines


def _where(place: Place, root: Path | None) -> str:
    return f"{safe(shown_path(place.file, root))}:{place.line}:{place.column}"


def _excerpt(place: Place, severity: Severity, root: Path | None, paint: Paint) -> list[str]:
    source = _source_line(root, place.file, place.line)
    if source is None or not source.strip():
        return []
    last = place.end_column if place.end_line == place.line else len(source) + 1
    text, indent, length = underlined(source, place.column, last, max(40, columns(_WIDEST_SOURCE) - 8))
    number = str(place.line)
    margin = " " * len(number)
    mark = paint.severity(severity, "^" + "~" * (length - 1))
    return [
        f" {paint.faint(f'{margin} |')}",
        f" {paint.faint(f'{number} |')} {text}",
        f" {paint.faint(f'{margin} |')} {' ' * indent}{mark}",
    ]


def underlined(source: str, start: int, end: int, room: int) -> tuple[str, int, int]:
    """A source line ready to print, and the columns before and under its marked part.

    ``start`` and ``end`` count characters from 1, the end exclusive; ``room`` is in columns of the
    terminal. Wide characters take two columns; a line that is too long is cut around the mark.
    """
    start = min(max(start, 1), len(source) + 1)
    end = min(max(end, start + 1), max(len(source), start) + 1)
    most = 4 * room  # characters; measuring all of a line of a megabyte takes seconds
    before = source[max(0, start - 1 - most) : start - 1]
    marked, after = source[start - 1 : min(end - 1, start - 1 + most)], source[end - 1 : end - 1 + most]
    before, marked, after = _shown(before), _shown(marked), _shown(after)
    if width(before) + width(marked) + width(after) > room:
        marked = _cut(marked, room - 8)
        before = _cut(before, max(8, (room - width(marked)) // 2), keep_end=True)
        after = _cut(after, max(1, room - width(before) - width(marked)))
    return before + marked + after, width(before), max(1, width(marked))


def _shown(text: str) -> str:
    return safe(text.replace("\t", " " * TAB))


def _cut(text: str, room: int, keep_end: bool = False) -> str:
    if width(text) <= room:
        return text
    kept = text[::-1] if keep_end else text
    taken, used = [], 1  # one column for the ellipsis
    for character in kept:
        used += width(character)
        if used > room:
            break
        taken.append(character)
    short = "".join(taken)
    return "…" + short[::-1] if keep_end else short + "…"


@lru_cache(maxsize=64)
def _lines(root: Path, file: str) -> tuple[str, ...]:
    # Read by the rules of the bot itself: what it may not read (a link out of the folder, a pipe, a device, a
    # file without end) is not printed either.
    content = Disk(root).read(file)
    if content is None:
        return ()
    text = content.decode("utf-8", "replace")
    return tuple(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"))


def _source_line(root: Path | None, file: str, line: int) -> str | None:
    if root is None or not file:
        return None
    lines = _lines(root, file)
    return lines[line - 1] if 0 < line <= len(lines) else None


def summary_line(diagnostics: Sequence[Diagnostic], files: int, seconds: float, paint: Paint) -> str:
    found = counts(diagnostics)
    parts = [plural(found[kind], kind) for kind in ("error", "warning") if found[kind]]
    if not parts:
        return paint.good("no mistakes") + f" in {plural(files, 'file')} ({seconds:.2f} s)"
    paints = paint.bad if found["error"] else paint.doubtful
    return paints(", ".join(parts)) + f" in {plural(files, 'file')} ({seconds:.2f} s)"


# --- JSON ---------------------------------------------------------------------------------


def to_json(value: object, *, indent: int | None = None) -> str:
    """JSON that any terminal encoding can carry: lone halves of surrogate pairs stay escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


def diagnostic_json(item: Diagnostic) -> dict[str, object]:
    place = item.place
    return {
        "code": item.code,
        "severity": item.severity,
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
        "message": item.message,
        "hint": item.hint,
        "related": [
            {"file": other.place.file, "line": other.place.line, "column": other.place.column, "message": other.message}
            for other in item.related
        ],
    }


def render_json(diagnostics: Sequence[Diagnostic], files: int) -> str:
    found = counts(diagnostics)
    document = {
        "diagnostics": [diagnostic_json(item) for item in diagnostics],
        "summary": {"errors": found["error"], "warnings": found["warning"], "files": files},
    }
    return to_json(document, indent=2)


# --- GitHub annotations ---------------------------------------------------------------------


def render_github(diagnostics: Sequence[Diagnostic], root: Path) -> str:
    """Workflow commands: errors first, at most ten of a kind, and one notice that counts the others."""
    base = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    lines: list[str] = []
    left_out: list[str] = []
    for severity in SEVERITIES:
        kind = _GITHUB_KINDS[severity]
        items = [item for item in diagnostics if item.severity == severity]
        # The notice that counts the others is itself of the kind `notice`.
        limit = GITHUB_LIMIT if kind != "notice" else GITHUB_LIMIT - 1
        lines += [_annotation(kind, item, root, base) for item in items[:limit]]
        if len(items) > limit:
            left_out.append(plural(len(items) - limit, severity))
    if left_out:
        more = f"{' and '.join(left_out)} more: run `supportbot validate` to see all of them"
        lines.append(f"::notice title=supportbot::{_escape(more)}")
    return "\n".join(lines)


def _annotation(kind: str, item: Diagnostic, root: Path, base: Path) -> str:
    place = item.place
    fields = {
        "file": shown_path(place.file, root, base),
        "line": place.line,
        "col": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
        "title": f"supportbot [{item.code}]",
    }
    if place.end_line != place.line:  # GitHub ignores columns then, and warns about them
        fields.pop("col")
        fields.pop("endColumn")
    listed = ",".join(f"{name}={_escape_field(str(value))}" for name, value in fields.items())
    message = item.message + (f"\nhint: {item.hint}" if item.hint else "")
    return f"::{kind} {listed}::{_escape(message)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_field(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
