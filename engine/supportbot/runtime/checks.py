"""Everything that ``supportbot test`` runs: conversation tests, the examples inside rules, and what they cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from supportbot.diagnostics import Diagnostic
from supportbot.model.bot import Bot
from supportbot.runtime.coverage import Coverage, coverage_of
from supportbot.runtime.examples import Tried, failing_examples, try_examples
from supportbot.runtime.play import Checked, Failure, Played, play, reasons
from supportbot.runtime.scripts import Script, read_scripts

__all__ = [
    "CheckReport",
    "Checked",
    "Coverage",
    "Failure",
    "Played",
    "Script",
    "Tried",
    "failing_examples",
    "play",
    "read_scripts",
    "reasons",
    "run_checks",
    "try_examples",
]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """``diagnostics``: what is wrong with the test files themselves."""

    conversations: tuple[Checked, ...]
    examples: tuple[Tried, ...]
    coverage: Coverage
    diagnostics: tuple[Diagnostic, ...]

    @property
    def failures(self) -> int:
        """Conversations and examples that failed, and errors in test files."""
        broken = sum(1 for item in self.diagnostics if item.severity == "error")
        conversations = sum(1 for item in self.conversations if not item.ok)
        return broken + conversations + sum(1 for item in self.examples if not item.ok)

    @property
    def ok(self) -> bool:
        return self.failures == 0


def run_checks(bot: Bot, root: Path, paths: Sequence[Path] = (), name: str = "") -> CheckReport:
    """Run the conversations in ``paths`` (default: all of the bot) and, when nothing was chosen, all examples.

    ``name`` chooses conversations: a part of their name, or a pattern with ``*``. Raises UsageError for a path
    that does not exist.
    """
    scripts, diagnostics = read_scripts(bot, root, paths)
    chosen = [script for script in scripts if _named(script, name)]
    conversations = tuple(play(bot, script) for script in chosen)
    examples = () if paths or name else tuple(try_examples(bot))
    return CheckReport(conversations, examples, coverage_of(bot, conversations), diagnostics)


def _named(script: Script, name: str) -> bool:
    wanted, known = name.casefold(), script.name.casefold()
    return fnmatchcase(known, wanted) if "*" in wanted else wanted in known
