"""``${NAME}`` and ``${NAME:-default}`` in settings: read when a bot is served, never when it is compiled."""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from supportbot.errors import SettingsError

# Used on the bot's own settings only, never on a visitor's text.
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}")


def references(text: str) -> dict[str, str]:
    """The variables that a text names, in order, with their defaults (empty without one)."""
    found: dict[str, str] = {}
    for match in _REFERENCE.finditer(text):
        found[match[1]] = found.get(match[1]) or match[2] or ""
    return found


class MissingVariables(SettingsError):
    """A text needs variables that have no value and no default; ``names`` says which."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(f"set in the environment or in .env: {', '.join(names)}")


class Secret:
    """A text that does not show itself in logs, tracebacks or formatted texts; ``reveal`` gives it away."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        """Takes the same time wherever two secrets differ, so that nobody can guess one letter by letter."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode("utf-8", "replace"), other._text.encode("utf-8", "replace"))

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables by name. Its own repr shows none of the values."""

    values: Mapping[str, str] = field(repr=False)

    def missing(self, *texts: str) -> tuple[str, ...]:
        """Names that the texts need and that have neither a value nor a default. An empty value is none."""
        needed = (match[1] for text in texts for match in _REFERENCE.finditer(text) if match[2] is None)
        return tuple(dict.fromkeys(name for name in needed if not self.values.get(name)))

    def expand(self, text: str) -> str:
        """The text with its references replaced. Raises MissingVariables."""
        missing = self.missing(text)
        if missing:
            raise MissingVariables(missing)
        return _REFERENCE.sub(lambda match: self.values.get(match[1]) or match[2] or "", text)

    def secret(self, name: str) -> Secret | None:
        """The value of a variable, wrapped, or None when it has none."""
        value = self.values.get(name)
        return Secret(value) if value else None


def names_in(text: str) -> tuple[str, ...]:
    """All variables that a text refers to, with or without a default."""
    return tuple(dict.fromkeys(match[1] for match in _REFERENCE.finditer(text)))


def load(root: Path) -> Environment:
    """The real environment, and below it what the .env file next to the bot says.

    Nothing is exported: child processes and libraries see only the real environment. Raises SettingsError when the
    .env file is there and cannot be read.
    """
    path = root / ".env"
    try:
        # Real files only: reading a pipe would wait for its writer.
        written = dotenv_values(path, encoding="utf-8") if path.is_file() else {}
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(
            f"{path.name} cannot be read: {problem}; save it as UTF-8 text with NAME=value lines"
        ) from problem
    values = {name: value for name, value in written.items() if value is not None}
    return Environment({**values, **os.environ})
