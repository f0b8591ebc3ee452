"""``supportbot test``: the conversations of a bot played, and the examples of its rules tried."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from supportbot.cli.junit import Case, render_junit
from supportbot.cli.loading import working_bot
from supportbot.cli.options import color_option, format_option, paint_of
from supportbot.cli.output import diagnostic_json, plural, render_text, shown_path, to_json
from supportbot.cli.terminal import Paint, put, safe, say
from supportbot.config.folder import SETTINGS_FILE, find_bot
from supportbot.diagnostics import did_you_mean
from supportbot.errors import UsageError
from supportbot.runtime.checks import Checked, CheckReport, Coverage, Failure, Tried, run_checks

SHOWN_REASONS = 8


@click.command("test")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--run", "name", metavar="NAME", default="", help="Only conversations whose name holds NAME, or fits *.")
@click.option("--coverage", is_flag=True, help="Show which rules, responses, states and steps no conversation reaches.")
@click.option("--fail-under", type=click.FloatRange(0, 100), metavar="N", help="Fail when less than N % is covered.")
@format_option("text", "json", "junit", default="text")
@color_option
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[Path, ...],
    name: str,
    coverage: bool,
    fail_under: float | None,
    style: str,
) -> int:
    """Play conversation tests and try the examples inside rules.

    PATHS are files or folders of conversations, or the folder of a bot; by default everything of the nearest bot.
    No model is asked and no service is called.
    """
    started = time.perf_counter()
    folder, chosen = split_paths(paths)
    bot, root = working_bot(folder)
    report = run_checks(bot, root, chosen, name)
    if name and not report.conversations and not report.diagnostics:
        raise UsageError(f"--run: no conversation is called '{name}'; {_names(run_checks(bot, root, chosen))}")
    short = fail_under is not None and report.coverage.percent < fail_under
    paint = paint_of(context)
    if style == "json":
        put(to_json(as_json(report), indent=2))
    elif style == "junit":
        put(render_junit(list(cases(report)), "supportbot test"))
    else:
        for block in blocks(report, root, coverage or short, paint):
            say(block + "\n")
        say(closing(report, time.perf_counter() - started, paint))
    if short:
        shown = f"{report.coverage.percent:.1f} % is covered, {fail_under:g} % was asked for"
        say(f"{paint.bad('too little:')} {shown}", err=style != "text")
    return 0 if report.ok and not short else 1


def split_paths(paths: Sequence[Path]) -> tuple[Path | None, tuple[Path, ...]]:
    """The folder to look for the bot in, and the conversations that were chosen."""
    bots = [path for path in paths if (path / SETTINGS_FILE).is_file()]
    if len(bots) > 1:
        raise UsageError(f"{bots[0]} and {bots[1]} are two bots; test one at a time")
    others = tuple(path for path in paths if path not in bots)
    if bots or not others:
        return (bots[0] if bots else None), others
    if not others[0].exists():
        raise UsageError(f"{others[0]} does not exist; name a file of conversations or a folder with such files")
    try:  # the bot that a chosen file belongs to, else the one around the current folder
        return find_bot(others[0].resolve().parent), others
    except UsageError:
        return None, others


def _names(report: CheckReport) -> str:
    names = [item.name for item in report.conversations]
    return did_you_mean("", names) or "there are no conversations"


# --- text ---------------------------------------------------------------------------------


def blocks(report: CheckReport, root: Path, coverage: bool, paint: Paint) -> Iterator[str]:
    """What is wrong with the test files, every failure with its reasons, and the coverage when it is asked for."""
    if report.diagnostics:
        yield render_text(report.diagnostics, root, paint)
    for checked in report.conversations:
        if not checked.ok:
            head = f"{paint.bad('failed')} {paint.strong(safe(checked.name))}"
            yield "\n".join([head, *(_failure(item, root, paint) for item in checked.failures)])
    for tried in report.examples:
        if not tried.ok:
            yield _example(tried, root, paint)
    if coverage:
        yield _coverage(report.coverage, root, paint)


def _failure(item: Failure, root: Path, paint: Paint) -> str:
    where = f"{shown_path(item.place.file, root)}:{item.place.line}:{item.place.column}"
    said = f'"{safe(item.said)}"' if item.said else "silence"
    lines = [
        f"  {where}: step {item.step}, {said}",
        f"    {item.key}: expected {safe(item.expected)}",
        f"    {' ' * len(item.key)}  but got  {safe(item.got)}",
    ]
    lines += [paint.faint(f"      {safe(reason)}") for reason in item.trace[:SHOWN_REASONS]]
    return "\n".join(lines)


def _example(item: Tried, root: Path, paint: Paint) -> str:
    where = f"{shown_path(item.place.file, root)}:{item.place.line}:{item.place.column}"
    hint = f"\n  {paint.note('hint:')} {safe(item.hint)}" if item.hint else ""
    return f"{paint.bad('failed')} {where}: {safe(item.problem)}{hint}"


def _coverage(coverage: Coverage, root: Path, paint: Paint) -> str:
    lines = [paint.strong(f"coverage {coverage.percent:.1f} %")]
    lines += [f"  {item.part:<11} {item.shown:>4} of {item.total}" for item in coverage.parts]
    if coverage.missing:
        lines.append("not reached by any conversation:")
    for item in coverage.missing:
        lines.append(f"  {shown_path(item.place.file, root)}:{item.place.line}: {item.part} {safe(item.id)}")
    return "\n".join(lines)


def closing(report: CheckReport, seconds: float, paint: Paint) -> str:
    total = len(report.conversations) + len(report.examples)
    counted = f"{plural(len(report.conversations), 'conversation')} and {plural(len(report.examples), 'example')}"
    if report.ok:
        return paint.good(f"{total} passed") + f": {counted} ({seconds:.2f} s)"
    return paint.bad(f"{report.failures} failed") + f" of {counted} ({seconds:.2f} s)"


# --- for programs -------------------------------------------------------------------------


def as_json(report: CheckReport) -> dict[str, object]:
    return {
        "conversations": [_conversation_json(item) for item in report.conversations],
        "examples": [_example_json(item) for item in report.examples],
        "diagnostics": [diagnostic_json(item) for item in report.diagnostics],
        "coverage": {
            "percent": round(report.coverage.percent, 1),
            "parts": [{"part": item.part, "shown": item.shown, "total": item.total} for item in report.coverage.parts],
            "missing": [
                {"part": item.part, "id": item.id, "file": item.place.file, "line": item.place.line}
                for item in report.coverage.missing
            ],
        },
        "summary": {
            "conversations": len(report.conversations),
            "examples": len(report.examples),
            "failed": report.failures,
        },
    }


def _conversation_json(item: Checked) -> dict[str, object]:
    return {
        "name": item.name,
        "file": item.place.file,
        "line": item.place.line,
        "passed": item.ok,
        "failures": [_failure_json(failure) for failure in item.failures],
    }


def _failure_json(item: Failure) -> dict[str, object]:
    return {
        "file": item.place.file,
        "line": item.place.line,
        "column": item.place.column,
        "step": item.step,
        "said": item.said,
        "key": item.key,
        "expected": item.expected,
        "got": item.got,
        "trace": list(item.trace),
    }


def _example_json(item: Tried) -> dict[str, object]:
    return {
        "rule": item.owner,
        "text": item.text,
        "kind": "match" if item.wanted else "no_match",
        "file": item.place.file,
        "line": item.place.line,
        "passed": item.ok,
        "problem": item.problem,
        "hint": item.hint,
    }


def cases(report: CheckReport) -> Iterator[Case]:
    """A case a conversation and an example; a test file that is wrong fails as a case of its own."""
    for finding in report.diagnostics:
        if finding.severity == "error":
            yield Case(finding.place.file, f"{finding.place.line}: {finding.code}", f"{finding}\n{finding.hint}")
    for checked in report.conversations:
        yield Case(checked.place.file, checked.name, "\n".join(str(item) for item in checked.failures))
    for tried in report.examples:
        kind = "match" if tried.wanted else "no_match"
        problem = f"{tried.problem}\n{tried.hint}" if tried.problem else ""
        yield Case(f"{tried.place.file} {tried.owner}", f"{kind}: {tried.text}", problem)
