"""``supportbot stats``: the manager's figures, from the store of a bot. The server need not run."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.cli.loading import working_bot
from supportbot.cli.options import bot_argument, color_option, format_option
from supportbot.cli.surroundings import store_file
from supportbot.cli.terminal import safe, say
from supportbot.config.environment import load
from supportbot.errors import UsageError
from supportbot.runtime.statistics import TOP, Group, Report, Share, report_of
from supportbot.runtime.summaries import automation_json, stats_json

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]  # title, heads, rows


@click.command("stats")
@bot_argument
@click.option("--since", metavar="7d", help="Only what happened since then: a number and m, h, d or w. Default: all.")
@format_option("text", "csv", "markdown", "json", default="text")
@color_option
def command(bot_dir: Path | None, since: str | None, style: str) -> int:
    """What was asked, what answered, how conversations ended, what the model cost."""
    bot, root = working_bot(bot_dir)
    where = store_file(bot.settings.server.get("store"), root, load(root).values)
    if not where.is_file():
        raise UsageError(f"there is no store at {where}: run the server first, or name the file in SUPPORTBOT_STORE")
    report = asyncio.run(_report(where, moment(since, datetime.now(UTC))))
    say(STYLES[style](report))
    return 0


def moment(since: str | None, now: datetime) -> datetime | None:
    """``7d`` -> seven days before now. Raises UsageError for anything else."""
    if since is None:
        return None
    number, unit = since[:-1], since[-1:]
    if not (number.isascii() and number.isdigit() and 0 < int(number) < 100_000 and unit in UNITS):
        raise UsageError(f"--since '{safe(since)}' is no span of time: write a number and m, h, d or w, e.g. 7d")
    return now - timedelta(**{UNITS[unit]: int(number)})


async def _report(where: Path, since: datetime | None) -> Report:
    store = SQLiteStore(where)
    try:
        return report_of(await store.figures(since))
    finally:
        await store.close()


def tables(report: Report) -> Iterator[Table]:
    """Everything, in the order in which a manager asks for it."""
    total = report.total
    yield (
        "Summary",
        ("figure", "value"),
        (
            ("messages", str(total.messages)),
            ("conversations", str(total.conversations)),
            ("ended", str(total.ended)),
            ("without a person", f"{total.automated} ({rate(total.automation_rate)})"),
            ("resolved", rate(report.resolution_rate)),
            ("tokens spent", str(total.tokens)),
            ("tokens saved", str(total.saved)),
            ("money spent", f"{total.cost:.4f}"),
            ("not known by any rule", str(report.missed)),
            ("model turns", str(total.model_turns)),
            ("half answered within", seconds(total.latency.p50)),
            ("19 of 20 answered within", seconds(total.latency.p95)),
            ("mean time to answer", seconds(total.latency.mean)),
        ),
    )
    yield _shares("How conversations ended", "result", report.results)
    yield _shares("What answered", "outcome", report.outcomes)
    yield _groups("By day", "day", report.by_day)
    yield _groups("By category", "category", report.by_category)
    yield _shares("Categories", "category", report.categories)
    yield _shares("Handlers and guides", "rule", report.handlers[:TOP])
    yield _shares("States", "state", report.states)
    models = [
        (line.model, str(line.calls), str(line.failures), str(line.tokens_in), str(line.tokens_out), f"{line.cost:.4f}")
        for line in report.models
    ]
    yield "Models", ("model", "turns", "failed", "tokens in", "tokens out", "money"), models
    yield "Not known", ("count", "text"), [(str(miss.count), " ".join(miss.text.split())) for miss in report.misses]


def rate(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g} s"


def _shares(title: str, head: str, shares: Sequence[Share]) -> Table:
    return title, (head, "count", "percent"), [(item.id, str(item.count), f"{item.percent:.1f}") for item in shares]


def _groups(title: str, head: str, groups: Sequence[Group]) -> Table:
    heads = (head, "messages", "conversations", "ended", "automated", "rate")
    more = ("model turns", "tokens", "saved", "money", "half within", "19 of 20 within")
    rows = [
        (
            group.id,
            *(str(number) for number in (group.messages, group.conversations, group.ended, group.automated)),
            rate(group.automation_rate),
            *(str(number) for number in (group.model_turns, group.tokens, group.saved)),
            f"{group.cost:.4f}",
            seconds(group.latency.p50),
            seconds(group.latency.p95),
        )
        for group in groups
    ]
    return title, (*heads, *more), rows


# --- styles -----------------------------------------------------------------------------------------


def as_text(report: Report) -> str:
    parts = []
    for title, heads, rows in tables(report):
        lines = [tuple(safe(cell) for cell in row) for row in (heads, *rows)]
        widths = [max(len(row[column]) for row in lines) for column in range(len(heads))]
        shown = ["  ".join(_cell(row, column, widths) for column in range(len(heads))).rstrip() for row in lines]
        parts.append("\n  ".join((title, *(shown if rows else ("none",)))))
    return "\n\n".join(parts)


def _cell(row: Sequence[str], column: int, widths: Sequence[int]) -> str:
    return f"{row[column]:<{widths[column]}}" if column == 0 else f"{row[column]:>{widths[column]}}"


def as_markdown(report: Report) -> str:
    parts = []
    for title, heads, rows in tables(report):
        lines = ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in (heads, *rows)]
        lines.insert(1, "|" + "---|" * len(heads))
        parts.append(f"## {title}\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def _escaped(cell: str) -> str:
    return safe(cell).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")


def as_csv(report: Report) -> str:
    """One line a figure: table, row, column, value."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(("table", "row", "column", "value"))
    for title, heads, rows in tables(report):
        for row in rows:
            for head, value in zip(heads[1:], row[1:], strict=True):
                lines.writerow((title, harmless(row[0]), head, harmless(value)))
    return written.getvalue().rstrip("\n")


def harmless(cell: str) -> str:
    """A text that a spreadsheet will not take for a formula."""
    return "'" + cell if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and cell != "-" else cell


def as_json(report: Report) -> str:
    return json.dumps({"stats": stats_json(report), "report": automation_json(report)}, indent=2, ensure_ascii=False)


STYLES: dict[str, Callable[[Report], str]] = {
    "text": as_text,
    "csv": as_csv,
    "markdown": as_markdown,
    "json": as_json,
}
