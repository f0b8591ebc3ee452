"""The page that GitHub Actions shows for a run: all findings, where annotations stop at ten of a kind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from supportbot.cli.output import shown_path
from supportbot.diagnostics import Diagnostic


def write_step_summary(diagnostics: Sequence[Diagnostic], root: Path) -> None:
    """Append a table to the file that GitHub names; without findings, or elsewhere, nothing happens."""
    target = os.environ.get("GITHUB_STEP_SUMMARY")
    if not target or not diagnostics:
        return
    rows = [_row(item, root) for item in diagnostics]
    text = "\n".join(["### supportbot", "", "| where | what | mend it |", "| --- | --- | --- |", *rows, ""])
    with open(target, "a", encoding="utf-8") as page:
        page.write(text)


def _row(item: Diagnostic, root: Path) -> str:
    where = f"{shown_path(item.place.file, root)}:{item.place.line}:{item.place.column}"
    cells = (where, f"{item.severity} [{item.code}] {item.message}", item.hint)
    return "| " + " | ".join(_cell(text) for text in cells) + " |"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
