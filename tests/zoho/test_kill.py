"""kill -9 between the commit of a turn and the end of its call: the ticket is there once, and the visitor hears of it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from tests.zoho.fake_zoho import FakeZoho
from tests.zoho.world import world

ROOT = Path(__file__).parents[2]


async def doomed(folder: Path, url: str, moment: str) -> int:
    command = [sys.executable, "-m", "tests.zoho.doomed", str(folder), url, moment]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, stdout=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


@pytest.mark.parametrize(("moment", "written"), [("committed", 0), ("sending", 0), ("sent", 1)])
def test_a_killed_process_loses_nothing_and_doubles_nothing(tmp_path: Path, moment: str, written: int) -> None:
    async def played() -> None:
        async with FakeZoho().running() as zoho:
            assert await doomed(tmp_path, zoho.url, moment) == -signal.SIGKILL
            assert len(zoho.writes("ticket")) == written
            async with world(zoho, tmp_path) as the_world:
                await the_world.settled()
                assert len(zoho.writes("ticket")) == 1
                assert len(zoho.refreshes) == 1  # the token survived as well
                answer = await the_world.say("hello")
                assert answer.reply.text.startswith("Your ticket is open, its number is 101.")

    asyncio.run(played())
