"""Arguments that several verbs share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from supportbot.cli.terminal import COLOR_CHOICES, Paint, color_wanted
from supportbot.diagnostics import Diagnostic
from supportbot.errors import BrokenBot


class BrokenFolder(BrokenBot):
    """A bot with errors, and the folder it is in, so that its lines can be shown."""

    def __init__(self, diagnostics: Sequence[Diagnostic], root: Path) -> None:
        super().__init__(diagnostics)
        self.root = root


Command = TypeVar("Command", bound=Callable[..., Any])


def _remember_color(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(dict)["color"] = value


def color_option(command: Command) -> Command:
    """``--color``, before the verb or after it; see terminal.color_wanted."""
    return click.option(
        "--color",
        type=click.Choice(COLOR_CHOICES),
        expose_value=False,
        callback=_remember_color,
        help="Colors: by default when the output is a terminal.",
    )(command)


def paint_of(context: click.Context) -> Paint:
    """Colors for standard output, as ``--color`` and the environment want them."""
    return Paint(color_wanted(context.obj))


def bot_argument(command: Command) -> Command:
    """The optional folder of the bot, as ``bot_dir``."""
    return click.argument("bot_dir", metavar="[BOT_DIR]", required=False, type=click.Path(path_type=Path))(command)


def format_option(*choices: str, default: str | None = None) -> Callable[[Command], Command]:
    """``--format``, as ``style``; without a default the verb chooses."""
    return click.option("--format", "style", type=click.Choice(choices), default=default, help="How to print it.")
