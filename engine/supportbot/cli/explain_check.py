"""``supportbot explain-check``: what a finding means, with an example that is wrong and one that is right."""

from __future__ import annotations

from itertools import groupby

import click

from supportbot.cli.check_pages import Section, sections
from supportbot.cli.options import color_option, paint_of
from supportbot.cli.terminal import Paint, safe, say
from supportbot.diagnostics import did_you_mean
from supportbot.errors import UsageError


@click.command("explain-check")
@click.argument("code", required=False)
@color_option
@click.pass_context
def command(context: click.Context, code: str | None) -> None:
    """What a finding of validate means: CODE is what stands in square brackets. Without it: all codes."""
    paint = paint_of(context)
    if code is None:
        say(listed(paint))
        return
    say(explained(section_of(code), paint))


def section_of(code: str) -> Section:
    """Raises UsageError for a code that does not exist; brackets and capitals do not matter."""
    known = sections()
    wanted = code.strip().strip("[]").strip().lower().replace("_", "-")
    if wanted in known:
        return known[wanted]
    hint = did_you_mean(wanted, known)
    hint = hint if hint.startswith("did") else "`supportbot explain-check` lists all of them"
    raise UsageError(f"there is no check '{safe(code)}': {hint}")


def listed(paint: Paint) -> str:
    """All codes by chapter, each with its first sentence."""
    width = max(map(len, sections()))
    lines: list[str] = []
    for chapter, items in groupby(sections().values(), key=lambda item: item.chapter):
        lines += ["", paint.strong(chapter)] if lines else [paint.strong(chapter)]
        lines += [f"  {item.code:<{width}}  {paint.severity(item.severity)}: {item.summary}" for item in items]
    return "\n".join(lines)


def explained(section: Section, paint: Paint) -> str:
    """The section for a terminal: Markdown reads well as it is, only the fences go and examples are indented."""
    lines = [paint.strong(section.code), ""]
    fenced = False
    for line in section.text.split("\n"):
        if line.startswith("```"):
            fenced = not fenced
            continue
        if fenced:
            lines.append(f"    {line}".rstrip())
        elif line.endswith(":") and line.startswith(("Wrong", "Right")):
            lines.append(paint.bad(line) if line.startswith("Wrong") else paint.good(line))
        else:
            lines.append(line)
    return "\n".join(lines)
