"""``supportbot demo``: the built-in bot loads, checks itself and talks. No key, no network."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from supportbot.cli.chat import converse
from supportbot.cli.loading import errors_of
from supportbot.cli.naming import NAME, activation, called
from supportbot.cli.options import BrokenFolder, color_option, paint_of
from supportbot.cli.output import plural
from supportbot.cli.talk import YOU, NoModel, Talk, show_reply, show_why
from supportbot.cli.terminal import Paint, safe, say
from supportbot.compiler.compile import load_bot
from supportbot.model.bot import Bot
from supportbot.resources import starter_bot
from supportbot.runtime.checks import CheckReport, run_checks

# One conversation: a guide and its next step, a handler, a typing mistake, a form with typed answers.
SCRIPT: Sequence[str] = (
    "hi, my printer is offline again",
    "no, still the same",
    "that did it, thanks!",
    "now quikbooks shows error H202",
    "can someone call me back?",
    "Sam Carter",
    "020 7946 0123",
    "tomorrow at 10",
    "yes",
)
NEXT = (
    ("supportbot init my-bot", "a bot of your own, ready to change"),
    ("supportbot chat --trace", "talk with it and see why it answers"),
    ('supportbot explain "my printer is offline"', "one message, every rule that was considered"),
    ("supportbot serve", "the server: /chat, /webhook/salesiq, /widget"),
)


@click.command("demo")
@click.option("--script", "scripted", is_flag=True, help="Play the scripted conversation in a terminal as well.")
@color_option
@click.pass_context
def command(context: click.Context, scripted: bool) -> int:
    """Try the built-in bot for IT support: it loads, checks itself, then you talk with it.

    Without a terminal it plays a conversation of its own.
    """
    paint = paint_of(context)
    bot = load(paint)
    report = check(bot, starter_bot(), paint)
    if scripted or not (sys.stdin.isatty() and sys.stdout.isatty()):
        asyncio.run(play(Talk(bot, NoModel()), SCRIPT, paint))
    else:
        say()
        asyncio.run(converse(Talk(bot, NoModel()), paint, trace=False))
    say("\n" + paint.strong("Next"))
    next_lines = [(f"{called()}{line.removeprefix(NAME)}", why) for line, why in NEXT]
    widest = max(len(line) for line, _ in next_lines)
    for line, why in next_lines:
        say(f"  {paint.note(f'{line:<{widest}}')}  {why}")
    if activate := activation():
        say(f"  {paint.note(f'{activate:<{widest}}')}  then plain {NAME} does")
    return 0 if report.ok else 1


def load(paint: Paint) -> Bot:
    """The starter bot, with its figures printed."""
    started = time.perf_counter()
    root = starter_bot()
    loaded = load_bot(root)
    if loaded.bot is None:
        raise BrokenFolder(errors_of(loaded.diagnostics), root)
    bot = loaded.bot
    figures = ", ".join(
        (
            plural(len(bot.categories), "category").replace("categorys", "categories"),
            plural(len(bot.guides), "guide"),
            plural(len(bot.handlers), "handler"),
            plural(len(bot.graph.states), "state"),
            plural(len(bot.index.patterns), "pattern"),
            plural(len(bot.responses), "response"),
        )
    )
    _done(f"{safe(bot.settings.name)}: {figures}", "loaded", time.perf_counter() - started, paint)
    return bot


def check(bot: Bot, root: Path, paint: Paint) -> CheckReport:
    """The bot's own examples and conversation tests."""
    started = time.perf_counter()
    report = run_checks(bot, root)
    total = f"{plural(len(report.conversations), 'conversation')} and {plural(len(report.examples), 'example')}"
    if report.ok:
        _done(total, "pass", time.perf_counter() - started, paint)
    else:
        say(f"{paint.bad('✘')} {report.failures} of {total} failed: run {called()} test {root}")
    return report


def _done(what: str, verb: str, seconds: float, paint: Paint) -> None:
    say(f"{paint.good('✔')} {what} {verb} {paint.faint(f'({seconds:.2f} s)')}")


async def play(talk: Talk, script: Sequence[str], paint: Paint) -> None:
    """Say the lines of a script and show what comes back."""
    say("\n" + show_reply((await talk.greet()).reply, paint))
    for line in script:
        say(f"\n{YOU}{paint.strong(line)}")
        result, seconds = await talk.say(line)
        say(show_reply(result.reply, paint))
        if result.decision is not None:
            before = result.record.state if result.record else ""
            say(show_why(result.decision, before, result.session.state, seconds, paint))
