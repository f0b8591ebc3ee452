"""Taking over changed files while the server runs: good ones at once, wrong ones are reported and left aside."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from supportbot.cli.loading import errors_of
from supportbot.compiler.compile import load_bot
from supportbot.runtime.conversation import Conversations
from supportbot.server import logs

SECONDS = 1.0  # between two looks
_WATCHED = ("*.yaml", "rules/**/*.yaml", "prompts/**/*")


class Watch:
    """Looks at the files' times; compares, compiles off the event loop, swaps."""

    def __init__(self, root: Path, conversations: Conversations) -> None:
        self.root = root
        self.conversations = conversations
        self.seen = self._state()

    def _state(self) -> frozenset[tuple[str, int, int]]:
        found = set()
        for pattern in _WATCHED:
            for path in self.root.glob(pattern):
                try:
                    status = path.stat()
                except OSError:  # gone between two system calls
                    continue
                found.add((str(path), status.st_mtime_ns, status.st_size))
        return frozenset(found)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            state = await asyncio.to_thread(self._state)
            if state != self.seen:
                self.seen = state
                await self._take_over()

    async def _take_over(self) -> None:
        loaded = await asyncio.to_thread(load_bot, self.root)
        if loaded.bot is None:
            for finding in errors_of(loaded.diagnostics):
                logs.log(logging.ERROR, "the changed files are wrong, the old ones stay", finding=str(finding))
        elif loaded.bot.revision != self.conversations.bot.revision:
            self.conversations.bot = loaded.bot
            logs.log(logging.INFO, "changed files taken over", revision=loaded.bot.revision)
