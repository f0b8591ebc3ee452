"""Where a bot is served and what its environment leaves off: for verbs that must not import the server."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from supportbot.adapters.environment import expand
from supportbot.adapters.requests import missing_of, missing_of_connection
from supportbot.errors import SettingsError
from supportbot.model.bot import Bot

DEFAULT_PORT = 8080
DEFAULT_STORE = "data/sessions.db"


def store_file(named: object, root: Path, environment: Mapping[str, str]) -> Path:
    """The file of the store: SUPPORTBOT_STORE, because a bot's folder may be read-only, else what the bot says."""
    said = expand(named if isinstance(named, str) and named else DEFAULT_STORE, environment)
    return root / (environment.get("SUPPORTBOT_STORE") or said or DEFAULT_STORE)


def address_of(environment: Mapping[str, str], host: str | None, port: int | None) -> tuple[str, int]:
    """Options of the command first, then PORT and SUPPORTBOT_HOST. Raises SettingsError for a PORT that is none."""
    given = environment.get("PORT", "")
    if port is None and given:
        if not (given.isascii() and given.isdigit() and int(given) < 65536):
            raise SettingsError(f"PORT is '{given}', but a port is a number from 0 to 65535")
        port = int(given)
    # Whoever sets PORT (a container platform) forwards to it from outside the container.
    default_host = "0.0.0.0" if given else "127.0.0.1"
    return host or environment.get("SUPPORTBOT_HOST") or default_host, DEFAULT_PORT if port is None else port


def log_level(environment: Mapping[str, str], default: str) -> str:
    """What LOG_LEVEL says. Raises SettingsError for a word that is no level."""
    given = environment.get("LOG_LEVEL", "")
    level = given.strip().upper() or default
    if level not in logging.getLevelNamesMapping() or level == "NOTSET":
        raise SettingsError(f"LOG_LEVEL is '{given}', but a level is DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return level


def actions_off(bot: Bot, environment: Mapping[str, str]) -> list[str]:
    """What is switched off because the environment does not name it, a line a connection. Names, never values."""
    return [line for name in bot.connections if (line := connection_off(bot, name, environment))]


def connection_off(bot: Bot, name: str, environment: Mapping[str, str]) -> str:
    """What of one connection is switched off, and what to set; empty when all of it works."""
    connection = bot.connections[name]
    own = missing_of_connection(connection, environment)
    actions = [action for action in bot.actions.values() if action.connection == name]
    more = [variable for action in actions for variable in missing_of(bot, action, environment)]
    missing = dict.fromkeys((*own, *more))
    if own:
        return f"the connection '{name}' is off: set {', '.join(missing)}"
    if missing:
        off = [f"'{action.id}'" for action in actions if missing_of(bot, action, environment)]
        return f"of the connection '{name}', {', '.join(off)} are off: set {', '.join(missing)}"
    return ""
