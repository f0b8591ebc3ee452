"""Every figure that two places show is the same in both, and the same as a recount of the decision records.

Ten thousand mixed turns over some days, with two restarts: of everything around the store, and of the process.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.harness.printed import from_markdown, from_text, milliseconds, rate, samples, tables_of
from tests.harness.recount import Recount
from tests.harness.town import DAYS, LONDON, Model, Town
from tests.server import browser
from tests.zoho.fake_zoho import FakeZoho

TURNS = 10_000
OVER_HTTP = 1_000
LAST = ("my printer is offline", "that fixed it", "sing me a song")  # said to the restarted server
STYLES = ("json", "csv", "markdown", "text")
COMMAND = (sys.executable, "-c", "import sys; from supportbot.cli.main import run; sys.exit(run(sys.argv[1:]))")


@dataclass
class Shown:
    """What a server that was started again shows. ``page``: the manager's, where there is a browser."""

    town: Town
    json: dict[str, Any] = field(default_factory=dict)
    metrics: str = ""
    printed: dict[str, str] = field(default_factory=dict)
    page: str = ""
    hours: int = 0  # of the ``since`` that was asked

    def count(self, since: float = 0.0) -> Recount:
        bounds = {float(bound) for bound in re.findall(r'turn_duration_seconds_bucket{le="([\d.]+)"', self.metrics)}
        return Recount(self.town.store, self.town.erased, sorted(bounds), since)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return asyncio.run(lived(tmp_path_factory.mktemp("town")))


async def lived(folder: Path) -> Shown:
    async with Model().running() as model, FakeZoho().running() as zoho:
        town = Town(folder, model, zoho, seed=20_261_122)
        a_day = (TURNS - OVER_HTTP) // DAYS
        async with town.awake() as wiring:
            await wiring.model.warm()
            for _ in range(DAYS // 2):
                await town.day(wiring, a_day)
            model.ill = True  # until it is left alone
            await town.moment(wiring)
            await town.moment(wiring)
        model.ill = False
        async with town.awake() as wiring:
            await wiring.model.warm()
            await town.morning_over_http(wiring, OVER_HTTP)
            for _ in range(DAYS - DAYS // 2):
                await town.day(wiring, a_day)
            await town.leave(wiring)
    found = Shown(town)
    async with restarted(town) as url, aiohttp.ClientSession(url) as client:
        await look(found, client)
        if browser.CHROMIUM is not None:
            found.page, _ = await browser.shown(f"{url}/dashboard")
        programs = [program(town, style) for style in STYLES]
        found.printed = dict(zip(STYLES, await asyncio.gather(*programs), strict=True))
    return found


@asynccontextmanager
async def restarted(town: Town) -> AsyncIterator[str]:
    """The real command on the same store, as another process."""
    environment = {**os.environ, **town.environment, "SUPPORTBOT_LLM_MODEL": "", "PYTHONUNBUFFERED": "1"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "serve", str(town.folder), "--port", "0", env=environment, stdout=pipe, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode()
        url = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert url is not None, line
        yield url.group()
    finally:
        process.terminate()
        await process.wait()


async def look(found: Shown, client: aiohttp.ClientSession) -> None:
    for number in range(10):
        for text in LAST:
            async with client.post("/chat", json={"session_id": f"last-{number}", "message": text}) as answer:
                assert answer.status == 200
    found.hours = found.town.quiet_hours()
    for path in ("/stats", "/metrics/report", "/dashboard/figures"):
        for query in ("", f"?since={found.hours}h"):
            async with client.get(path + query) as answer:
                found.json[path + query] = await answer.json()
    for path in ("/metrics", "/health", "/sessions"):
        async with client.get(path, headers={"Accept": "application/json"}) as answer:
            found.json[path] = await answer.json()
    async with client.get("/metrics") as answer:
        found.metrics = await answer.text()


async def program(town: Town, style: str) -> str:
    """What ``supportbot stats`` prints."""
    command = (*COMMAND, "stats", str(town.folder), "--format", style, "--color", "never")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode()


# --- the town ---------------------------------------------------------------------------------------


def test_everything_happened_that_a_figure_counts(shown: Shown) -> None:
    counted, done = shown.count(), shown.town.done
    assert done["turns"] >= TURNS
    assert min(done[name] for name in ("repeated", "late", "reset", "erased", "nobody took over")) > 5
    stats, report = counted.stats(), counted.report()
    assert stats["messages"] > TURNS * 0.9
    assert min(share["count"] for share in stats["resolution"]["results"].values()) > 20
    assert min(share["count"] for share in stats["outcomes"].values()) > 20
    assert set(stats["categories"]) == set(shown.town.bot.categories)
    assert {"form.ticket", "form.callback", "callback", "ticket", "ended"} <= set(stats["handlers"])
    assert set(stats["channels"]) == {"chat", "salesiq"}
    assert len(report["by_day"]) >= DAYS + 1
    assert report["models"][0]["failures"] > 5
    assert counted.one("SELECT count(*) FROM calls WHERE state = 'done'") > 20
    assert counted.one("SELECT count(*) FROM records WHERE kind = 'llm' AND model = ''") > 0, "the model was left alone"


def test_each_conversation_begins_once_and_ends_once(shown: Shown) -> None:
    assert [row for row in shown.count().unfinished() if not row[0].startswith("last-")] == []


def test_a_day_is_the_bot_s(shown: Shown) -> None:
    for day, at in shown.count().rows("SELECT day, at FROM records"):
        assert day == datetime.fromtimestamp(at, UTC).astimezone(LONDON).date().isoformat()


# --- reports ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", ["everything", "since"])
def test_reports_are_what_the_records_say(shown: Shown, period: str) -> None:
    query, since = "", 0.0
    if period == "since":
        query, since = f"?since={shown.hours}h", shown.town.quiet_moment()
    counted = shown.count(since)
    stats, report = shown.json[f"/stats{query}"], shown.json[f"/metrics/report{query}"]
    assert without(stats, "bot", "revision") == close(counted.stats())
    assert without(report, "bot") == close(counted.report())
    assert shown.json[f"/dashboard/figures{query}"] == {"stats": stats, "report": report}


def test_the_parts_of_a_report_are_its_whole(shown: Shown) -> None:
    report, stats = shown.json["/metrics/report"], shown.json["/stats"]
    for name in ("messages", "conversations", "ended", "automated"):
        for parts in ("by_day", "by_category"):
            assert sum(part[name] for part in report[parts]) == report[name], (name, parts)
    for parts in ("by_day", "by_category"):
        assert sum(part["tokens"] for part in report[parts]) == report["tokens"]["spent"]
        assert sum(part["saved"] for part in report[parts]) == report["tokens"]["saved"]
        assert sum(part["model_turns"] for part in report[parts]) == sum(one["calls"] for one in report["models"])
    assert sum(share["count"] for share in report["results"].values()) == report["ended"]
    for shares in ("outcomes", "categories", "handlers", "states", "channels"):
        assert sum(share["count"] for share in stats[shares].values()) == stats["messages"], shares
    assert stats["outcomes"]["llm"]["count"] + stats["outcomes"]["fallback"]["count"] == report["missed"]


def test_the_command_prints_the_same(shown: Shown) -> None:
    printed = json.loads(shown.printed["json"])
    assert printed["stats"] == without(shown.json["/stats"], "bot", "revision")
    assert printed["report"] == without(shown.json["/metrics/report"], "bot")


def test_tables_of_the_command_have_the_same_figures(shown: Shown) -> None:
    by_csv = {row[:3]: row[3] for row in map(tuple, csv.reader(io.StringIO(shown.printed["csv"])))}
    assert by_csv == from_markdown(shown.printed["markdown"]) == from_text(shown.printed["text"])
    report, stats = shown.count().report(), shown.count().stats()
    wanted = {
        ("Summary", "messages"): str(report["messages"]),
        ("Summary", "conversations"): str(report["conversations"]),
        ("Summary", "ended"): str(report["ended"]),
        ("Summary", "without a person"): f"{report['automated']} ({100 * report['automation_rate']:.1f} %)",
        ("Summary", "resolved"): f"{100 * stats['resolution']['rate']:.1f} %",
        ("Summary", "tokens spent"): str(report["tokens"]["spent"]),
        ("Summary", "tokens saved"): str(report["tokens"]["saved"]),
        ("Summary", "not known by any rule"): str(report["missed"]),
        ("Summary", "model turns"): str(sum(one["calls"] for one in report["models"])),
        ("Summary", "half answered within"): f"{stats['latency_seconds']['p50']:.6g} s",
        ("Summary", "19 of 20 answered within"): f"{stats['latency_seconds']['p95']:.6g} s",
    }
    assert {(table, row): by_csv[table, row, "value"] for table, row in wanted} == wanted
    for title, key in (("By day", "by_day"), ("By category", "by_category")):
        for group in report[key]:
            for name in ("messages", "conversations", "ended", "automated", "tokens", "saved"):
                assert by_csv[title, group["id"], name] == str(group[name])
            assert by_csv[title, group["id"], "model turns"] == str(group["model_turns"])
            assert float(by_csv[title, group["id"], "money"]) == pytest.approx(group["cost"], abs=1e-4)
            p95 = group["latency"]["p95"]
            assert by_csv[title, group["id"], "19 of 20 within"] == ("-" if p95 is None else f"{p95:.6g} s")
    for title, found in (
        ("How conversations ended", report["results"]),
        ("What answered", stats["outcomes"]),
        ("Categories", stats["categories"]),
        ("Handlers and guides", report["top_handlers"]),
        ("States", stats["states"]),
    ):
        rows = {
            row: int(value) for (table, row, column), value in by_csv.items() if (table, column) == (title, "count")
        }
        assert rows == {name: share["count"] for name, share in found.items()}, title


# --- counters ---------------------------------------------------------------------------------------


def test_counters_are_what_the_records_say_erased_ones_included(shown: Shown) -> None:
    counted = shown.count().counters()
    metrics = samples(shown.metrics)
    for name, values in counted.items():
        assert metrics[f"supportbot_{name}_total"] == pytest.approx(values), name
        given = shown.json["/metrics"][f"supportbot_{name}_total"]
        total = sum(given.values()) if isinstance(given, dict) else given
        assert total == pytest.approx(sum(values.values())), name


def test_durations_are_what_the_records_say(shown: Shown) -> None:
    metrics, turns = samples(shown.metrics), shown.count().turns()
    name = "supportbot_turn_duration_seconds"
    assert metrics[f"{name}_sum"] == pytest.approx({(outcome,): total for outcome, (total, _) in turns.items()})
    buckets = {(str(bound), outcome): n for outcome, (_, below) in turns.items() for bound, n in below.items()}
    assert {(str(float(le)), outcome): n for (le, outcome), n in metrics[f"{name}_bucket"].items()} == buckets
    assert metrics[f"{name}_count"] == {(outcome,): below[float("inf")] for outcome, (_, below) in turns.items()}


def test_what_one_process_counts_begins_with_it(shown: Shown) -> None:
    metrics = samples(shown.metrics)
    assert sum(metrics["supportbot_stage_duration_seconds_count"].values()) == 5 * 10 * len(LAST), (
        "five stages of a turn"
    )
    assert not metrics.get("supportbot_turns_repeated_total")


def test_active_conversations_are_the_same_everywhere(shown: Shown) -> None:
    assert shown.json["/health"]["active_sessions"] == 10
    assert shown.json["/sessions"]["active"] == 10
    assert samples(shown.metrics)["supportbot_sessions_active"] == {(): 10}
    assert shown.count().one("SELECT count(*) FROM sessions WHERE NOT closed") == 10


BY_DAY = {
    "Messages": ("messages", "conversations"),
    "Conversations that ended": ("automated",),
    "Tokens of the model": ("model_turns", "tokens", "saved"),
}


# --- the page ---------------------------------------------------------------------------------------


@pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_prints_the_same(shown: Shown) -> None:
    tables = tables_of(shown.page)
    report, stats = shown.count().report(), shown.count().stats()
    days = {group["id"]: group for group in report["by_day"]}
    for title, names in BY_DAY.items():
        printed = {
            day: [int(cell.replace(",", "")) for cell in row[: len(names)]] for day, row in tables[title].items()
        }
        assert set(days) <= set(printed)
        for day, row in printed.items():  # also days on which nothing happened
            assert row == ([days[day][name] for name in names] if day in days else [0] * len(names)), (title, day)
    for day, row in tables["Time to answer by day"].items():
        latency = days[day]["latency"] if day in days else {}
        for name, cell in zip(("p50", "p95", "mean"), row, strict=True):
            given = latency.get(name)
            assert milliseconds(cell) == (None if given is None else pytest.approx(given * 1000, rel=0.01)), (day, name)
    for title, found in (
        ("Top handlers", stats["handlers"]),
        ("Top guides", stats["guides"]),
        ("States", stats["states"]),
    ):
        counts = {name: int(row[0].replace(",", "")) for name, row in tables[title].items()}
        assert counts == {name: share["count"] for name, share in found.items()}, title
    assert {text: int(row[-1]) for text, row in tables["What no rule knew"].items()} == {
        miss["text"]: miss["count"] for miss in report["top_misses"]
    }
    assert f">{rate(report['automation_rate'])}</p>" in shown.page
    assert f">{rate(stats['resolution']['rate'])}</p>" in shown.page
    assert f"{report['missed']:,} messages in all" in shown.page


# --- comparing --------------------------------------------------------------------------------------


def without(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


def close(data: Any) -> Any:
    """The same, with numbers that are equal to their neighbors in the last digits: sums depend on their order."""
    if isinstance(data, dict):
        return {name: close(value) for name, value in data.items()}
    if isinstance(data, list):
        return [close(item) for item in data]
    return pytest.approx(data, rel=1e-6, abs=1e-6) if isinstance(data, float) else data
