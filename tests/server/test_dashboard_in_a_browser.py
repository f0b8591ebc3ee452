"""The manager's page in a real browser, where there is one: figures are drawn, texts stay texts, nothing is refused."""

from __future__ import annotations

import asyncio
import html
import re
import shutil
import tempfile

import pytest
from msgspec.structs import replace
from tests.server.test_dashboard import END, MISS, STEP, TOKEN, visit
from tests.server.world import World

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--window-size=390,844",
    "--virtual-time-budget=4000",
    "--dump-dom",
)
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


async def shown(world: World, path: str) -> tuple[str, str]:
    """The page after its scripts ran, and what the browser complained about."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = (CHROMIUM, *FLAGS, f"--user-data-dir={profile}", f"{world.url}{path}")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        try:
            async with asyncio.timeout(60):
                page, log = await process.communicate()
        except BaseException:
            process.kill()
            await process.wait()
            raise
    complaints = [line for line in log.decode("utf-8", "replace").splitlines() if "CONSOLE" in line]
    return page.decode("utf-8"), "\n".join(complaints)


def test_figures_are_drawn_and_texts_stay_texts() -> None:
    async def test(world: World) -> None:
        page, complaints = await shown(world, "/dashboard")
        assert complaints == ""
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
        page, complaints = await shown(world, "/dashboard")
        assert complaints == ""
        assert re.search(r'<section id="empty" class="note">', page)
        assert "<svg" not in page

    visit(test)


def test_the_form_asks_for_the_token() -> None:
    async def test(world: World) -> None:
        page, complaints = await shown(world, "/dashboard")
        assert all("401" in line for line in complaints.splitlines())
        assert re.search(r'<form id="entry" class="entry">', page)
        assert re.search(r'<section id="trouble"[^>]* hidden', page)
        assert TOKEN not in page
        assert "Test desk" not in page

    visit(test, MISS, token=TOKEN)
