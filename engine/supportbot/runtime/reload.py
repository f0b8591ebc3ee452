"""Taking over changed files while the server runs: all of them at once, or none.

What is wrong stays aside: the last good bot goes on, and the findings are shown wherever somebody may look.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from supportbot.compiler.compile import compile_bot
from supportbot.config.collecting import no_garbage_collection
from supportbot.config.folder import BotFiles, read_bot
from supportbot.diagnostics import Diagnostic, Place, error
from supportbot.errors import StoreError
from supportbot.model.bot import Bot
from supportbot.runtime.alerts import Alerting
from supportbot.runtime.conversation import Conversations
from supportbot.runtime.metrics import Metrics
from supportbot.runtime.snapshots import pack
from supportbot.runtime.trial import Tried, try_aside

log = logging.getLogger("supportbot.reload")

POLL_SECONDS = 1.0
_ATTEMPTS = 3  # when files change while they are read
_SHOWN = 20  # findings
_SWITCH_SECONDS = 0.0005
_WATCHED = ("*.yaml", "rules/**/*.yaml", "prompts/**/*")

Trial = Callable[[Path], Awaitable[Tried]]


@dataclass(frozen=True, slots=True)
class Reloaded:
    """``revision``: of the bot that answers now. ``diagnostics``: the errors that kept the changed one out."""

    ok: bool
    changed: bool
    revision: str
    diagnostics: tuple[Diagnostic, ...] = ()


class Reloader:
    """One reload at a time; the bot is exchanged by one assignment, so a turn sees the old one or the new one."""

    def __init__(
        self,
        root: Path,
        conversations: Conversations,
        metrics: Metrics,
        alerting: Alerting | None = None,
        trial: Trial = try_aside,
        wired: Callable[[Bot], Bot] = lambda bot: bot,
    ) -> None:
        """``wired``: the bot as it is where it is served, with what is not connected marked as off."""
        self.root = root
        self.last: Reloaded | None = None
        self._conversations = conversations
        self._metrics = metrics
        self._alerting = alerting
        self._trial = trial
        self._wired = wired
        self._lock = asyncio.Lock()

    async def reload(self) -> Reloaded:
        """Never raises for any content of the files."""
        async with self._lock:
            files, tried = await self._tried()
            current = self._conversations.bot.revision
            if tried.errors:
                return self._refused(tried.errors)
            if files.revision == current:
                return self._taken(Reloaded(True, False, current))
            bot, findings = await asyncio.to_thread(_compile, files)
            if bot is None:
                return self._refused(findings)
            self._conversations.bot = self._wired(bot)
            await self.keep(files)
            return self._taken(Reloaded(True, True, bot.revision))

    def begin_with(self, errors: tuple[Diagnostic, ...]) -> None:
        """An older bot answers from the start, because the folder's has these errors."""
        self._refused(errors)

    async def keep_current(self) -> None:
        """Keep the files of the bot that answers, if they have not changed since it was read."""
        files = await asyncio.to_thread(read_bot, self.root)
        if files.revision == self._conversations.bot.revision:
            await self.keep(files)

    async def keep(self, files: BotFiles) -> None:
        """Remember files that work, so that the server can start with them should the folder be broken then."""
        try:
            packed = await asyncio.to_thread(pack, files)
            await self._conversations.store.save_snapshot(files.revision, self._conversations.clock.now(), packed)
        except StoreError as failure:
            log.error("the last good bot could not be kept: %s", failure)

    async def watch(self, seconds: float = POLL_SECONDS) -> None:
        """Reload when files have changed and then stayed as they are for one look."""
        seen = await asyncio.to_thread(_state, self.root)
        files = await asyncio.to_thread(read_bot, self.root)
        changing = files.revision != self._conversations.bot.revision  # saved between start and this first look
        while True:
            await asyncio.sleep(seconds)
            state = await asyncio.to_thread(_state, self.root)
            if state != seen:
                seen, changing = state, True
            elif changing:
                changing = False
                await self.reload()

    async def _tried(self) -> tuple[BotFiles, Tried]:
        """The files and what a trial of just these files found."""
        for _ in range(_ATTEMPTS):
            files = await asyncio.to_thread(read_bot, self.root)
            tried = await self._trial(self.root)
            if tried.revision in (files.revision, ""):
                return files, tried
        hint = "reload when they are written"
        return files, Tried("", (error("files-changing", Place("supportbot.yaml"), "the files keep changing", hint),))

    def _refused(self, errors: tuple[Diagnostic, ...]) -> Reloaded:
        self.last = Reloaded(False, False, self._conversations.bot.revision, errors)
        self._metrics.count(self._metrics.reloads, "refused")
        self._metrics.last_reload_ok = False
        for finding in errors[:_SHOWN]:
            log.error("the changed bot is wrong, the old one stays: %s", finding)
        if self._alerting is not None:
            self._alerting.failed("reload_failed", str(errors[0]))
        return self.last

    def _taken(self, reloaded: Reloaded) -> Reloaded:
        self.last = reloaded
        self._metrics.count(self._metrics.reloads, "taken_over" if reloaded.changed else "unchanged")
        self._metrics.last_reload_ok = True
        self._metrics.last_reload_at = time.time()
        if self._alerting is not None:
            self._alerting.worked("reload_failed")
        log.info("bot %s %s", reloaded.revision, "taken over" if reloaded.changed else "is unchanged")
        return reloaded


def _compile(files: BotFiles) -> tuple[Bot | None, tuple[Diagnostic, ...]]:
    """In a thread beside the turns, which must hardly notice: threads take turns quickly meanwhile, and the garbage
    collector, whose look through a large bot would hold up all of them at once, waits."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        with no_garbage_collection():
            compiled = compile_bot(files)
    finally:
        sys.setswitchinterval(interval)
    errors = tuple(item for item in compiled.diagnostics if item.severity == "error")
    return compiled.bot, errors


def _state(root: Path) -> frozenset[tuple[str, int, int]]:
    """What files there are, how long and how old."""
    found = set()
    for pattern in _WATCHED:
        for path in root.glob(pattern):
            try:
                status = path.stat()
            except OSError:  # gone between two system calls
                continue
            found.add((str(path), status.st_mtime_ns, status.st_size))
    return frozenset(found)
