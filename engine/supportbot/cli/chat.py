"""``supportbot chat``: a conversation in the terminal."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from supportbot.adapters.litellm_model import LiteLLMModel
from supportbot.cli.loading import working_bot
from supportbot.cli.options import bot_argument, color_option, paint_of
from supportbot.cli.talk import YOU, Talk, show_reply, show_trace, show_why
from supportbot.cli.terminal import Paint, safe, say
from supportbot.compiler.quantities import seconds as seconds_of
from supportbot.config.environment import load

HELP = "/wait 31m lets time pass, /trace shows why, /reset begins again, /quit ends (Ctrl+D as well)"


@click.command("chat")
@bot_argument
@click.option("--trace", is_flag=True, help="Show how each answer came about.")
@color_option
@click.pass_context
def command(context: click.Context, bot_dir: Path | None, trace: bool) -> None:
    """Talk with the bot. Nothing is stored, and actions only pretend; a configured model is asked.

    While talking: /wait 31m, /trace, /reset, /quit.
    """
    bot, root = working_bot(bot_dir)
    model = LiteLLMModel(bot.settings.llm, load(root).values)
    asyncio.run(converse(Talk(bot, model), paint_of(context), trace))


async def converse(talk: Talk, paint: Paint, trace: bool) -> None:
    """Read lines and answer them until the input ends."""
    loop = Loop(talk, paint, trace)
    say(paint.faint(HELP))
    say(show_reply((await talk.greet()).reply, paint))
    try:
        while (line := await asyncio.to_thread(_read_line, paint)) is not None:
            if line.strip() and not await loop.take(line.strip()):
                break
    finally:
        await talk.model.close()


def _read_line(paint: Paint) -> str | None:
    """The next line, or None at the end of the input. A pipe's lines are shown, so that a log reads well."""
    try:
        line = input(f"\n{YOU}")
    except EOFError:
        say("")
        return None
    if not sys.stdin.isatty():
        say(paint.strong(safe(line)))
    return line


class Loop:
    """What one line does."""

    def __init__(self, talk: Talk, paint: Paint, trace: bool) -> None:
        self.talk = talk
        self.paint = paint
        self.trace = trace

    async def take(self, line: str) -> bool:
        """Handle one line; False ends the conversation."""
        word, _, rest = line.partition(" ")
        if word in ("/quit", "/exit", "/q"):
            return False
        if word == "/reset":
            await self.talk.reset()
            say(self.paint.faint("a new conversation"))
            say(show_reply((await self.talk.greet()).reply, self.paint))
        elif word == "/wait":
            await self._wait(rest.strip())
        elif word == "/trace":
            self.trace = not self.trace
            say(self.paint.faint(f"trace {'on' if self.trace else 'off'}"))
        elif word.startswith("/"):
            say(self.paint.faint(HELP))
        else:
            await self._say(line)
        return True

    async def _say(self, text: str) -> None:
        result, seconds = await self.talk.say(text)
        say(show_reply(result.reply, self.paint))
        if result.decision is not None:
            before = result.record.state if result.record else ""
            say(show_why(result.decision, before, result.session.state, seconds, self.paint))
            if self.trace:
                say(show_trace(result, self.paint))

    async def _wait(self, text: str) -> None:
        seconds = seconds_of(text)
        if seconds is None:
            say(self.paint.faint("say how long: /wait 31m, /wait 90s, /wait 2h"))
            return
        result = await self.talk.wait(seconds)
        say(self.paint.faint(f"{text} later"))
        if result is not None:
            say(show_reply(result.reply, self.paint))
