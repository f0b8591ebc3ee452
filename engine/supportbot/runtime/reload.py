"""Taking over changed files while the server runs: all of them at once, or none.

What is wrong stays aside: the last good bot goes on, and the findings are shown wherever somebody may look.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from supportbot.diagnostics import Diagnostic
from supportbot.errors import StoreError
from supportbot.model.bot import Bot
from supportbot.runtime.alerts import Alerting
from supportbot.runtime.aside import try_aside
from supportbot.runtime.conversation import Conversations
from supportbot.runtime.metrics import Metrics
from supportbot.runtime.parcels import let_go, unwrap
from supportbot.runtime.trial import Tried, failed

log = logging.getLogger("supportbot.reload")

POLL_SECONDS = 0.5
_SHOWN = 20  # findings
_SETTLED = 1.0  # seconds; nearly every turn that began with the old bot has ended then
_BREATH = 0.001  # seconds
_WATCHED = ("*.yaml", "rules/**/*.yaml", "prompts/**/*")

State = frozenset[tuple[str, int, int]]
Trial = Callable[[Path, str], Awaitable[Tried]]


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
        self._passed = ""  # the revision that was tried last and nothing was wrong with
        self._lock = asyncio.Lock()
        self._next: asyncio.Task[Reloaded] | None = None
        self._tasks: set[asyncio.Task[Reloaded] | asyncio.Task[None]] = set()

    async def reload(self) -> Reloaded:
        """Take over what is in the folder now. Never raises for any content of the files."""
        return await asyncio.shield(self.begin())

    def begin(self) -> asyncio.Task[Reloaded]:
        """The same for who does not wait for it.

        Whoever asks while a reload is in work may have changed files that it has read already: all of them share the
        one that follows.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._in_turn())
            self._hold(self._next)
        return self._next

    def begin_with(self, errors: tuple[Diagnostic, ...]) -> None:
        """An older bot answers from the start, because the folder's has these errors."""
        self._refused(errors)

    async def keep(self, revision: str, packed: bytes) -> None:
        """Remember files that work, so that the server can start with them should the folder be broken then."""
        try:
            await self._conversations.store.save_snapshot(revision, self._conversations.clock.now(), packed)
        except StoreError as failure:
            log.error("the last good bot could not be kept: %s", failure)

    async def watch(self, seen: State, seconds: float = POLL_SECONDS) -> None:
        """Reload when files have changed and then stayed as they are for one look.

        ``seen``: the folder's state before the bot that answers was read, so that no change falls in between.
        """
        changing = False
        while True:
            await asyncio.sleep(seconds)
            state = await asyncio.to_thread(state_of, self.root)
            if state != seen:
                seen, changing = state, True
            elif changing:
                changing = False
                await self.reload()

    async def close(self) -> None:
        """Give up what is in work; nothing is taken over any more."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _in_turn(self) -> Reloaded:
        async with self._lock:
            self._next = None
            return await self._reload()

    async def _reload(self) -> Reloaded:
        tried = await self._trial(self.root, self._passed)
        if tried.errors:
            return self._refused(tried.errors)
        self._passed = tried.revision
        old = self._conversations.bot
        if tried.revision == old.revision:
            return self._taken(Reloaded(True, False, old.revision))
        try:
            bot = await asyncio.to_thread(unwrap, tried.bot)
        except Exception as failure:  # the engine on the disk is not the one that runs
            self._passed = ""
            return self._refused(failed(f"the bot cannot be taken over: {failure}", "restart the server").errors)
        self._conversations.bot = self._wired(bot)
        self._hold(asyncio.create_task(_free(old)))
        await self.keep(tried.revision, tried.files)
        return self._taken(Reloaded(True, True, tried.revision))

    def _hold(self, task: asyncio.Task[Reloaded] | asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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


async def _free(old: Bot) -> None:
    """Let go of a bot bit by bit. A turn that takes longer keeps it, and frees it in one go when it ends."""
    await asyncio.sleep(_SETTLED)
    steps = let_go(old)
    del old
    await asyncio.to_thread(_walk, steps)


def _walk(steps: Iterator[None]) -> None:
    for _ in steps:
        time.sleep(_BREATH)


def state_of(root: Path) -> State:
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
