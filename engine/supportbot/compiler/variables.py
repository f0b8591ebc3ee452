"""Texts that read the environment: ``${NAME}`` and ``${NAME:-default}``. Here only their form is checked."""

from __future__ import annotations

import re

from supportbot.compiler.context import Context
from supportbot.diagnostics import Place

_BEGIN = re.compile(r"\$\{")
_WHOLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^{}]*)?\}", re.ASCII)

HINT = "write ${NAME} or ${NAME:-default}; a name has letters, digits and _"


def variable_text(source: str, place: Place, context: Context) -> str:
    """The text itself; a reference that nothing would replace is reported."""
    for begin in _BEGIN.finditer(source):
        if not _WHOLE.match(source, begin.start()):
            shown = source[begin.start() : begin.start() + 30]
            context.refs.error("bad-variable", place, f"'{shown}' does not name a variable", HINT)
            break
    return source


def secret_text(source: str, place: Place, context: Context) -> str:
    """Like ``variable_text`` for what must not be written into a file."""
    if source and not _BEGIN.search(source):
        message = "a secret is written into the file, where everyone who has the bot can read it"
        context.refs.warn("secret-in-file", place, message, "put it into the environment and write ${NAME} here")
    return variable_text(source, place, context)
