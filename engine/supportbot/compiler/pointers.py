"""JSON pointers (RFC 6901): ways through an answer."""

from __future__ import annotations

import re

from supportbot.compiler.context import Context
from supportbot.diagnostics import Place

_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")


def is_pointer(text: str, place: Place, context: Context) -> bool:
    """Whether a text is a JSON pointer; reported when it is not."""
    if _POINTER.fullmatch(text):
        return True
    hint = "write the way through the answer: /ticketNumber or /data/0/id"
    context.refs.error("bad-pointer", place, f"{text!r} is not a JSON pointer", hint)
    return False
