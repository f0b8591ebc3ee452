"""The manager's page in a real browser, where there is one: figures are drawn, texts stay texts, nothing is refused."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from msgspec.structs import replace
from tests.server.browser import CHROMIUM, shown
from tests.server.test_dashboard import END, MISS, STEP, TOKEN, visit
from tests.server.world import FakeConversations, World, listening

from supportbot.server.app import create_app
from supportbot.server.options import ServerOptions

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def test_figures_are_drawn_and_texts_stay_texts() -> None:
    async def test(world: World) -> None:
        page, complaints = await shown(f"{world.url}/dashboard")
        assert complaints == []
        assert page.count('class="tile"') == 8
        assert page.count("<svg") >= 10
        assert page.count("<table") >= 10
        assert "Test desk – dashboard</title>" in page
        assert html.escape(HOSTILE, quote=False) in page
        assert "onerror=" not in re.sub(r"&lt;.*?&gt;", "", page)
        assert 'style="' not in page

    visit(test, replace(MISS, text=HOSTILE), STEP, END)


def test_nothing_yet() -> None:
    async def test(world: World) -> None:
        page, complaints = await shown(f"{world.url}/dashboard")
        assert complaints == []
        assert re.search(r'<section id="empty" class="note">', page)
        assert "<svg" not in page

    visit(test)


def test_the_form_asks_for_the_token() -> None:
    async def test(world: World) -> None:
        page, complaints = await shown(f"{world.url}/dashboard")
        assert all("401" in line for line in complaints)
        assert re.search(r'<form id="entry" class="entry">', page)
        assert re.search(r'<section id="trouble"[^>]* hidden', page)
        assert TOKEN not in page
        assert "Test desk" not in page

    visit(test, MISS, token=TOKEN)


async def refused(request: web.Request) -> web.StreamResponse:
    return web.json_response({"detail": "The store does not answer."}, status=503)


async def cut(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    await answer.prepare(request)
    await answer.write(b'{"stats": ')
    assert request.transport is not None
    request.transport.close()
    return answer


async def unknown(request: web.Request) -> web.StreamResponse:
    return web.json_response({"figures": []})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refused, "The store does not answer."),
        (cut, "The server cannot be reached."),
        (unknown, "The server sent figures that this page does not know. Reload the page."),
    ],
)
def test_figures_that_do_not_come_are_explained(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]], reason: str
) -> None:
    @web.middleware
    async def instead(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        return await (answer if request.path == "/dashboard/figures" else handler)(request)

    async def inside() -> None:
        options = ServerOptions()
        app = create_app(FakeConversations(), options)
        app.middlewares.append(instead)
        async with listening(app, options) as (port, _):
            page, _ = await shown(f"http://127.0.0.1:{port}/dashboard")
        assert re.search(r'<section id="trouble" class="note" role="alert">', page)
        assert f'<p id="reason">{reason}</p>' in page
        assert re.search(r'<div id="cards" class="cards" hidden', page)

    asyncio.run(inside())
