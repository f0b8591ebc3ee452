"""``supportbot actions``: what waits in the outbox and what was given up, and what to do with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from supportbot.adapters.sqlite_outbox import SQLiteOutbox
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.cli.loading import working_bot
from supportbot.cli.options import color_option, format_option
from supportbot.cli.output import plural, to_json
from supportbot.cli.surroundings import store_file
from supportbot.cli.terminal import safe, say
from supportbot.config.environment import load
from supportbot.errors import UsageError
from supportbot.runtime.queued import QueuedCall

MOST = 1000
Result = TypeVar("Result")

_bot = click.option(
    "--bot", "bot_dir", type=click.Path(path_type=Path), metavar="BOT_DIR", help="The bot's folder; by default found."
)


@click.group("actions")
def command() -> None:
    """Calls to other services that wait or were given up."""


@command.command("list")
@_bot
@click.option("--all", "everything", is_flag=True, help="Also the ones that are done.")
@format_option("text", "json", default="text")
@color_option
def list_(bot_dir: Path | None, everything: bool, style: str) -> int:
    """Show what waits and what was given up. Exit code 1 when something was given up."""
    states = ("dead", "waiting", "done", "dropped") if everything else ("dead", "waiting")
    calls = _with_outbox(bot_dir, lambda outbox: outbox.listed(states, MOST))
    if style == "json":
        say(to_json({"actions": [_facts(call) for call in calls]}, indent=2))
    else:
        for line in _lines(calls):
            say(line)
    return int(any(call.state == "dead" for call in calls))


@command.command("retry")
@click.argument("ids", nargs=-1)
@_bot
@click.option("--all", "everything", is_flag=True, help="All that were given up.")
@color_option
def retry(ids: tuple[str, ...], bot_dir: Path | None, everything: bool) -> int:
    """Let calls be tried again by the running server, waiting ones at once; their visitors hear how it ends."""

    async def work(outbox: SQLiteOutbox) -> list[tuple[str, bool]]:
        now = datetime.now(UTC).timestamp()
        return [(call_id, await outbox.revive(call_id, now)) for call_id in await _chosen(outbox, ids, everything)]

    return _report(_with_outbox(bot_dir, work), "is tried again", "is done already, or there is no such call")


@command.command("drop")
@click.argument("ids", nargs=-1)
@_bot
@click.option("--all", "everything", is_flag=True, help="All that were given up.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@color_option
def drop(ids: tuple[str, ...], bot_dir: Path | None, everything: bool, yes: bool) -> int:
    """Never try calls again. A visitor who still waits for one is told with the next answer that it failed."""
    _chosen_rightly(ids, everything)
    what = "all calls that were given up" if everything else ", ".join(safe(call_id) for call_id in ids)
    if not yes and not click.confirm(f"Drop {what} for good?", err=True):
        return 1

    async def work(outbox: SQLiteOutbox) -> list[tuple[str, bool]]:
        now = datetime.now(UTC).timestamp()
        return [(call_id, await outbox.drop(call_id, now)) for call_id in await _chosen(outbox, ids, everything)]

    return _report(_with_outbox(bot_dir, work), "is dropped", "is done already, or there is no such call")


def _chosen_rightly(ids: Sequence[str], everything: bool) -> None:
    if bool(ids) == everything:
        raise UsageError("name the calls that `supportbot actions list` shows, or say --all")


async def _chosen(outbox: SQLiteOutbox, ids: Sequence[str], everything: bool) -> Sequence[str]:
    _chosen_rightly(ids, everything)
    return [call.id for call in await outbox.listed(("dead",), MOST)] if everything else ids


def _report(done: Sequence[tuple[str, bool]], good: str, bad: str) -> int:
    for call_id, worked in done:
        say(f"{safe(call_id)} {good}" if worked else f"{safe(call_id)}: {bad}")
    if not done:
        say("nothing was given up")
    return int(not all(worked for _, worked in done))


def _with_outbox(bot_dir: Path | None, work: Callable[[SQLiteOutbox], Awaitable[Result]]) -> Result:
    bot, root = working_bot(bot_dir)
    where = store_file(bot.settings.server.get("store"), root, load(root).values)
    if not where.is_file():
        raise UsageError(f"there is no store at {where}: the server makes it when it first runs")

    async def inside() -> Result:
        store = SQLiteStore(where)
        try:
            return await work(store.outbox)
        finally:
            await store.close()

    return asyncio.run(inside())


def _facts(call: QueuedCall) -> dict[str, object]:
    """Nothing that a visitor said."""
    return {
        "id": call.id,
        "action": call.action,
        "state": call.state,
        "session_id": call.session_id,
        "asked_at": _moment(call.created_at),
        "due_at": _moment(call.due_at) if call.state == "waiting" else "",
        "tries": call.attempts,
        "error": call.error,
        "reason": call.reason,
        "outcome_unknown": bool(call.sent_at),
        "told": call.told,
    }


def _lines(calls: Sequence[QueuedCall]) -> list[str]:
    if not calls:
        return ["nothing waits and nothing was given up"]
    lines = []
    for call in calls:
        state = "given up" if call.state == "dead" else call.state
        unknown = "; it may have happened" if call.state == "dead" and call.sent_at else ""
        reason = f": {safe(call.reason)}{unknown}" if call.reason else ""
        following = f" (next try {_moment(call.due_at)})" if call.state == "waiting" else ""
        lines.append(f"{call.id}  {state:<8}  {_moment(call.created_at)}  {safe(call.action)}{reason}{following}")
    dead = sum(call.state == "dead" for call in calls)
    if dead:
        lines += ["", f"{plural(dead, 'call')} given up. Mend the cause, then: supportbot actions retry --all"]
    return lines


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
