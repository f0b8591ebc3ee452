"""A bot folder tried whole: read, compiled, its promises proved, its examples played.

``python -m supportbot.runtime.trial`` does that for one folder after the other, for the server that started it (see
runtime/aside.py): proofs take a second, and a thread would hold up the turns that are in work.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from supportbot import __version__
from supportbot.compiler.compile import compile_bot
from supportbot.config.collecting import no_garbage_collection
from supportbot.config.folder import BotFiles, Memory, read_bot
from supportbot.diagnostics import Diagnostic, Place, error, in_order
from supportbot.proofs.prove import prove
from supportbot.runtime.examples import failing_examples
from supportbot.runtime.parcels import wrap
from supportbot.runtime.snapshots import pack

LENGTH = 8  # bytes that say how long the answer is
_ATTEMPTS = 3  # when files change while they are tried
_NICE = 5  # turns go first
_WHERE = Place("supportbot.yaml")


@dataclass(frozen=True, slots=True)
class Tried:
    """``revision``: of the files as they were read. Only when nothing is wrong: ``files`` is what
    ``snapshots.unpack`` takes, ``bot`` what ``parcels.unwrap`` takes, both empty for what passed before.
    """

    revision: str
    diagnostics: tuple[Diagnostic, ...]
    files: bytes = b""
    bot: bytes = b""

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(item for item in self.diagnostics if item.severity == "error")


@dataclass(frozen=True, slots=True)
class Asked:
    """``passed``: a revision that needs no second trial."""

    root: str
    passed: str


@dataclass(frozen=True, slots=True)
class Report:
    """``engine``: the version that tried the bot; only the same one can serve what it compiled."""

    engine: str
    tried: Tried


def try_bot(root: Path, passed: str = "", memory: Memory | None = None) -> Tried:
    """What is wrong with the files, or the bot that they are: what was tried is what will answer.

    Files that changed meanwhile are tried again, so that nothing is taken over that was read half before a change.
    """
    memory = memory or Memory()
    files = read_bot(root, memory)
    for _ in range(_ATTEMPTS):
        tried = Tried(files.revision, ()) if files.revision == passed else _tried(files)
        again = read_bot(root, memory)
        if again.revision == files.revision:
            return tried
        files = again
    hint = "reload when they are written"
    return Tried("", (error("files-changing", _WHERE, "the files keep changing", hint),))


def _tried(files: BotFiles) -> Tried:
    compiled = compile_bot(files)
    if compiled.bot is None:
        return Tried(files.revision, compiled.diagnostics)
    found = in_order((*compiled.diagnostics, *prove(compiled.bot), *failing_examples(compiled.bot)))
    tried = Tried(files.revision, found)
    return tried if tried.errors else Tried(files.revision, found, pack(files), wrap(compiled.bot))


def failed(message: str, hint: str = "run supportbot validate to see why") -> Tried:
    """A trial without an end counts as an error of the bot."""
    return Tried("", (error("trial-failed", _WHERE, message, hint),))


def answer_all(questions: BinaryIO, answers: BinaryIO) -> None:
    """Try one folder for each line, until there are no more."""
    memory = Memory()
    gc.freeze()
    for line in questions:
        asked = msgspec.json.decode(line, type=Asked)
        try:
            with no_garbage_collection():
                tried = try_bot(Path(asked.root), asked.passed, memory)
        except Exception as failure:  # whatever it was, the server must hear of it and go on
            tried = failed(f"the bot could not be checked: {type(failure).__name__}")
        frame = msgspec.msgpack.encode(Report(__version__, tried))
        answers.write(len(frame).to_bytes(LENGTH))
        answers.write(frame)
        answers.flush()
        del tried, frame
        gc.collect()


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    with suppress(OSError, AttributeError):  # not every system has it
        os.nice(_NICE)
    with suppress(BrokenPipeError, KeyboardInterrupt):
        answer_all(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
