"""The command ``supportbot``: finds the verb, and turns whatever happens into an exit code.

    0 fine    1 findings or failed tests    2 wrong usage    3 internal error    130 interrupted

Verbs are imported when they are called, so that ``--help`` and ``--version`` import almost nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from supportbot import __version__
from supportbot.cli.options import BrokenFolder, color_option
from supportbot.cli.terminal import Paint, color_wanted, prepare_streams, safe, say
from supportbot.diagnostics import did_you_mean
from supportbot.errors import BrokenBot, SupportbotError

FINE, FINDINGS, USAGE, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 130
SHOWN_FINDINGS = 10  # of a bot that some other verb than validate needs whole

VERBS: dict[str, str] = {
    "demo": "Try the built-in bot for IT support: no key, no network.",
    "init": "Start a bot of your own in a new folder.",
    "validate": "Check a bot: every mistake with its place and its remedy.",
    "test": "Play the conversation tests and the examples of the rules.",
    "explain": "Why does it answer that?",
    "chat": "Talk with the bot in the terminal.",
    "explain-check": "What a finding means, with a wrong and a right example.",
    "action": "Preview the requests of an action.",
    "actions": "Calls that wait or were given up: list, retry, drop.",
    "zoho": "Sign in to Zoho; replay what SalesIQ sends.",
    "graph": "Draw the states of the bot.",
    "schema": "What may stand in each file, for editors: completion and underlines.",
    "serve": "Run the bot as an HTTP server.",
    "doctor": "Is everything there that the bot needs? With --online it tries.",
    "stats": "What was asked, what answered, what it cost: from the store.",
}


class Verbs(click.Group):
    """A group that knows its verbs by name and imports one only when it is called."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = import_module(f"supportbot.cli.{name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            hint = did_you_mean(args[0], VERBS)
            context.fail(f"there is no command '{safe(args[0])}'" + (f": {hint}" if hint else ""))
        return super().resolve_command(context, args)

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="BOT_DIR is by default the nearest folder upward with a supportbot.yaml. "
    "Exit codes: 0 fine, 1 findings or failed tests, 2 wrong usage, 3 internal error, "
    "130 interrupted.",
)
@click.version_option(__version__, prog_name="supportbot")
@color_option
def supportbot() -> None:
    """A chatbot that support staff describe in YAML, checked like code."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never raises."""
    prepare_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    choices: dict[str, str] = {}
    try:
        return _invoke(given, choices)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as problem:  # a wrong option, a file that cannot be read
        problem.show()
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        say("", err=True)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, e.g. `| head`
        _silence_stdout()
        return FINE
    except BrokenBot as broken:
        return _show_broken(broken, Paint(color_wanted(choices, sys.stderr)))
    except SupportbotError as problem:
        say(f"{Paint(color_wanted(choices, sys.stderr)).bad('error:')} {safe(str(problem))}", err=True)
        return problem.exit_code
    except Exception as problem:
        from supportbot.cli.crash import report  # only a crash needs it

        say(report(problem, given), err=True)
        return INTERNAL


def _invoke(given: list[str], choices: dict[str, str]) -> int:
    """What click's own ``main`` does, less its exit codes: it answers 1 when the reader of a pipe went away."""
    wanted = os.environ.get("_SUPPORTBOT_COMPLETE")  # the shell asks for completions
    if wanted:
        from click.shell_completion import shell_complete

        return shell_complete(supportbot, {}, "supportbot", "_SUPPORTBOT_COMPLETE", wanted)
    with supportbot.make_context("supportbot", given, obj=choices) as context:
        result = supportbot.invoke(context)
    sys.stdout.flush()
    return result if isinstance(result, int) else FINE


def _show_broken(broken: BrokenBot, paint: Paint) -> int:
    from supportbot.cli.output import plural, render_text  # only a broken bot needs it

    root = broken.root if isinstance(broken, BrokenFolder) else None
    shown = broken.diagnostics[:SHOWN_FINDINGS]
    say(render_text(shown, root, paint), err=True)
    more = len(broken.diagnostics) - len(shown)
    also = f" and {more} more" if more else ""
    say(f"\nthe bot has mistakes: {plural(len(shown), 'error')} above{also}; see `supportbot validate`", err=True)
    return broken.exit_code


def _silence_stdout() -> None:
    """Keep Python's own flush at exit from complaining about the closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Entry point of the installed command."""
    sys.exit(run())


if __name__ == "__main__":
    main()
