"""Loading a bot for verbs that need a working one."""

from __future__ import annotations

from pathlib import Path

from supportbot.cli.options import BrokenFolder
from supportbot.compiler.compile import load_bot
from supportbot.config.folder import find_bot
from supportbot.diagnostics import Diagnostic
from supportbot.model.bot import Bot


def working_bot(folder: Path | None) -> tuple[Bot, Path]:
    """The compiled bot and its root. Raises UsageError, or BrokenFolder with all errors."""
    root = find_bot(folder)
    loaded = load_bot(root)
    if loaded.bot is None:
        raise BrokenFolder(errors_of(loaded.diagnostics), root)
    return loaded.bot, root


def errors_of(diagnostics: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    return tuple(item for item in diagnostics if item.severity == "error")
