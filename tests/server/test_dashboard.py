"""The manager's page: what is served, to whom, under which policy, and that every figure it reads exists."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace
from tests.server.world import FakeConversations, World, listening, small_bot

from supportbot.adapters.memory_store import MemoryStore
from supportbot.model.session import Session
from supportbot.runtime.ports import Record
from supportbot.server.app import create_app
from supportbot.server.options import Secret, ServerOptions
from supportbot.server.page_views import FOLDER

FILES = {
    "/dashboard": "text/html",
    "/dashboard/app.js": "text/javascript",
    "/dashboard/charts.js": "text/javascript",
    "/dashboard/numbers.js": "text/javascript",
    "/dashboard/style.css": "text/css",
    "/dashboard/icon.svg": "image/svg+xml",
}
SCRIPTS = ("dashboard.js", "charts.js", "numbers.js")
HTML = (FOLDER / "dashboard.html").read_text("utf-8")
SCRIPT = (FOLDER / "dashboard.js").read_text("utf-8")
PATH = re.compile(r'"((?:report|stats)\.[a-z0-9_.\[\]]+)"')
FIGURES = sorted(set(PATH.findall(SCRIPT)))
TOKEN = "a token for tests"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
NOON = datetime.now(UTC).replace(microsecond=0)

MISS = Record(
    id="1",
    session_id="s",
    message_id="m1",
    request_id="",
    at=NOON,
    revision="r",
    channel="chat",
    text="my [e-mail] is broken",
    reply="Sorry.",
    state="greeting",
    next_state="greeting",
    category="other",
    handler="llm_fallback",
    kind="llm",
    model="openai/test",
    tokens_in=40,
    tokens_out=2,
    elapsed=0.3,
    day="2026-11-23",
    opening=True,
    cost=0.25,
    saved=900,
)
STEP = replace(
    MISS, id="2", message_id="m2", handler="a_guide", kind="guide", model="", tokens_in=0, tokens_out=0, cost=0
)
END = replace(STEP, id="3", message_id="m3", handler="bye", kind="handler", opening=False, result="person")


def visit(
    test: Callable[[World], Awaitable[None]], *records: Record, token: str = "", loopback: bool | None = None
) -> None:
    """Run a test's coroutine against a server whose store holds these records."""

    async def inside() -> None:
        store = MemoryStore()
        for number, record in enumerate(records, start=1):
            session = Session(record.session_id, record.next_state, NOON, NOON, version=number, turns=number)
            await store.commit(session, record)
        conversations = FakeConversations(bot=small_bot(), store=store)  # type: ignore[arg-type]
        options = ServerOptions(admin_token=Secret(token), loopback=loopback)
        app = create_app(conversations, options)
        async with listening(app, options) as (port, client):
            await test(World(conversations, app, port, client))

    asyncio.run(inside())


async def get(world: World, path: str, headers: Mapping[str, str] | None = None) -> tuple[aiohttp.ClientResponse, str]:
    async with world.client.get(f"{world.url}{path}", headers=headers) as answer:
        return answer, await answer.text()


@pytest.mark.parametrize(("path", "kind"), FILES.items())
def test_files_and_their_policy(path: str, kind: str) -> None:
    async def test(world: World) -> None:
        answer, body = await get(world, path)
        assert answer.status == 200
        assert answer.content_type == kind
        assert body
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        parts = dict(part.split(" ", 1) for part in policy.split("; "))
        assert parts["default-src"] == "'none'"
        assert {parts[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
        assert parts["frame-ancestors"] == parts["base-uri"] == parts["form-action"] == "'none'"
        assert "unsafe" not in policy
        assert "http" not in policy

    visit(test)


def test_a_browser_without_the_token_gets_the_form() -> None:
    async def test(world: World) -> None:
        answer, body = await get(world, "/dashboard", {"Accept": "text/html,*/*;q=0.8"})
        assert answer.status == 401
        assert answer.content_type == "text/html"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Vary"] == "Accept"
        assert 'id="token"' in body
        assert "Test desk" not in body, "the page itself says nothing about the bot"

    visit(test, MISS, token=TOKEN)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        (AUTHORIZED, 200),
    ],
)
def test_the_token_is_asked_for(headers: dict[str, str], status: int) -> None:
    async def test(world: World) -> None:
        for path in ("/dashboard", "/dashboard/figures", "/stats", "/metrics/report"):
            answer, _ = await get(world, path, headers)
            assert answer.status == status, path
            if status == 401:
                assert answer.content_type == "application/problem+json"

    visit(test, token=TOKEN)


def test_without_a_token_only_this_machine_sees_it() -> None:
    async def closed(world: World) -> None:
        answer, _ = await get(world, "/dashboard")
        assert answer.status == 403
        answer, body = await get(world, "/dashboard", {"Accept": "text/html"})
        assert answer.status == 403
        assert 'id="trouble"' in body

    async def opened(world: World) -> None:
        answer, _ = await get(world, "/dashboard")
        assert answer.status == 200

    visit(closed, loopback=False)
    visit(opened, loopback=True)


def test_files_are_kept_until_they_change() -> None:
    async def test(world: World) -> None:
        answer, _ = await get(world, "/dashboard/app.js")
        again, body = await get(world, "/dashboard/app.js", {"If-None-Match": answer.headers["ETag"]})
        assert (again.status, body) == (304, "")
        page, _ = await get(world, "/dashboard")
        assert "ETag" not in page.headers, "its status depends on who asks"

    visit(test)


# --- figures ---------------------------------------------------------------------------------------


def found(data: Any, path: str) -> Any:
    """The value at a path of the script: ``a.b`` is a key of a key, ``a[].b`` a key of the first row."""
    for name in path.replace("[]", ".0").split("."):
        data = data[int(name)] if name.isdigit() else data[name]
    return data


def test_every_figure_exists() -> None:
    async def test(world: World) -> None:
        read = await figures(world)
        for path in FIGURES:
            found(read, path)
            if not path.endswith(("handlers", "guides", "channels", "states", "outcomes", "results")):
                continue
            for share in found(read, path).values():
                assert set(share) == {"count", "percent"}
        assert read["report"]["top_misses"][0]["text"] == MISS.text
        assert read["report"]["automation_rate"] == 0.0
        assert read["stats"]["latency_seconds"]["p95"] == 0.5
        assert read["report"]["by_day"][0]["id"] == "2026-11-23"
        for name, path in SOURCES.items():
            async with world.client.get(f"{world.url}/{path}") as answer:
                assert read[name] == await answer.json()

    visit(test, MISS, STEP, END)


SOURCES = {"stats": "stats?since=30d", "report": "metrics/report?since=30d"}


async def figures(world: World) -> Any:
    async with world.client.get(f"{world.url}/dashboard/figures?since=30d") as answer:
        assert answer.status == 200
        return await answer.json()


def test_the_script_reads_figures_by_these_paths_only() -> None:
    assert len(FIGURES) > 30
    assert "report.by_day[].automated" in FIGURES
    readers = re.findall(r"\b(?:value|column|shares)\(([^)]*)\)", SCRIPT)
    literal = {item for item in readers if item.startswith('"')}
    assert {item.strip('"') for item in literal} <= set(FIGURES)
    assert set(readers) - literal <= {"path", "list"}, "another way to read a figure is not checked"
    assert re.findall(r"ask\(`(.*?)`\)", SCRIPT) == ["dashboard/figures${query}"]


def test_a_store_without_conversations_has_figures_too() -> None:
    async def test(world: World) -> None:
        read = await figures(world)
        for path in FIGURES:
            found(read, path.partition("[]")[0])
        assert read["report"]["messages"] == read["report"]["ended"] == 0, "by these the script knows that it is empty"

    visit(test)


def test_periods_of_the_page_are_understood() -> None:
    periods = re.findall(r'name="since" value="(\w*)"', HTML)
    assert len(periods) == 4

    async def test(world: World) -> None:
        for period in periods:
            for path in ("stats", "metrics/report", "dashboard/figures"):
                answer, _ = await get(world, f"/{path}" + (f"?since={period}" if period else ""))
                assert answer.status == 200

    visit(test)


# --- the files -------------------------------------------------------------------------------------


def test_everything_comes_from_here_and_nothing_is_inline() -> None:
    linked = re.findall(r'(?:src|href)="([^"#][^"]*)"', HTML)
    assert {f"/{path}" for path in linked} <= {*FILES, "/widget"}
    imported = {path for name in SCRIPTS for path in re.findall(r'from "\./([^"]+)"', text_of(name))}
    assert {f"/dashboard/{path}" for path in imported} <= set(FILES)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", HTML)
    assert "@import" not in text_of("dashboard.css")
    assert "url(" not in text_of("dashboard.css")


@pytest.mark.parametrize("name", SCRIPTS)
def test_texts_never_become_markup_and_the_token_is_kept_nowhere(name: str) -> None:
    text = text_of(name)
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "DOMParser",
    ):
        assert word not in text
    for word in ("localStorage", "sessionStorage", "cookie", "indexedDB", "location", "history.", "console."):
        assert word not in text


def test_every_element_that_the_script_names_is_on_the_page() -> None:
    ids = set(re.findall(r'\bid="([^"]+)"', HTML))
    named = set(re.findall(r'\bel\("([^"]+)"\)', SCRIPT))
    for group in re.findall(r"for \(const id of \[([^\]]+)\]", SCRIPT):
        named |= set(re.findall(r'"([^"]+)"', group))
    assert len(named) > 10
    assert named <= ids


def text_of(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")
