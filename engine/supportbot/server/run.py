"""Listening: bind, say where, wait for a signal, let go in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

from aiohttp import http_parser, web

from supportbot.errors import SettingsError
from supportbot.server import logs
from supportbot.server.options import ServerOptions
from supportbot.server.protocol import Runner
from supportbot.server.service import SERVICE

Announce = Callable[[Sequence[str]], None]

BACKLOG = 512
_SETTLING = 10  # moments, each at least a round of the event loop: a new connection takes some to get its protocol
_MOMENT = 0.01  # seconds


async def serve(app: web.Application, options: ServerOptions, announce: Announce | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was accepted and return.

    ``announce`` gets the URLs once the server listens (port 0 is any free one). After SIGTERM
    /readyz says no for the drain time while requests are still taken; SIGINT, or a second
    signal, skips that. Raises SettingsError when the address cannot be used. The adapters
    stay open: their maker closes them afterwards.
    """
    stop = Stop(asyncio.get_running_loop())
    runner = Runner(app, options.limits)
    with stop:
        await runner.setup()
        try:
            await _listen(runner, options)
            _say_where(app, runner, announce)
            await stop.asked.wait()
            app[SERVICE].draining = True
            logs.REVISION.set(app[SERVICE].bot.revision)  # a reload may have changed it
            logs.log(logging.INFO, "stopping")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.hurry.wait(), options.limits.drain)
        finally:
            await _stop_listening(runner)
            await _finish_turns(runner, app)
            await runner.cleanup()
    logs.REVISION.set(app[SERVICE].bot.revision)
    logs.log(logging.INFO, "stopped")
    logs.flush()


def _say_where(app: web.Application, runner: Runner, announce: Announce | None) -> None:
    urls = [url(address) for address in runner.addresses]
    logs.REVISION.set(app[SERVICE].bot.revision)
    logs.log(logging.INFO, "listening", urls=urls)
    _warn_slow_parser()
    if announce:
        announce(urls)


async def _listen(runner: Runner, options: ServerOptions) -> None:
    site = web.TCPSite(runner, options.host, options.port, backlog=BACKLOG, reuse_port=options.reuse_port or None)
    try:
        await site.start()
    except (OSError, OverflowError) as failure:
        raise _cannot_listen(options, failure) from None


async def _stop_listening(runner: Runner) -> None:
    """Take no more connections, and let the requests of those that were just taken come in.

    In between, the listening socket has to stay open: asyncio loses connections that it has taken but not set up when
    their server closes, and aiohttp reads nothing more from those that are set up after that. Either way their callers
    would wait until the grace time is over.
    """
    loop = asyncio.get_running_loop()
    for site in runner.sites:
        for listening in getattr(getattr(site, "_server", None), "sockets", ()):
            loop.remove_reader(listening)
    for _ in range(_SETTLING):
        await asyncio.sleep(_MOMENT)


async def _finish_turns(runner: Runner, app: web.Application) -> None:
    """Read no more requests and give the turns in work their grace time, once: aiohttp would give it to each of its
    steps, and the server be killed by whoever stops it before it has closed its store."""
    if runner.server is not None:
        runner.server.pre_shutdown()
    await app[SERVICE].finish_work()


def check_free(options: ServerOptions) -> None:
    """Raise SettingsError when somebody listens there already: processes that share a port would not notice."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except (OSError, OverflowError) as failure:
        raise _cannot_listen(options, failure) from None


def _cannot_listen(options: ServerOptions, failure: Exception) -> SettingsError:
    where = f"{options.host}:{options.port}"
    reason = str(getattr(failure, "strerror", None) or failure)
    if getattr(failure, "errno", None):
        reason = os.strerror(failure.errno) if failure.errno > 0 else reason  # type: ignore[attr-defined]
    return SettingsError(f"cannot listen on {where}: {reason}; choose another address with --host and --port")


class Stop:
    """The signals that end the server: the first asks for the end, SIGINT or a second one for a quick one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.asked = asyncio.Event()
        self.hurry = asyncio.Event()
        self._loop = loop

    def __enter__(self) -> None:
        self._loop.add_signal_handler(signal.SIGTERM, self._terminate)
        self._loop.add_signal_handler(signal.SIGINT, self._interrupt)

    def __exit__(self, *failure: object) -> None:
        self._loop.remove_signal_handler(signal.SIGTERM)
        self._loop.remove_signal_handler(signal.SIGINT)

    def _terminate(self) -> None:
        if self.asked.is_set():
            self.hurry.set()
        self.asked.set()

    def _interrupt(self) -> None:
        self.asked.set()
        self.hurry.set()


def url(address: Sequence[object]) -> str:
    """The URL of a socket's address, e.g. ``http://127.0.0.1:8080``."""
    host, port = str(address[0]), address[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _warn_slow_parser() -> None:
    """aiohttp's parser in plain Python is slower and had holes that the C one never had."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        logs.log(logging.WARNING, "aiohttp runs without its C parser; unset AIOHTTP_NO_EXTENSIONS or install a wheel")
