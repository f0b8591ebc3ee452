"""Bots tried in a process of their own, which stays for a while: what it has read it need not read again."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path

import msgspec

from supportbot import __version__
from supportbot.runtime.trial import LENGTH, Asked, Report, Tried, failed

SECONDS = 120.0  # for one trial
KEPT_SECONDS = 60.0  # that the process waits for another one
_BUFFER = 1 << 20


class Aside:
    """One trial after the other, in another process that is started with the first one."""

    def __init__(self, seconds: float = SECONDS, kept: float = KEPT_SECONDS) -> None:
        self._seconds = seconds
        self._kept = kept
        self._process: Process | None = None
        self._end: asyncio.TimerHandle | None = None
        self._lock = asyncio.Lock()

    async def tried(self, root: Path, passed: str = "") -> Tried:
        """Never raises for any content of the files: a trial that cannot be finished counts as an error of the bot."""
        async with self._lock:
            self._keep()
            try:
                async with asyncio.timeout(self._seconds):
                    report = await self._ask(Asked(str(root), passed))
            except TimeoutError:
                await self.close()
                return failed(f"the bot could not be checked within {self._seconds:g} seconds")
            except (OSError, EOFError, msgspec.MsgspecError):
                await self.close()
                return failed("the bot could not be checked: the process that did it has ended")
            except BaseException:  # what comes out of the process from now on answers nobody's question
                await self.close()
                raise
            self._end = asyncio.get_running_loop().call_later(self._kept, self._let_go)
            if report.engine != __version__:
                return failed(f"the engine on the disk is {report.engine} by now", "restart the server")
            return report.tried

    async def close(self) -> None:
        """End the process, whatever it does. It is started again when it is needed."""
        process = self._process
        self._kill()
        if process is not None:
            await process.wait()

    async def _ask(self, asked: Asked) -> Report:
        process = await self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(asked) + b"\n")
        await process.stdin.drain()
        length = int.from_bytes(await process.stdout.readexactly(LENGTH))
        frame = await process.stdout.readexactly(length)
        return await asyncio.to_thread(msgspec.msgpack.decode, frame, type=Report)

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            command = (sys.executable, "-m", "supportbot.runtime.trial")
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=_BUFFER, process_group=0
            )
        return self._process

    def _keep(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _let_go(self) -> None:
        """Nobody reloads any more: without questions the process ends by itself."""
        self._end = None
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None

    def _kill(self) -> None:
        self._keep()
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()


async def try_aside(root: Path, passed: str = "") -> Tried:
    """One trial in a process that ends with it."""
    aside = Aside()
    try:
        return await aside.tried(root, passed)
    finally:
        await aside.close()
