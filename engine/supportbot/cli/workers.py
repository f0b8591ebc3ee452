"""Several processes that share a port: the parent starts them, passes signals on and replaces one that died."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from supportbot.cli.hangup import Hangup
from supportbot.cli.terminal import say
from supportbot.errors import SupportbotError, UsageError

SIGNALS = {getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)}
TOO_SOON = 2.0  # seconds; a process that dies sooner will not live on the next time either


def run_workers(number: int, work: Callable[[bool], None], hangup: Hangup) -> int:
    """Run ``work`` in ``number`` processes until a signal ends them. Returns the exit code.

    ``work`` is told whether it stands in for a process that died. ``hangup`` listens in each process.
    """
    if not hasattr(os, "fork"):
        raise UsageError("--workers needs an operating system with fork; use one process here")
    return _Workers(work, hangup).run(number)


@contextmanager
def _held_back() -> Iterator[None]:
    """Signals wait: one that came while a process is made would miss it, or find the parent's handler in it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Workers:
    def __init__(self, work: Callable[[bool], None], hangup: Hangup) -> None:
        self.work = work
        self.hangup = hangup
        self.started: dict[int, float] = {}
        self.stopping = False
        self.parent_lives = os.pipe()  # nobody writes to it: it ends with the parent, however that one ends

    def run(self, number: int) -> int:
        with _held_back():
            for one in (signal.SIGTERM, signal.SIGINT):
                signal.signal(one, self._end)
            signal.signal(signal.SIGHUP, self._pass_on)
            for _ in range(number):
                self._start(replaces=False)
        failed = 0
        while self.started:
            process, status = os.waitpid(-1, 0)
            began = self.started.pop(process, None)
            if began is None or self.stopping:
                continue
            code = os.waitstatus_to_exitcode(status)
            say(f"note: a server process ended with code {code}", err=True)
            if time.monotonic() - began < TOO_SOON:
                failed = failed or (code if code > 0 else 1)
                self._end(signal.SIGTERM, None)
            else:
                with _held_back():
                    self._start(replaces=True)
        return failed

    def _start(self, replaces: bool) -> None:
        """With the signals held back."""
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process:
            self.started[process] = time.monotonic()
            return
        code = 1
        try:
            for one in (signal.SIGTERM, signal.SIGINT):
                signal.signal(one, signal.SIG_DFL)
            self.hangup.listen()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            self._end_with_parent()
            self.work(replaces)
            code = 0
        except Exception as problem:
            code = problem.exit_code if isinstance(problem, SupportbotError) else 1
            say(f"error: {problem}", err=True)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # never run the parent's code a second time

    def _end_with_parent(self) -> None:
        """In a child: end like after SIGTERM when the parent was killed. Otherwise it would keep the port, and nobody
        could start the server again."""
        reading, writing = self.parent_lives
        os.close(writing)

        def watch() -> None:
            os.read(reading, 1)
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=watch, name="parent", daemon=True).start()

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True
        self._pass_on(number, frame)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        for process in self.started:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(process, number)
