"""The tables of docs/operations.md that are made from the code. Run this file to write them again."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from supportbot.runtime import alerts
from supportbot.runtime import tallies as t
from supportbot.runtime.metrics import Durations, Metrics, Now, exposition

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/operations.md"
FIRST = ("server", "alerts", "llm", "limits", "statistics", "channels")  # what whoever runs the server looks for
LABELS = {
    t.MESSAGES: 2,
    t.HITS: 2,
    t.STATES: 1,
    t.OPENED: 1,
    t.CLOSED: 2,
    t.CALLS: 2,
    t.TOKENS_IN: 1,
    t.TOKENS_OUT: 1,
    t.COST: 1,
    t.SAVED: 0,
    t.TURN_SECONDS: 1,
}
DURATIONS = {"stages": 1, "requests": 3, "upstream": 2}
COUNTERS = {"refused": 1, "failed": 1, "repeated": 1, "late": 1, "reloads": 1, "alerts": 2, "lines": 1}


@cache
def families(stored: bool = True) -> dict[str, Metric]:
    """Every metric of /metrics, each with at least one sample. ``stored``: with what comes from the store."""
    tallies = {(name, t.labels(*["x"] * count)): 1.0 for name, count in LABELS.items()} if stored else {}
    metrics = Metrics()
    for name, count in DURATIONS.items():
        durations: Durations = getattr(metrics, name)
        durations.add(t.labels(*["x"] * count), 0.1)
    for name, count in COUNTERS.items():
        counter: Counter[str] = getattr(metrics, name)
        metrics.count(counter, *["x"] * count)
    text = exposition(metrics, Now("1.0", "abc", 1, 0, False, tallies)).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples() -> Mapping[str, frozenset[str]]:
    """Every sample that /metrics can give, with its labels."""
    return {sample.name: frozenset(sample.labels) for family in families().values() for sample in family.samples}


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def metrics_table() -> str:
    own = families(stored=False)
    rows = []
    for name, family in families().items():
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        shown = name + ("_total" if family.type == "counter" and not name.endswith("_total") else "")
        source = "process" if own[name].samples else "store"
        rows.append(
            (f"`{shown}`", family.type, " ".join(f"`{label}`" for label in labels), source, family.documentation)
        )
    return table(("metric", "type", "labels", "from", "what"), rows)


def alerts_table() -> str:
    rows = [
        (f"`{kind}`", alerts._TITLES[kind], "at once" if kind in alerts._AT_ONCE else "`threshold` times in `window`")
        for kind in get_args(alerts.Kind)
    ]
    return table(("kind", "says", "raised"), rows)


def settings_table() -> str:
    schema = json.loads((ROOT / "schemas/settings.json").read_text("utf-8"))
    names = [*FIRST, *(name for name in schema["properties"] if name not in FIRST)]
    rows = [row for name in names for row in _settings(name, schema["properties"][name])]
    return table(("setting", "default", "what"), rows)


def _settings(path: str, node: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    below = node.get("properties")
    if below:
        for name, child in below.items():
            yield from _settings(f"{path}.{name}", child)
        return
    default = f"`{_shown(node['default'])}`" if "default" in node else ""
    yield f"`{path}`", default, node.get("description", "")


def _shown(value: object) -> str:
    return value or "''" if isinstance(value, str) else json.dumps(value)


TABLES: Mapping[str, Callable[[], str]] = {"metrics": metrics_table, "alerts": alerts_table, "settings": settings_table}


def filled(page: str) -> str:
    """The page with its made tables as they should be."""
    for name, made in TABLES.items():
        begin, end = f"<!-- made: {name} -->", f"<!-- end: {name} -->"
        assert page.count(begin) == page.count(end) == 1, f"docs/operations.md has no place for the table {name}"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        text = f"{begin}\n\n{made()}\n\n{end}"
        page = pattern.sub(lambda _, text=text: text, page)  # type: ignore[misc]
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
