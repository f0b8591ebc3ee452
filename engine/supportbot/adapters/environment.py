"""``${NAME}`` and ``${NAME:-default}`` in settings, read from the environment when the bot is served."""

from __future__ import annotations

import re
from collections.abc import Mapping

# On the bot's own settings only, never on a visitor's text.
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}")


def missing_names(text: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Names that ``text`` needs and the environment does not give; an empty value counts as none."""
    found = (match for match in _REFERENCE.finditer(text) if match.group(2) is None)
    return tuple(dict.fromkeys(match.group(1) for match in found if not environment.get(match.group(1))))


def expand(text: str, environment: Mapping[str, str]) -> str | None:
    """``text`` with its references replaced, or None when one has neither a value nor a default."""
    if missing_names(text, environment):
        return None
    return _REFERENCE.sub(lambda found: environment.get(found.group(1)) or found.group(2) or "", text)
