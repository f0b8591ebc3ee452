"""Reading back what the product prints: tables of the command, metrics, tables of the manager's page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html.parser import HTMLParser

from prometheus_client.parser import text_string_to_metric_families


def samples(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Name -> labels in the order of their names -> value."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(sample.labels[name] for name in sorted(sample.labels))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


# --- the command


def from_markdown(text: str) -> dict[tuple[str, str, str], str]:
    found = {("table", "row", "column"): "value"}
    for part in text.split("## ")[1:]:
        title, _, table = part.partition("\n\n")
        lines = [re.split(r" \| ", line.strip("| ")) for line in table.strip().splitlines()]
        found |= cells(title, lines[0], lines[2:])
    return found


def from_text(text: str) -> dict[tuple[str, str, str], str]:
    found = {("table", "row", "column"): "value"}
    for part in text.strip().split("\n\n"):
        title, *lines = part.splitlines()
        heads, *rows = [re.split(r" {2,}", line.strip()) for line in lines]
        found |= cells(title, heads, rows)
    return found


def cells(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> dict[tuple[str, str, str], str]:
    return {
        (title, row[0], head): cell for row in rows for head, cell in zip(heads[1:], row[1:], strict=True)
    }  # the first cell of a row is its name


# --- the page


def tables_of(page: str) -> Mapping[str, Mapping[str, list[str]]]:
    """Caption -> name of the row -> its other cells."""
    reader = _Page()
    reader.feed(page)
    return reader.tables


def rate(part: float) -> str:
    return f"{round(part * 100, 1):g}%"


def milliseconds(cell: str) -> float | None:
    if cell == "–":
        return None
    number, unit = cell.split()
    return float(number) * {"ms": 1, "s": 1000}[unit]


class _Page(HTMLParser):
    """The tables of a page by their captions: name of the row -> its other cells."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, dict[str, list[str]]] = {}
        self.caption, self.row, self.within = "", [""], ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.within = tag
        if tag == "caption":
            self.caption = ""
        elif tag == "tr":
            self.row = []
        elif tag in ("td", "th"):
            self.row.append("")

    def handle_endtag(self, tag: str) -> None:
        self.within = ""
        if tag == "caption":
            self.tables[self.caption] = {}
        elif tag == "tr" and self.row:
            self.tables[self.caption][self.row[0]] = self.row[1:]
        elif tag == "thead":
            self.tables[self.caption] = {}  # its one row has names only

    def handle_data(self, data: str) -> None:
        if self.within == "caption":
            self.caption += data
        elif self.within in ("td", "th"):
            self.row[-1] += data
