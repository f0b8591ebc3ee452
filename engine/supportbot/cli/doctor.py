"""``supportbot doctor``: what a bot needs around it, checked, and with ``--online`` tried."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from supportbot.adapters.environment import expand
from supportbot.cli.examining import Finding, current_store, examine
from supportbot.cli.naming import called
from supportbot.cli.options import bot_argument, color_option, format_option, paint_of
from supportbot.cli.output import plural, to_json
from supportbot.cli.services import connections, model, salesiq, variables
from supportbot.cli.terminal import Paint, put, safe, say
from supportbot.compiler.compile import compile_bot
from supportbot.config.environment import load, names_in
from supportbot.config.folder import find_bot, read_bot
from supportbot.errors import SettingsError
from supportbot.model.bot import Bot

_MARKS = {"ok": "✔", "note": "–", "failed": "✘"}


@click.command("doctor")
@bot_argument
@click.option("--online", is_flag=True, help="Try the services: a token, a harmless read, one question to the model.")
@click.option("--host", help="Address that the server would listen on; as for serve.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port that the server would listen on; as for serve.")
@format_option("text", "json", default="text")
@color_option
@click.pass_context
def command(
    context: click.Context, bot_dir: Path | None, online: bool, host: str | None, port: int | None, style: str
) -> int:
    """Check configuration, variables, model, connections and SalesIQ; what fails comes with its remedy.

    Exit code 1 when something failed. What is only switched off is a note. Values of variables are never shown, and
    nothing is sent without --online. The alert webhook is not called.
    """
    root = find_bot(bot_dir)
    findings = list(checks(root, host, port, online))
    if style == "json":
        put(to_json(as_json(findings), indent=2))
    else:
        for line in render(findings, paint_of(context), online):
            say(line)
    return int(any(finding.status == "failed" for finding in findings))


def checks(root: Path, host: str | None, port: int | None, online: bool) -> Iterator[Finding]:
    """All findings, in the order in which they are printed."""
    environment: Mapping[str, str] = os.environ
    try:
        environment = load(root).values
    except SettingsError as problem:
        yield Finding("configuration", ".env", "failed", str(problem), "save it again, or remove it")
    files = read_bot(root)
    compiled = compile_bot(files)
    yield from examine(compiled, root, environment, host, port)
    yield from variables(files.documents, compiled.bot, environment)
    bot = compiled.bot
    if bot is None:
        yield Finding("connections", "bot", "note", "model and services are looked at when the bot compiles")
        return
    yield from model(bot, environment)
    yield _alerts(bot, environment)
    yield from connections(bot, environment)
    yield from salesiq(bot, environment)
    if online:
        yield from _tried(bot, root, environment)


def _tried(bot: Bot, root: Path, environment: Mapping[str, str]) -> Iterator[Finding]:
    import asyncio  # only here: what follows imports the HTTP client

    from supportbot.cli.trying import try_all

    found = asyncio.run(try_all(bot, environment, current_store(bot, root, environment)))
    yield from found or [Finding("online", "services", "note", "no connection and no model is on, so none was tried")]


def _alerts(bot: Bot, environment: Mapping[str, str]) -> Finding:
    webhook = bot.settings.operations.alerts.webhook
    if url := (expand(webhook, environment) or "").strip():
        from supportbot.adapters.addresses import refusal  # only here: it imports aiohttp

        if why := refusal(url):
            remedy = f"put the whole address of an incoming webhook into {', '.join(names_in(webhook)) or webhook}"
            return Finding("connections", "alerts", "failed", f"alerts cannot be sent: {why}", remedy)
        return Finding("connections", "alerts", "ok", "alerts have an address (it is not called here)")
    wanted = ", ".join(names_in(webhook)) or "alerts.webhook"
    return Finding("connections", "alerts", "note", f"nobody is told when something keeps failing: set {wanted}")


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """``remedy`` and ``milliseconds`` only where there are any."""
    return {
        "checks": [
            {
                "area": finding.area,
                "name": finding.name,
                "status": finding.status,
                "message": finding.text,
                **({"remedy": finding.remedy} if finding.remedy else {}),
                **({"milliseconds": finding.milliseconds} if finding.milliseconds is not None else {}),
            }
            for finding in findings
        ],
        "summary": _counted(findings),
    }


def _counted(findings: Sequence[Finding]) -> dict[str, int]:
    found = Counter(finding.status for finding in findings)
    return {"ok": found["ok"], "notes": found["note"], "failed": found["failed"]}


def render(findings: Sequence[Finding], paint: Paint, online: bool) -> Iterator[str]:
    """A line a check, below the name of its area; a remedy is indented below it."""
    area = ""
    colors = {"ok": paint.good, "note": paint.note, "failed": paint.bad}
    for finding in findings:
        if finding.area != area:
            if area:
                yield ""
            area = finding.area
            yield paint.strong(area)
        took = f" {paint.faint(f'({finding.milliseconds} ms)')}" if finding.milliseconds is not None else ""
        yield f"{colors[finding.status](_MARKS[finding.status])} {safe(finding.text)}{took}"
        if finding.remedy:
            yield f"  {paint.note('remedy:')} {safe(finding.remedy)}"
    number = _counted(findings)
    yield ""
    yield f"{number['ok']} fine, {plural(number['notes'], 'note')}, {number['failed']} failed"
    if not online and not number["failed"]:
        yield f"nothing was sent; {called()} doctor --online tries the services"
