"""``supportbot validate``: every finding about a bot, in the form that people, editors and CI systems read."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from supportbot.cli.checking import check
from supportbot.cli.fixing import as_diff, mend_bot, write
from supportbot.cli.junit import diagnostics_as_cases, render_junit
from supportbot.cli.options import bot_argument, color_option, format_option, paint_of
from supportbot.cli.output import counts, plural, render_github, render_json, render_text, summary_line
from supportbot.cli.sarif import render_sarif
from supportbot.cli.summary import write_step_summary
from supportbot.cli.terminal import Paint, put, safe, say
from supportbot.cli.watching import watch
from supportbot.config.folder import Memory, find_bot
from supportbot.diagnostics import Diagnostic
from supportbot.errors import UsageError

FORMATS = ("auto", "text", "json", "sarif", "github", "junit")


@click.command(
    "validate",
    epilog="Exit codes: 0 fine, 1 findings (errors; with --strict warnings too), 2 wrong usage, 3 internal error, "
    "130 interrupted.",
)
@bot_argument
@format_option(*FORMATS, default="auto")
@click.option("--strict", is_flag=True, help="Warnings fail as well.")
@click.option("--watch", "watching", is_flag=True, help="Check again after every save.")
@click.option("--fix", is_flag=True, help="Mend what has one safe edit, then check again.")
@click.option("--diff", is_flag=True, help="With --fix: show the edits and write nothing.")
@color_option
@click.pass_context
def command(
    context: click.Context, bot_dir: Path | None, style: str, strict: bool, watching: bool, fix: bool, diff: bool
) -> int:
    """Check a bot: YAML, ids, patterns, templates, the state graph and the examples of its rules.

    Inside GitHub Actions findings become annotations by themselves.
    """
    chosen = style if style != "auto" else "github" if in_github_actions() and not watching else "text"
    if diff and not fix:
        raise UsageError("--diff shows what --fix would change: write --fix --diff")
    if watching and (fix or chosen != "text"):
        raise UsageError("--watch prints text and changes nothing: leave --fix and --format out")
    root = find_bot(bot_dir)
    paint = paint_of(context)
    if watching:
        memory = Memory()
        watch(root, lambda: _print(_timed(root, memory), "text", strict, root, paint), paint)
    checked = _mended(root, diff, chosen, paint) if fix else _timed(root)
    if checked is None:
        return 1
    _print(checked, chosen, strict, root, paint)
    return exit_code(checked.findings, strict)


@dataclass(frozen=True, slots=True)
class Checked:
    """``seconds``: how long it took."""

    findings: tuple[Diagnostic, ...]
    files: int
    seconds: float


def _timed(root: Path, memory: Memory | None = None) -> Checked:
    started = time.perf_counter()
    findings, files = check(root, memory)
    return Checked(findings, files, time.perf_counter() - started)


def _mended(root: Path, diff: bool, style: str, paint: Paint) -> Checked | None:
    """What is left after the edits; None when they were shown instead of made."""
    started = time.perf_counter()
    mended = mend_bot(root)
    if diff and mended.after:
        say(as_diff(mended))
        say(f"would make {plural(mended.edits, 'edit')} in {plural(len(mended.after), 'file')}", err=True)
        return None
    write(mended)
    if mended.after:
        made = f"{plural(mended.edits, 'edit')} in {', '.join(sorted(mended.after))}"
        say(f"{paint.good('mended:')} {safe(made)}" + ("\n" if style == "text" else ""), err=style != "text")
    return Checked(mended.findings, mended.files, time.perf_counter() - started)


def _print(checked: Checked, style: str, strict: bool, root: Path, paint: Paint) -> None:
    findings = checked.findings
    if style == "json":
        put(render_json(findings, checked.files))
    elif style == "sarif":
        put(render_sarif(findings, root))
    elif style == "junit":
        put(render_junit(diagnostics_as_cases(findings, strict), "supportbot validate"))
    else:
        body = render_github(findings, root) if style == "github" else render_text(findings, root, paint)
        if body:
            say(body + ("\n" if style == "text" else ""))
        say(summary_line(findings, checked.files, checked.seconds, paint))
        if style == "github":
            write_step_summary(findings, root)


def in_github_actions() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def exit_code(findings: Sequence[Diagnostic], strict: bool) -> int:
    found = counts(findings)
    return 1 if found["error"] or (strict and found["warning"]) else 0
