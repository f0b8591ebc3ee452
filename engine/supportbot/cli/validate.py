"""``supportbot validate``: every finding about a bot, in the form that people, editors and CI systems read."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Sequence
from pathlib import Path

import click

from supportbot.cli.junit import diagnostics_as_cases, render_junit
from supportbot.cli.options import bot_argument, color_option, format_option, paint_of
from supportbot.cli.output import counts, render_github, render_json, render_text, summary_line
from supportbot.cli.sarif import render_sarif
from supportbot.cli.summary import write_step_summary
from supportbot.cli.terminal import put, say
from supportbot.compiler.compile import compile_bot
from supportbot.config.folder import BotFiles, find_bot, read_bot
from supportbot.config.ignores import read_ignores, without_ignored
from supportbot.diagnostics import Diagnostic, in_order
from supportbot.proofs.prove import prove
from supportbot.runtime.checks import failing_examples

FORMATS = ("text", "json", "sarif", "github", "junit")


@click.command("validate")
@bot_argument
@format_option(*FORMATS)
@click.option("--strict", is_flag=True, help="Warnings fail as well.")
@color_option
@click.pass_context
def command(context: click.Context, bot_dir: Path | None, style: str | None, strict: bool) -> int:
    """Check a bot: YAML, ids, patterns, templates, the state graph and the examples of its rules.

    Inside GitHub Actions findings become annotations by themselves.
    """
    started = time.perf_counter()
    root = find_bot(bot_dir)
    findings, files = check(root)
    chosen = style or ("github" if in_github_actions() else "text")
    paint = paint_of(context)
    if chosen == "json":
        put(render_json(findings, files))
    elif chosen == "sarif":
        put(render_sarif(findings, root))
    elif chosen == "junit":
        put(render_junit(diagnostics_as_cases(findings, strict), "supportbot validate"))
    else:
        body = render_github(findings, root) if chosen == "github" else render_text(findings, root, paint)
        if body:
            say(body + ("\n" if chosen == "text" else ""))
        say(summary_line(findings, files, time.perf_counter() - started, paint))
        if chosen == "github":
            write_step_summary(findings, root)
    return exit_code(findings, strict)


def check(root: Path) -> tuple[tuple[Diagnostic, ...], int]:
    """All findings in order, and how many files were read. Proofs and examples are tried when the bot compiles."""
    was_on = gc.isenabled()
    gc.disable()  # almost nothing of what is made is garbage; looking for it took a quarter of the time
    try:
        return _check(read_bot(root))
    finally:
        if was_on:
            gc.enable()


def _check(files: BotFiles) -> tuple[tuple[Diagnostic, ...], int]:
    loaded = compile_bot(files)
    findings = list(loaded.diagnostics)
    if loaded.bot is not None:
        findings += [*prove(loaded.bot), *failing_examples(loaded.bot)]
    read = [read_ignores(item.source, item.file) for item in files.documents]
    ignores = [ignore for found, _ in read for ignore in found]
    mistakes = [mistake for _, found in read for mistake in found]
    kept, unused = without_ignored(findings, ignores, runs=loaded.bot is not None)
    return in_order([*kept, *mistakes, *unused]), loaded.files


def in_github_actions() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def exit_code(findings: Sequence[Diagnostic], strict: bool) -> int:
    found = counts(findings)
    return 1 if found["error"] or (strict and found["warning"]) else 0
