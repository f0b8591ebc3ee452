"""``validate --fix``: make the edits that findings carry, until none is left that can be made."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from supportbot.cli.checking import check
from supportbot.config.disk import Disk
from supportbot.config.folder import Memory
from supportbot.config.mending import mend
from supportbot.config.yaml_reader import decode
from supportbot.diagnostics import Diagnostic, Fix
from supportbot.errors import UsageError

MOST_ROUNDS = 20  # a mended mistake can uncover others, e.g. those of a file that could not be read before
_MARK = "\ufeff".encode()
_ALL = (math.inf, math.inf)


@dataclass(slots=True)
class Mended:
    """``before`` and ``after``: contents of the files that change. ``findings``: what is left, of ``files`` files."""

    root: Path
    findings: tuple[Diagnostic, ...] = ()
    files: int = 0
    edits: int = 0
    before: dict[str, bytes] = field(default_factory=dict)
    after: dict[str, bytes] = field(default_factory=dict)


def mend_bot(root: Path) -> Mended:
    """Try all edits in memory; nothing is written."""
    work = _Work(root)
    while work.rounds < MOST_ROUNDS and work.round():
        pass
    return work.result


def write(mended: Mended) -> None:
    """Raises UsageError when a file cannot be written, or is no longer what was checked."""
    for name, content in mended.after.items():
        path = mended.root / name
        try:
            if path.read_bytes() != mended.before[name]:
                raise UsageError(f"{name} was changed meanwhile and is left as it is: run the command again")
            path.write_bytes(content)
        except OSError as problem:
            raise UsageError(f"{name} cannot be written: {problem.strerror or problem}") from problem


def as_diff(mended: Mended) -> str:
    """What ``write`` would change, as ``patch -p1`` and ``git apply`` read it."""
    return "\n".join(line for name in sorted(mended.after) for line in _diff(name, mended))


def _diff(name: str, mended: Mended) -> Iterator[str]:
    before, after = (content.decode("utf-8", "replace").split("\n") for content in _both(name, mended))
    yield from difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", lineterm="")


def _both(name: str, mended: Mended) -> tuple[bytes, bytes]:
    return mended.before[name], mended.after[name]


class _Work:
    def __init__(self, root: Path) -> None:
        self.disk = Disk(root)
        self.memory = Memory()
        self.result = Mended(root)
        self.given_up: set[str] = set()
        self.rounds = 0
        self._look(self.result.after)

    def _look(self, contents: Mapping[str, bytes]) -> None:
        self.result.findings, self.result.files = check(self.result.root, self.memory, contents)

    def round(self) -> bool:
        """One edit of each place at most; false when nothing could be done."""
        self.rounds += 1
        tried = dict(self._tries())
        if not tried:
            return False
        earlier = self.result.findings
        self._look({**self.result.after, **{name: content for name, (content, _) in tried.items()}})
        worse = {name for name in tried if _worse(name, earlier, self.result.findings)}
        self.given_up |= worse
        for name in tried.keys() - worse:
            self.result.after[name], edits = tried[name]
            self.result.edits += edits
        if worse:
            self._look(self.result.after)
        return True

    def _tries(self) -> Iterator[tuple[str, tuple[bytes, int]]]:
        """New contents of files, each with the number of edits."""
        by_file: dict[str, list[Fix]] = {}
        for finding in self.result.findings:
            if finding.fix is not None:
                by_file.setdefault(finding.fix.place.file, []).append(finding.fix)
        for name, fixes in by_file.items():
            content = self._content(name)
            if name in self.given_up or content is None:
                continue
            text = decode(content, name)[0]
            if text is None:
                continue
            mended, edits = mend(text, fixes)
            if edits:
                yield name, ((_MARK if content.startswith(_MARK) else b"") + mended.encode(), edits)

    def _content(self, name: str) -> bytes | None:
        if name in self.result.after:
            return self.result.after[name]
        content = self.disk.read(name) if self.disk.exists(name) else None
        if content is not None:
            self.result.before[name] = content
        return content


def _worse(name: str, before: Sequence[Diagnostic], after: Sequence[Diagnostic]) -> bool:
    """Whether a file can be read less far than before, or no farther although it ends early."""
    reached, now = _readable(name, before), _readable(name, after)
    return now < reached or (now == reached and now != _ALL)


def _readable(name: str, findings: Sequence[Diagnostic]) -> tuple[float, float]:
    """The line and column up to which a file is YAML."""
    places = [item.place for item in findings if item.place.file == name and item.code == "yaml-syntax"]
    return min(((place.line, place.column) for place in places), default=_ALL)
