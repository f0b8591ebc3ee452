"""All checks of a bot, in one run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from supportbot.cli.check_pages import sections
from supportbot.compiler.compile import compile_bot
from supportbot.config.collecting import no_garbage_collection
from supportbot.config.folder import NOTHING, BotFiles, Memory, read_bot
from supportbot.config.ignores import read_ignores, with_known_codes, without_ignored
from supportbot.config.own_schemas import stale_schemas
from supportbot.diagnostics import Diagnostic, in_order
from supportbot.proofs.prove import prove
from supportbot.runtime.checks import failing_examples, read_scripts


def check(
    root: Path, memory: Memory | None = None, instead: Mapping[str, bytes] = NOTHING
) -> tuple[tuple[Diagnostic, ...], int]:
    """All findings in order, and how many files were read. Proofs and examples are tried when the bot compiles.

    ``memory`` and ``instead`` as in read_bot.
    """
    with no_garbage_collection():
        return _check(read_bot(root, memory, instead))


def _check(files: BotFiles) -> tuple[tuple[Diagnostic, ...], int]:
    loaded = compile_bot(files)
    findings = [*loaded.diagnostics, *stale_schemas(files)]
    if loaded.bot is not None:
        findings += [*prove(loaded.bot), *failing_examples(loaded.bot), *read_scripts(loaded.bot, files.root)[1]]
    read = [read_ignores(item.source, item.file) for item in files.documents]
    ignores = [ignore for found, _ in read for ignore in found]
    mistakes = [mistake for _, found in read for mistake in found]
    if ignores:
        ignores, unknown = with_known_codes(ignores, sections())
        mistakes += unknown
    kept, unused = without_ignored(findings, ignores, runs=loaded.bot is not None)
    return in_order([*kept, *mistakes, *unused]), loaded.files
