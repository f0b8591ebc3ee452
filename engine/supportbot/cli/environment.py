"""Settings of the environment, filled up from the .env file of a bot."""

from __future__ import annotations

import os
from pathlib import Path

from dotenv import dotenv_values

from supportbot.errors import SettingsError


def environment_of(root: Path) -> dict[str, str]:
    """The environment and what the .env file next to supportbot.yaml adds; what is set already wins.

    Raises SettingsError when that file cannot be read.
    """
    try:
        written = dotenv_values(root / ".env", interpolate=False)
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(f"{root / '.env'} cannot be read: {problem}") from problem
    return {name: value for name, value in written.items() if value is not None} | dict(os.environ)
