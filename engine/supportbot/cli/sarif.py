"""Diagnostics as SARIF 2.1.0, for code scanning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from supportbot import __version__
from supportbot.cli.check_pages import sections
from supportbot.cli.output import to_json
from supportbot.diagnostics import Diagnostic, Place

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def render_sarif(diagnostics: Sequence[Diagnostic], root: Path) -> str:
    """Files are named from the top of the repository, as code scanning wants them; without one, from the bot."""
    codes = sorted({item.code for item in diagnostics})
    prefix = _below_repository(root)
    run = {
        "tool": {"driver": {"name": "supportbot", "version": __version__, "rules": [_rule(code) for code in codes]}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(item, codes.index(item.code), prefix) for item in diagnostics],
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return to_json(document, indent=2)


def _below_repository(root: Path) -> str:
    """The path from the top of the repository to the bot, with a slash at its end, or nothing."""
    real = root.resolve()
    top = next((folder for folder in (real, *real.parents) if (folder / ".git").exists()), real)
    path = real.relative_to(top).as_posix()
    return "" if path == "." else f"{path}/"


def _rule(code: str) -> dict[str, object]:
    rule: dict[str, object] = {
        "id": code,
        "name": "".join(part.capitalize() for part in re.split(r"[-_]", code)),
        "shortDescription": {"text": code.replace("-", " ").capitalize()},
    }
    section = sections().get(code)
    if section is None:
        return {**rule, "help": {"text": f"supportbot explain-check {code}"}}
    return {
        **rule,
        "fullDescription": {"text": section.summary},
        "help": {"text": section.text, "markdown": section.text},
        "defaultConfiguration": {"level": _LEVELS.get(section.severity, "warning")},
    }


def _result(item: Diagnostic, rule_index: int, prefix: str) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": item.code,
        "ruleIndex": rule_index,
        "level": _LEVELS[item.severity],
        "message": {"text": item.message + (f"\n{item.hint}" if item.hint else "")},
        "locations": [_location(item.place, prefix)],
    }
    if item.related:
        result["relatedLocations"] = [
            {"id": number, "message": {"text": other.message}, **_location(other.place, prefix)}
            for number, other in enumerate(item.related)
        ]
    return result


def _location(place: Place, prefix: str) -> dict[str, object]:
    uri = quote(f"{prefix}{place.file}".encode("utf-8", "replace"))
    region = {
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}, "region": region},
    }
