"""What ``supportbot doctor`` checks about the machine and the bot's folder. Nothing is changed by looking."""

from __future__ import annotations

import errno
import platform
import re
import socket
import sqlite3
import sys
import tempfile
import zoneinfo
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from supportbot.adapters.sqlite_schema import SCHEMA_VERSION
from supportbot.cli.naming import called
from supportbot.cli.output import counts, plural
from supportbot.cli.surroundings import address_of, log_level, store_file
from supportbot.compiler.compile import Compiled
from supportbot.errors import SettingsError
from supportbot.model.bot import Bot

Status = Literal["ok", "note", "failed"]

# What a requirement of ours looks like: aiohttp>=3.14.4
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)>=([0-9.]+)$")
_PACKAGE = "supportbot"
# What it needs when its own metadata do not say, as in a checkout.
_NEEDED = (
    *("aiohttp", "aiohttp-retry", "click", "cryptography", "dateparser", "email-validator", "google-re2", "Jinja2"),
    *("litellm", "msgspec", "phonenumbers", "prometheus-client", "python-dotenv", "PyYAML", "transitions", "tzdata"),
)
_OLDEST_PYTHON = (3, 11)
_BUSY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. ``remedy``: what to do about it, always there when it failed; ``milliseconds`` of a real try."""

    area: str
    name: str
    status: Status
    text: str
    remedy: str = ""
    milliseconds: int | None = None


def examine(
    compiled: Compiled, root: Path, environment: Mapping[str, str], host: str | None, port: int | None
) -> Iterator[Finding]:
    """Python, packages, the bot, its time zone, its store, its address, its log."""
    yield _python()
    yield _packages()
    yield _compiles(compiled, root)
    if compiled.bot is not None:
        yield _zone(compiled.bot)
        yield _store(compiled.bot, root, environment)
    yield from _address(environment, host, port)
    yield _log_level(environment)


def _found(name: str, status: Status, text: str, remedy: str = "") -> Finding:
    return Finding("configuration", name, status, text, remedy)


def _python() -> Finding:
    version = platform.python_version()
    if sys.version_info[:2] < _OLDEST_PYTHON:
        wanted = ".".join(str(part) for part in _OLDEST_PYTHON)
        return _found("python", "failed", f"Python {version} is too old", f"install Python {wanted} or newer")
    return _found("python", "ok", f"Python {version}")


def _packages() -> Finding:
    """The versions that are installed, against the ones that this package asks for."""
    try:
        asked = metadata.requires(_PACKAGE) or []
        own = metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        return _found("packages", "note", "not installed as a package, so its requirements are not known")
    bounds = [match.groups() for line in asked if (match := _REQUIREMENT.match(line.replace(" ", "")))]
    needed = bounds or [(name, "0") for name in _NEEDED]
    wrong = [text for name, least in needed if (text := _too_old(name, least))]
    if wrong:
        remedy = "install the package again, with its requirements"
        return _found("packages", "failed", f"{_PACKAGE} {own} lacks {', '.join(wrong)}", remedy)
    return _found("packages", "ok", f"{_PACKAGE} {own} and {plural(len(needed), 'required package')}")


def _too_old(name: str, least: str) -> str:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} {least}".removesuffix(" 0")
    return f"{name} {least} (there is {version})" if _numbers(version) < _numbers(least) else ""


def _numbers(version: str) -> tuple[int, ...]:
    """``1.83.10rc1`` -> (1, 83, 10); enough to compare with a plain lower bound."""
    parts = (re.match(r"\d+", part) for part in version.split("."))
    numbers = [int(part[0]) if part else 0 for part in parts]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _compiles(compiled: Compiled, root: Path) -> Finding:
    found = counts(compiled.diagnostics)
    if compiled.bot is None:
        remedy = f"{called()} validate {root} shows each with its place"
        return _found("bot", "failed", f"the bot has {plural(found['error'], 'error')}", remedy)
    said = f", {plural(found['warning'], 'warning')}" if found["warning"] else ""
    text = f"'{compiled.bot.settings.name}' compiles: {plural(compiled.files, 'file')}{said}"
    return _found("bot", "ok", f"{text}, revision {compiled.bot.revision}")


def _zone(bot: Bot) -> Finding:
    key = bot.settings.hours.zone.key
    source = "of this machine" if any((Path(folder) / key).is_file() for folder in zoneinfo.TZPATH) else ""
    try:
        source = source or f"of the package tzdata {metadata.version('tzdata')}"
    except metadata.PackageNotFoundError:
        remedy = "install the time zone data of the system, or the package tzdata"
        return _found("time zone", "failed", f"there are no data for {key}", remedy)
    return _found("time zone", "ok", f"{key}, from the data {source}")


# --- the store ------------------------------------------------------------------------------


def _store(bot: Bot, root: Path, environment: Mapping[str, str]) -> Finding:
    """Opened for reading only: a server may be running on it."""
    where = store_file(bot.settings.server.get("store"), root, environment)
    folder = where.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    remedy = "let the server's user write it, or name another file in SUPPORTBOT_STORE"
    try:
        with tempfile.TemporaryFile(dir=folder):  # SQLite needs files of its own beside the store
            pass
        if not where.exists():
            return _found("store", "ok", f"{where} will be made at the first start")
        with where.open("r+b"):
            pass
    except OSError as problem:
        broken = problem.filename if where.exists() and problem.filename == str(where) else folder
        return _found("store", "failed", f"{broken} cannot be written: {problem.strerror}", remedy)
    return _layout(where)


def _layout(where: Path) -> Finding:
    try:
        with closing(_opened(where)) as file:
            version = _version(file)
    except sqlite3.Error as problem:
        remedy = "move it away, then a new one is made; or restore a copy"
        return _found("store", "failed", f"{where} cannot be read: {problem}", remedy)
    if version > SCHEMA_VERSION:
        text = f"{where} has layout {version}, this version knows {SCHEMA_VERSION}"
        return _found("store", "failed", text, "use the newer version again, or another file")
    if version < SCHEMA_VERSION:
        return _found("store", "ok", f"{where}, layout {version} becomes {SCHEMA_VERSION} at the next start")
    return _found("store", "ok", f"{where}, layout {version}")


def _opened(where: Path) -> sqlite3.Connection:
    """For reading. Without a log beside it nobody has it open, and then SQLite need not make files to share it."""
    alone = "" if where.with_name(f"{where.name}-wal").exists() else "&immutable=1"
    return sqlite3.connect(f"{where.resolve().as_uri()}?mode=ro{alone}", uri=True, timeout=_BUSY_SECONDS)


def _version(file: sqlite3.Connection) -> int:
    """The layout of the file; 0 for one that is empty."""
    if file.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone() is None:
        return 0
    return int(file.execute("SELECT max(version) FROM schema_version").fetchone()[0] or 0)


def current_store(bot: Bot, root: Path, environment: Mapping[str, str]) -> Path | None:
    """The store, if it is there with the layout of this version: anything else is not opened for a look."""
    where = store_file(bot.settings.server.get("store"), root, environment)
    if not where.is_file() or _store(bot, root, environment).status != "ok":
        return None
    with closing(_opened(where)) as file:
        return where if _version(file) == SCHEMA_VERSION else None


# --- the address ----------------------------------------------------------------------------


def _address(environment: Mapping[str, str], host: str | None, port: int | None) -> Iterator[Finding]:
    try:
        host, port = address_of(environment, host, port)
    except SettingsError as problem:
        yield _found("address", "failed", str(problem), "set PORT to a number, or leave it out for 8080")
        return
    yield _port(host, port)
    loopback = host in ("localhost", "::1") or host.startswith("127.")
    if environment.get("SUPPORTBOT_ADMIN_TOKEN"):
        yield _found("admin paths", "ok", "SUPPORTBOT_ADMIN_TOKEN is set")
    elif loopback:
        yield _found("admin paths", "note", "open to this machine only: SUPPORTBOT_ADMIN_TOKEN is not set")
    else:
        yield _found("admin paths", "note", "closed: set SUPPORTBOT_ADMIN_TOKEN to use /stats, /dashboard and others")


def _port(host: str, port: int) -> Finding:
    where = f"{host}:{port}"
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except (OSError, OverflowError) as problem:
        if getattr(problem, "errno", None) == errno.EADDRINUSE:
            return _found("address", "note", f"{where} is taken; fine when this bot is being served there")
        reason = getattr(problem, "strerror", None) or str(problem)
        remedy = "choose another with PORT and SUPPORTBOT_HOST, or --port and --host"
        return _found("address", "failed", f"the server cannot listen on {where}: {reason}", remedy)
    return _found("address", "ok", f"{where} is free")


def _log_level(environment: Mapping[str, str]) -> Finding:
    try:
        return _found("log level", "ok", f"the log begins at {log_level(environment, 'INFO')}")
    except SettingsError as problem:
        return _found("log level", "failed", str(problem), "set LOG_LEVEL to one of these, or leave it out for INFO")
