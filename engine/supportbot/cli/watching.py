"""``validate --watch``: check again whenever a file of the bot was saved, added or removed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from supportbot.cli.terminal import Paint, safe, say

POLL = 0.2  # seconds between two looks
SETTLE = 0.05  # seconds that a file must stay the same: editors write in several goes
MOST_SETTLING = 20
FOLDERS = ("rules", "prompts", "schemas", ".supportbot/schemas")
_DEEPEST = 12
_CLEAR = "\033[2J\033[3J\033[H"

State = Mapping[str, tuple[int, int, int]]


def watch(root: Path, look: Callable[[], None], paint: Paint) -> NoReturn:
    """Call ``look`` now and after each change. Ends with KeyboardInterrupt only."""
    seen = snapshot(root)
    changed: tuple[str, ...] = ()
    while True:
        _head(changed, paint)
        look()
        say(paint.faint("watching; Ctrl+C ends"))
        sys.stdout.flush()
        seen, changed = wait_for_change(root, seen)


def wait_for_change(root: Path, seen: State) -> tuple[State, tuple[str, ...]]:
    """The next state that differs and stays, and the files that make the difference."""
    while True:
        state = settled(root, snapshot(root), seen)
        changed = tuple(sorted(name for name in seen.keys() | state.keys() if seen.get(name) != state.get(name)))
        if changed:
            return state, changed
        time.sleep(POLL)


def settled(root: Path, state: State, seen: State) -> State:
    """The state once nothing moves any more, or after a second of moving."""
    for _ in range(MOST_SETTLING if state != seen else 0):
        time.sleep(SETTLE)
        later = snapshot(root)
        if later == state:
            break
        state = later
    return state


def snapshot(root: Path) -> State:
    """Time, size and number of each file that validate may read, by its path relative to the folder."""
    return {name: mark for folder in ("", *FOLDERS) for name, mark in _files(root, folder, 0)}


def _files(root: Path, folder: str, depth: int) -> Iterator[tuple[str, tuple[int, int, int]]]:
    try:
        with os.scandir(root / folder) as entries:
            found = list(entries)
    except OSError:  # not there, or gone between two system calls
        return
    for entry in found:
        if entry.name.startswith("."):
            continue
        name = f"{folder}/{entry.name}" if folder else entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                if folder and depth < _DEEPEST:
                    yield from _files(root, name, depth + 1)
                continue
            status = entry.stat()
        except OSError:
            continue
        yield name, (status.st_mtime_ns, status.st_size, status.st_ino)


def _head(changed: tuple[str, ...], paint: Paint) -> None:
    if sys.stdout.isatty():
        say(_CLEAR)
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    why = f" after a change of {safe(', '.join(changed[:3]))}{more}" if changed else ""
    say(paint.faint(f"checking at {time.strftime('%H:%M:%S')}{why}"))
