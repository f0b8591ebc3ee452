"""Whatever is in the files, validate ends in time with findings, and never with an exception."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from supportbot.cli.output import render_github, render_json, render_text
from supportbot.cli.sarif import render_sarif
from supportbot.cli.terminal import Paint
from supportbot.cli.validate import check

DESK = Path(__file__).parent / "ok" / "desk"
FILES = sorted(str(path.relative_to(DESK)) for path in DESK.rglob("*") if path.is_file())
SOURCES = {name: (DESK / name).read_text("utf-8") for name in FILES}
WORDS = sorted({word for source in SOURCES.values() for word in source.replace("{", " ").replace("}", " ").split()})
LONGEST = 5.0  # seconds of CPU for one bot
# What breaks readers: marks of YAML, of phrases, of templates, of regexes, and characters that are none.
MARKS = [
    *[
        ":",
        "#",
        "-",
        "[",
        "]",
        "{",
        "}",
        ",",
        "'",
        '"',
        "|",
        ">",
        "&",
        "*",
        "!",
        "%",
        "@",
        "`",
        "?",
        "\\",
        "<<:",
        "---",
        "...",
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "${",
        "}",
        "<x>",
        "(a|b)",
        "[c]",
        "d*",
        "{e:text}",
        "~",
        "null",
    ],
    *("\t", "\n", "\r\n", "  ", "\x00", "\x85", "\u2028", "\ufeff", "\ud83d\ude00", "\ufdfa", "\u0130", "- \n", ": \n"),
    *("regex: '(a*)*'", "regex: '('", "state: []", "when: {}", "true", "-1", "1e400", "9" * 30, "0x10", "none: [a]"),
]

pieces = st.one_of(st.sampled_from(WORDS), st.sampled_from(MARKS), st.text(max_size=4))
edits = st.tuples(
    st.sampled_from([name for name in FILES if name.endswith(".yaml")]),
    st.integers(0, 2000),
    st.integers(0, 40),
    st.lists(pieces, max_size=3).map(" ".join),
)
moves = st.tuples(st.sampled_from(FILES), st.sampled_from(FILES))


@contextmanager
def bot() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(shutil.copytree(DESK, Path(folder) / "bot"))


def examine(folder: Path) -> None:
    began = time.process_time()
    found, files = check(folder)
    assert time.process_time() - began < LONGEST
    assert files >= 0
    for render in (render_text(found, folder, Paint(False)), render_json(found, files), render_sarif(found, folder)):
        assert isinstance(render, str)
    render_github(found, folder)


@settings(max_examples=150, deadline=None)
@given(st.lists(edits, min_size=1, max_size=6))
def test_edits_of_the_text(changes: list[tuple[str, int, int, str]]) -> None:
    with bot() as folder:
        for name, at, length, new in changes:
            path = folder / name
            source = path.read_bytes().decode("utf-8", "surrogatepass")
            at %= len(source) + 1
            path.write_bytes((source[:at] + new + source[at + length :]).encode("utf-8", "surrogatepass"))
        examine(folder)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FILES), st.binary(max_size=80), st.integers(0, 2000))
def test_any_bytes_in_a_file(name: str, data: bytes, at: int) -> None:
    with bot() as folder:
        source = (folder / name).read_bytes()
        (folder / name).write_bytes(source[:at] + data + source[at:])
        examine(folder)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(FILES), st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=5))
def test_lines_that_moved(changes: list[tuple[str, int, int]]) -> None:
    """A line of a file somewhere else in it: structure that is YAML all right, and wrong."""
    with bot() as folder:
        for name, source, target in changes:
            lines = (folder / name).read_text("utf-8").split("\n")
            line = lines.pop(source % len(lines)) if lines else ""
            lines.insert(target % (len(lines) + 1), line)
            (folder / name).write_text("\n".join(lines), "utf-8")
        examine(folder)


@settings(max_examples=40, deadline=None)
@given(st.lists(moves, min_size=1, max_size=3))
def test_files_in_the_place_of_others(changes: list[tuple[str, str]]) -> None:
    with bot() as folder:
        for source, target in changes:
            (folder / target).write_text(SOURCES[source], "utf-8")
        examine(folder)
