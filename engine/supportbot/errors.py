"""The one tree of exceptions. Findings about a bot are values (diagnostics.py), not exceptions.

SupportbotError
├── UsageError        the caller of the command can mend it           exit code 2
├── BrokenBot         whoever edits the YAML can; carries diagnostics  exit code 1
├── SettingsError     whoever deploys it can: environment, ports       exit code 2
└── StoreError        whoever operates it can: disk, locks            exit code 2
"""

from __future__ import annotations

from collections.abc import Sequence

from supportbot.diagnostics import Diagnostic


class SupportbotError(Exception):
    """Base of all errors that supportbot raises on purpose."""

    exit_code = 3


class UsageError(SupportbotError):
    """The command was called with something that cannot work, e.g. a folder without a bot."""

    exit_code = 2


class BrokenBot(SupportbotError):
    """The bot folder has errors; ``diagnostics`` lists all of them."""

    exit_code = 1

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        first = next((item for item in self.diagnostics if item.severity == "error"), None)
        super().__init__(str(first) if first else "the bot has errors")


class SettingsError(SupportbotError):
    """The environment lacks something or holds something that cannot be used."""

    exit_code = 2


class StoreError(SupportbotError):
    """Sessions could not be read or written."""

    exit_code = 2
