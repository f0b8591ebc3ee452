"""``supportbot schema``: what may stand in each file, with this bot's own ids, for editors."""

from __future__ import annotations

from pathlib import Path

import click

from supportbot.cli.options import bot_argument, color_option, paint_of
from supportbot.cli.output import plural, shown_path
from supportbot.cli.terminal import put, say
from supportbot.config.folder import find_bot, read_bot
from supportbot.config.own_schemas import general_schemas, own_schemas, write_schemas
from supportbot.diagnostics import did_you_mean
from supportbot.errors import UsageError

DEFAULT = "handlers"


@click.command("schema")
@bot_argument
@click.option("--write", is_flag=True, help="Write all of them into schemas/, where the bot's files look for them.")
@click.option("--kind", metavar="KIND", default=None, help=f"Which one to print (default: {DEFAULT}).")
@color_option
@click.pass_context
def command(context: click.Context, bot_dir: Path | None, write: bool, kind: str | None) -> None:
    """JSON Schemas that know the ids of a bot: editors complete them and underline the ones that do not exist.

    Without --write one schema is printed. A bot with mistakes has schemas as well.
    """
    if write and kind is not None:
        raise UsageError("--write writes all schemas: leave --kind out")
    wanted = kind if kind is not None else DEFAULT
    if wanted not in general_schemas():
        raise UsageError(f"--kind: there is no schema '{wanted}'; {did_you_mean(wanted, general_schemas())}")
    files = read_bot(find_bot(bot_dir))
    if not write:
        put(own_schemas(files)[wanted].rstrip("\n"))
        return
    try:
        folder, written = write_schemas(files)
    except OSError as problem:
        raise UsageError(f"the schemas cannot be written: {problem.strerror or problem}") from problem
    paint = paint_of(context)
    where = shown_path("", files.root) or shown_path(folder.relative_to(files.root).as_posix(), files.root)
    say(f"{paint.good('written')} {where}: {plural(written, 'file')} changed" if written else f"{where} is up to date")
