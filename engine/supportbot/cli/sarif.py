"""Diagnostics as SARIF 2.1.0, for code scanning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from supportbot import __version__
from supportbot.cli.output import shown_path, to_json
from supportbot.diagnostics import Diagnostic

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def render_sarif(diagnostics: Sequence[Diagnostic], root: Path) -> str:
    codes = sorted({item.code for item in diagnostics})
    run = {
        "tool": {"driver": {"name": "supportbot", "version": __version__, "rules": [_rule(code) for code in codes]}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(item, codes.index(item.code), root) for item in diagnostics],
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return to_json(document, indent=2)


def _rule(code: str) -> dict[str, object]:
    return {
        "id": code,
        "name": "".join(part.capitalize() for part in re.split(r"[-_]", code)),
        "shortDescription": {"text": code.replace("-", " ").capitalize()},
        "help": {"text": f"See the section `{code}` of docs/checks.md."},
    }


def _result(item: Diagnostic, rule_index: int, root: Path) -> dict[str, object]:
    place = item.place
    return {
        "ruleId": item.code,
        "ruleIndex": rule_index,
        "level": _LEVELS[item.severity],
        "message": {"text": item.message + (f"\n{item.hint}" if item.hint else "")},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": shown_path(place.file, root).lstrip("/"), "uriBaseId": "%SRCROOT%"},
                    "region": {
                        "startLine": place.line,
                        "startColumn": place.column,
                        "endLine": place.end_line,
                        "endColumn": place.end_column,
                    },
                }
            }
        ],
    }
