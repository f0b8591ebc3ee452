"""Read files of a bot folder, and only those: no link out of it, no pipe or device, no endless file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from supportbot.config.yaml_reader import MAX_BYTES
from supportbot.diagnostics import Diagnostic, Place, error, warning


class Disk:
    """The folder of a bot. What cannot be read is a finding in ``found``, never an exception."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.real_root = Path(os.path.realpath(root))
        self.found: list[Diagnostic] = []

    def read(self, name: str) -> bytes | None:
        """Content of a file, by its path relative to the folder with forward slashes."""
        if not self._inside(name):
            return None
        try:
            # Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
            handle = os.open(self.root / name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        except (OSError, ValueError) as problem:
            self._unreadable(name, problem)
            return None
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                self._report("not-a-file", name, f"{shown(name)} is not an ordinary file", "put a text file there")
                return None
            with os.fdopen(handle, "rb", closefd=False) as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as problem:
            self._unreadable(name, problem)
            return None
        finally:
            os.close(handle)
        if len(content) > MAX_BYTES:
            message = f"{shown(name)} has more than {MAX_BYTES // 1_000_000} MB"
            self._report("file-too-large", name, message, "split it into several files")
            return None
        return content

    def names(self, folder: str) -> list[str]:
        """Paths of what is directly inside a folder, sorted; hidden entries are left out; [] when there is none.

        The folder of the bot itself is "".
        """
        if not os.path.lexists(self.root / folder) or not self._inside(folder):
            return []
        try:
            entries = os.listdir(self.root / folder)
        except NotADirectoryError:
            self._report("not-a-folder", folder, f"{shown(folder)} must be a folder", "rename the file")
            return []
        except OSError as problem:
            self._unreadable(folder, problem)
            return []
        start = f"{folder}/" if folder else ""
        return [f"{start}{entry}" for entry in sorted(entries) if not entry.startswith(".")]

    def exists(self, name: str) -> bool:
        return os.path.lexists(self.root / name)

    def is_folder(self, name: str) -> bool:
        """Whether it is a real folder; a link to one is not followed, because links can go in circles."""
        path = self.root / name
        return path.is_dir() and not path.is_symlink()

    def _inside(self, name: str) -> bool:
        real = Path(os.path.realpath(self.root / name))
        if real.is_relative_to(self.real_root):
            return True
        self._report(
            "outside-folder",
            name,
            f"{shown(name)} is a link that leads out of the bot's folder",
            "put the file itself there: what a bot says must travel with it",
        )
        return False

    def _unreadable(self, name: str, problem: Exception) -> None:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        if os.path.islink(self.root / name):
            reason, hint = "it is a link that leads to no file", "put the file itself there"
        else:
            hint = "check that you may read it (its permissions)"
        self._report("unreadable-file", name, f"{shown(name)} cannot be read: {reason}", hint)

    def _report(self, code: str, name: str, message: str, hint: str) -> None:
        self.found.append(error(code, Place(shown(name)), message, hint))

    def ignored(self, name: str, hint: str) -> None:
        """Warn that something inside the folder is not read."""
        self.found.append(warning("unknown-file", Place(shown(name)), f"{shown(name)} is not read", hint))


def shown(name: str) -> str:
    """A file name that can be printed; names that are not UTF-8 hold half characters."""
    return os.fsencode(name).decode("utf-8", "replace")
