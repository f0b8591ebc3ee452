"""Plain-English explanations of broken YAML."""

from __future__ import annotations

from supportbot.diagnostics import Diagnostic, Place, error


def explain_syntax(source: str, file: str, problem: Exception) -> Diagnostic:
    """One finding for the first place where the text stops being YAML."""
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    message = getattr(problem, "problem", None) or str(problem)
    return error("yaml-syntax", Place(file, line, column, line, column + 1), f"this is not YAML: {message}")
