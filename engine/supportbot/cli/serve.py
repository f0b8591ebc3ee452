"""``supportbot serve``: the HTTP server with the real adapters. The only verb that imports aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from supportbot.adapters.clock import SystemClock
from supportbot.adapters.environment import expand, missing_names
from supportbot.adapters.http_actions import HttpActions
from supportbot.adapters.litellm_model import LiteLLMModel
from supportbot.adapters.salesiq_push import SalesIQPush
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.cli.channels import salesiq_push
from supportbot.cli.loading import working_bot
from supportbot.cli.options import bot_argument, color_option
from supportbot.cli.reloading import Watch
from supportbot.cli.terminal import say
from supportbot.cli.workers import run_workers
from supportbot.config.environment import Environment, load
from supportbot.errors import SettingsError, UsageError
from supportbot.model.bot import Bot
from supportbot.runtime.conversation import Conversations
from supportbot.server import logs
from supportbot.server.app import create_app
from supportbot.server.once import get
from supportbot.server.options import Secret, ServerOptions
from supportbot.server.run import serve

DEFAULT_PORT = 8080
DEFAULT_STORE = "data/sessions.db"


@click.command("serve")
@bot_argument
@click.option("--host", help="Address to listen on: 127.0.0.1, or 0.0.0.0 where PORT is set.")
@click.option("--port", type=click.IntRange(0, 65535), help=f"Port: by default $PORT or {DEFAULT_PORT}; 0 is any.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that serve.")
@click.option("--reload", is_flag=True, help="Take over changed files while running; wrong ones are reported.")
@click.option("--get", "path", metavar="PATH", help="Answer one GET request without listening, print it and stop.")
@color_option
def command(
    bot_dir: Path | None, host: str | None, port: int | None, workers: int, reload: bool, path: str | None
) -> int:
    """Run the bot as an HTTP server: /chat, /webhook/salesiq, /widget, /health and more."""
    bot, root = working_bot(bot_dir)
    environment = load(root).values
    options = options_of(environment, host, port, reuse_port=workers > 1)
    logs.configure(environment.get("LOG_LEVEL") or ("WARNING" if path else "INFO"))
    for line in remarks(bot, environment):
        say(f"note: {line}", err=True)
    if path is not None:
        return asyncio.run(_answer_once(bot, root, environment, options, path))
    if workers == 1:
        asyncio.run(_serve(bot, root, environment, options, reload, _announce))
        return 0
    if options.port == 0:
        raise UsageError("--workers needs a port of its own: name one with --port")
    say(f"{workers} processes listen on http://{options.host}:{options.port}")
    return run_workers(workers, lambda: asyncio.run(_serve(bot, root, environment, options, reload, None)))


def options_of(
    environment: Mapping[str, str], host: str | None, port: int | None, reuse_port: bool = False
) -> ServerOptions:
    """Options of the command first, then PORT and SUPPORTBOT_HOST. Raises SettingsError for a PORT that is none."""
    given = environment.get("PORT", "")
    if port is None and given:
        if not (given.isascii() and given.isdigit() and int(given) < 65536):
            raise SettingsError(f"PORT is '{given}', but a port is a number from 0 to 65535")
        port = int(given)
    # Whoever sets PORT (a container platform) forwards to it from outside the container.
    default_host = "0.0.0.0" if given else "127.0.0.1"
    return ServerOptions(
        host=host or environment.get("SUPPORTBOT_HOST") or default_host,
        port=DEFAULT_PORT if port is None else port,
        admin_token=Secret(environment.get("SUPPORTBOT_ADMIN_TOKEN", "")),
        reuse_port=reuse_port,
        environment=Environment(environment),
    )


def remarks(bot: Bot, environment: Mapping[str, str]) -> list[str]:
    """What is switched off because the environment does not name it. Names only, never values."""
    lines = []
    for connection in bot.connections.values():
        texts = (connection.base_url, connection.bearer or "", *connection.headers.values())
        missing = dict.fromkeys(name for text in texts for name in missing_names(text, environment))
        if missing:
            lines.append(f"the connection '{connection.id}' is off: set {', '.join(missing)}")
    if not LiteLLMModel(bot.settings.llm, environment).configured:
        lines.append("no model is configured, the rules answer alone: set SUPPORTBOT_LLM_MODEL to ask one")
    return lines


@dataclass(frozen=True, slots=True)
class Wiring:
    """The adapters of one process."""

    conversations: Conversations
    store: SQLiteStore
    model: LiteLLMModel
    actions: HttpActions
    push: SalesIQPush | None

    async def close(self) -> None:
        for adapter in (self.push, self.actions, self.model, self.store):
            if adapter is not None:
                await adapter.close()


def store_of(bot: Bot, root: Path, environment: Mapping[str, str]) -> Path:
    """The file of the store: SUPPORTBOT_STORE, because a bot's folder may be read-only, else what the bot says."""
    said = expand(str(bot.settings.server.get("store") or DEFAULT_STORE), environment)
    return root / (environment.get("SUPPORTBOT_STORE") or said or DEFAULT_STORE)


def wire(bot: Bot, root: Path, environment: Mapping[str, str]) -> Wiring:
    where = store_of(bot, root, environment)
    where.parent.mkdir(parents=True, exist_ok=True)
    store = SQLiteStore(where)
    model = LiteLLMModel(bot.settings.llm, environment)
    actions = HttpActions(environment)
    talks = Conversations(bot, store, model, actions, SystemClock())
    return Wiring(talks, store, model, actions, salesiq_push(bot, environment))


async def _serve(
    bot: Bot,
    root: Path,
    environment: Mapping[str, str],
    options: ServerOptions,
    reload: bool,
    announce: Callable[[Sequence[str]], None] | None,
) -> None:
    wiring = wire(bot, root, environment)
    background = [asyncio.create_task(wiring.model.warm())]
    if reload:
        background.append(asyncio.create_task(Watch(root, wiring.conversations).run()))
    try:
        await serve(create_app(wiring.conversations, options, wiring.push), options, announce)
    finally:
        for task in background:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
        await wiring.close()


async def _answer_once(bot: Bot, root: Path, environment: Mapping[str, str], options: ServerOptions, path: str) -> int:
    wiring = wire(bot, root, environment)
    try:
        answer = await get(create_app(wiring.conversations, options, wiring.push), path)
    finally:
        await wiring.close()
    say(answer.body.decode("utf-8", "replace"))
    return 0 if answer.ok else 1


def _announce(urls: Sequence[str]) -> None:
    for url in urls:
        say(f"listening on {url}    try it: {url}/widget    stop: Ctrl+C")
