"""``supportbot serve``: the HTTP server with the real adapters. The only verb that imports aiohttp."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from supportbot.adapters.alert_webhook import AlertWebhook
from supportbot.adapters.clock import SteadyClock
from supportbot.adapters.http_actions import HttpActions
from supportbot.adapters.litellm_model import LiteLLMModel
from supportbot.adapters.otel import telemetry, unavailable
from supportbot.adapters.salesiq_push import SalesIQPush
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.adapters.sqlite_worker import make_folder
from supportbot.cli.channels import salesiq_push
from supportbot.cli.hangup import Hangup
from supportbot.cli.last_good import last_good_bot
from supportbot.cli.loading import errors_of
from supportbot.cli.options import BrokenFolder, bot_argument, color_option
from supportbot.cli.queueing import action_wait, given_up, no_sign_in, signs_in, until_mended, wire_actions, with_off
from supportbot.cli.surroundings import DEFAULT_PORT, actions_off, address_of, log_level, store_file
from supportbot.cli.terminal import say
from supportbot.cli.workers import run_workers
from supportbot.compiler.compile import compile_bot
from supportbot.config.collecting import no_garbage_collection
from supportbot.config.environment import Environment, load
from supportbot.config.folder import find_bot, read_bot
from supportbot.diagnostics import Diagnostic
from supportbot.errors import SettingsError, StoreError, UsageError
from supportbot.model.bot import Bot
from supportbot.runtime.alerts import Alerting
from supportbot.runtime.aside import Aside
from supportbot.runtime.breaker import GuardedModel
from supportbot.runtime.conversation import Conversations
from supportbot.runtime.housekeeping import feel_pulse, keep_house
from supportbot.runtime.metrics import Metrics
from supportbot.runtime.outbox import OutboxWorker
from supportbot.runtime.reload import Reloader, State, state_of
from supportbot.runtime.snapshots import pack
from supportbot.server import logs
from supportbot.server.app import create_app
from supportbot.server.observing import Beside, watch_store
from supportbot.server.once import get
from supportbot.server.options import Secret, ServerOptions
from supportbot.server.run import check_free, serve

log = logging.getLogger("supportbot.serve")

KEPT_SESSIONS = 20_000
COLLECT_AFTER = (20_000, 20, 20)
LAST_ALERTS = 6.0  # seconds for alerts that still wait when the server ends
SHOWN = 10  # findings


@click.command("serve")
@bot_argument
@click.option("--host", help="Address to listen on: 127.0.0.1, or 0.0.0.0 where PORT is set.")
@click.option("--port", type=click.IntRange(0, 65535), help=f"Port: by default $PORT or {DEFAULT_PORT}; 0 is any.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that serve.")
@click.option("--reload", is_flag=True, help="Take over changed files while running; wrong ones are reported.")
@click.option("--allow-last-good", is_flag=True, help="With a broken bot: start with the last one that worked.")
@click.option("--get", "path", metavar="PATH", help="Answer one GET request without listening, print it and stop.")
@color_option
def command(
    bot_dir: Path | None,
    host: str | None,
    port: int | None,
    workers: int,
    reload: bool,
    allow_last_good: bool,
    path: str | None,
) -> int:
    """Run the bot as an HTTP server: /chat, /webhook/salesiq, /widget, /health and more.

    SIGHUP takes changed files over, SIGTERM ends the server when everything accepted is answered.
    """
    hangup = Hangup()
    if path is None:
        hangup.listen()
    root = find_bot(bot_dir)
    environment = load(root).values
    start = _started(root, environment, allow_last_good)
    bot = start.bot
    options = options_of(environment, host, port, reuse_port=workers > 1)
    logs.configure(log_level(environment, "WARNING" if path else "INFO"))
    for line in remarks(bot, environment):
        say(f"note: {line}", err=True)
    if path is not None:
        return asyncio.run(_answer_once(start, environment, options, path))
    if workers == 1:
        asyncio.run(_serve(start, environment, options, reload, hangup, _announce))
        return 0
    if options.port == 0:
        raise UsageError("--workers needs a port of its own: name one with --port")
    check_free(options)
    say(f"{workers} processes listen on http://{options.host}:{options.port}")

    def work(replaces: bool) -> None:
        begin = _as_the_others(start, environment) if replaces else start
        asyncio.run(_serve(begin, environment, options, reload, hangup, None))

    return run_workers(workers, work, hangup)


def options_of(
    environment: Mapping[str, str], host: str | None, port: int | None, reuse_port: bool = False
) -> ServerOptions:
    """Options of the command first, then PORT and SUPPORTBOT_HOST. Raises SettingsError for a PORT that is none."""
    host, port = address_of(environment, host, port)
    return ServerOptions(
        host=host,
        port=port,
        admin_token=Secret(environment.get("SUPPORTBOT_ADMIN_TOKEN", "")),
        reuse_port=reuse_port,
        environment=Environment(environment),
    )


def remarks(bot: Bot, environment: Mapping[str, str]) -> list[str]:
    """What is switched off because the environment does not name it. Names only, never values."""
    lines = actions_off(bot, environment)
    if not LiteLLMModel(bot.settings.llm, environment).configured:
        lines.append("no model is configured, the rules answer alone: set SUPPORTBOT_LLM_MODEL to ask one")
    if why := unavailable(environment):
        lines.append(why)
    return lines


@dataclass(frozen=True, slots=True)
class Start:
    """``errors``: of the folder, when an older bot stands in for it; otherwise ``files`` is what it was made from.

    ``seen``: the folder before it was read.
    """

    bot: Bot
    root: Path
    seen: State
    files: bytes = b""
    errors: tuple[Diagnostic, ...] = ()


class BrokenStart(BrokenFolder):
    """A server that cannot start with this bot: whoever deploys it must act."""

    exit_code = 2


def _started(root: Path, environment: Mapping[str, str], allow_last_good: bool) -> Start:
    """The bot to start with. Raises BrokenStart when there is none that works."""
    seen = state_of(root)
    files = read_bot(root)
    loaded = compile_bot(files)
    if loaded.bot is not None:
        return Start(loaded.bot, root, seen, pack(files))
    errors = errors_of(loaded.diagnostics)
    bot = last_good_bot(root, environment) if allow_last_good else None
    if bot is None:
        if allow_last_good:
            say("note: the store keeps no bot that worked, so there is none to start with instead", err=True)
        raise BrokenStart(errors, root)
    for finding in errors[:SHOWN]:
        say(str(finding), err=True)
    say(f"note: the bot is broken; the last one that worked answers, revision {bot.revision}", err=True)
    return Start(bot, root, seen, errors=errors)


def _as_the_others(start: Start, environment: Mapping[str, str]) -> Start:
    """For a process that stands in for one that died: the bot that the others may have taken over since the start."""
    try:
        bot = last_good_bot(start.root, environment)
    except StoreError:
        return start
    return start if bot is None or bot.revision == start.bot.revision else Start(bot, start.root, start.seen)


@dataclass(frozen=True, slots=True)
class Wiring:
    """The adapters of one process, and what runs beside its views."""

    conversations: Conversations
    store: SQLiteStore
    model: LiteLLMModel
    actions: HttpActions
    push: SalesIQPush | None
    alerts: AlertWebhook
    beside: Beside
    worker: OutboxWorker
    aside: Aside

    async def close(self) -> None:
        if self.beside.reloader is not None:
            await self.beside.reloader.close()
        await self.aside.close()
        if self.beside.alerting is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_ALERTS):
                    await self.beside.alerting.flush()
        for adapter in (self.alerts, self.push, self.actions, self.model, self.store, self.beside.tracing):
            if adapter is not None:
                await adapter.close()


def wire(start: Start, environment: Mapping[str, str], keep: int = 0) -> Wiring:
    """``keep``: sessions in memory, for the only process that writes the store."""
    bot = with_off(start.bot, environment)
    where = store_file(bot.settings.server.get("store"), start.root, environment)
    _make_folder(where)
    store = SQLiteStore(where, keep=keep)
    model = LiteLLMModel(bot.settings.llm, environment, bot.settings.operations.price)
    calls = wire_actions(
        bot,
        lambda: talks.bot,
        store,
        environment,
        lambda text: given_up(alerting, text),
        lambda connection, text: no_sign_in(alerting, connection, text),
        lambda connection: signs_in(alerting, connection),
    )
    guarded = GuardedModel(model, bot.settings.operations.model_calls, ready=lambda: model.loaded)
    talks = Conversations(bot, store, guarded, calls.actions, SteadyClock(), calls.desk)
    calls.worker.tell = talks.tell
    metrics, alerts = Metrics(), AlertWebhook(environment)
    alerting = Alerting(alerts, lambda: talks.bot.settings.operations.alerts, lambda: talks.bot.revision, metrics)

    def wired(changed: Bot) -> Bot:
        model.configure(changed.settings.llm, changed.settings.operations.price)
        guarded.allow(changed.settings.operations.model_calls)
        calls.desk.wait_seconds = action_wait(changed)
        if store_file(changed.settings.server.get("store"), start.root, environment) != where:
            log.warning("server.store has changed: it counts after a restart; until then the old file is used")
        return with_off(changed, environment)

    aside = Aside()
    reloader = Reloader(start.root, talks, metrics, alerting, aside.tried, wired)
    if start.errors:
        reloader.begin_with(start.errors)
    beside = Beside(metrics, alerting, reloader, guarded.breaker)
    push = salesiq_push(bot, environment, calls.actions)
    return Wiring(talks, store, model, calls.actions, push, alerts, beside, calls.worker, aside)


def _make_folder(store: Path) -> None:
    """Raises SettingsError: a bot's folder may be read-only, and whoever deploys it can name another place."""
    try:
        make_folder(store)
    except OSError as failure:
        mend = "let the server's user write there, or name another file in SUPPORTBOT_STORE"
        raise SettingsError(f"the store's folder {store.parent} cannot be made: {failure.strerror}; {mend}") from None


async def _serve(
    start: Start,
    environment: Mapping[str, str],
    options: ServerOptions,
    reload: bool,
    hangup: Hangup,
    announce: Callable[[Sequence[str]], None] | None,
) -> None:
    spare_collector()
    wiring = wire(start, environment, keep=0 if options.reuse_port else KEPT_SESSIONS)
    wiring.beside.tracing = telemetry(environment)
    logs.count_lines(wiring.beside.metrics.lines)
    if options.reuse_port and hasattr(signal, "SIGHUP"):  # the parent passes it on to all of its processes
        wiring.beside.tell_others = lambda: os.kill(os.getppid(), signal.SIGHUP)
    background = [asyncio.create_task(work) for work in _background(wiring, start, reload)]
    try:
        app = create_app(wiring.conversations, options, wiring.push, wiring.beside)
        assert wiring.beside.reloader is not None
        with hangup.begins(wiring.beside.reloader.begin):
            await serve(app, options, announce)
    finally:
        for task in background:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
        await wiring.close()


def spare_collector() -> None:
    """The bot and the libraries live as long as the process: a garbage collector that looks through them finds
    nothing and holds up every turn while it does, for a tenth of a second with a large bot."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def warm(model: LiteLLMModel) -> None:
    """The model's library is 300,000 objects more: each look through them holds up every turn for half a second."""
    with no_garbage_collection():
        await model.warm()
        gc.freeze()


async def try_store(store: SQLiteStore) -> None:
    """Say at the start what is wrong with the store. The server goes on: it may be mended meanwhile."""
    try:
        await store.check(True)
    except StoreError as failure:
        log.error("no message is answered until the store %s works; no restart is needed then: %s", store.path, failure)


def _background(wiring: Wiring, start: Start, reload: bool) -> Iterator[Coroutine[None, None, None]]:
    beside, reloader = wiring.beside, wiring.beside.reloader
    yield try_store(wiring.store)
    yield warm(wiring.model)
    yield wiring.worker.run()
    yield keep_house(wiring.conversations)
    yield feel_pulse(beside.metrics)
    yield watch_store(beside, wiring.store.check)
    if beside.alerting is not None:
        yield beside.alerting.run()
        yield until_mended(beside.alerting, wiring.store.outbox)
    if reloader is not None:
        if start.files:
            yield reloader.keep(start.bot.revision, start.files)
        if reload:
            yield reloader.watch(start.seen)


async def _answer_once(start: Start, environment: Mapping[str, str], options: ServerOptions, path: str) -> int:
    wiring = wire(start, environment)
    try:
        answer = await get(create_app(wiring.conversations, options, wiring.push, wiring.beside), path)
    finally:
        await wiring.close()
    say(answer.body.decode("utf-8", "replace"))
    return 0 if answer.ok else 1


def _announce(urls: Sequence[str]) -> None:
    for url in urls:
        say(f"listening on {url}    try it: {url}/widget    stop: Ctrl+C")
