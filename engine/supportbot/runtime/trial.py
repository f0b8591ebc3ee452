"""A bot folder tried whole: read, compiled, its promises proved, its examples played.

``python -m supportbot.runtime.trial FOLDER`` does that in a process of its own, which a server starts before it takes
changed files over: proofs take a second, and a thread would hold up the turns that are in work.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from supportbot.compiler.compile import compile_bot
from supportbot.config.folder import read_bot
from supportbot.diagnostics import Diagnostic, Place, error, in_order
from supportbot.proofs.prove import prove
from supportbot.runtime.examples import failing_examples

SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Tried:
    """``revision``: of the files as they were read."""

    revision: str
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(item for item in self.diagnostics if item.severity == "error")


def try_bot(root: Path) -> Tried:
    files = read_bot(root)
    compiled = compile_bot(files)
    if compiled.bot is None:
        return Tried(files.revision, compiled.diagnostics)
    found = (*compiled.diagnostics, *prove(compiled.bot), *failing_examples(compiled.bot))
    return Tried(files.revision, in_order(found))


async def try_aside(root: Path, seconds: float = SECONDS) -> Tried:
    """The same in another process. A trial that cannot be finished counts as an error of the bot."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, str(root)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
        return msgspec.json.decode(output, type=Tried)
    except (TimeoutError, msgspec.MsgspecError):
        return Tried("", (_unfinished(seconds),))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _unfinished(seconds: float) -> Diagnostic:
    message = f"the bot could not be checked within {seconds:g} seconds"
    return error("trial-failed", Place("supportbot.yaml"), message, "run supportbot validate to see why")


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(try_bot(Path(sys.argv[1]))))
