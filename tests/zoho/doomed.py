"""A process of the bot that is killed at a named moment: ``python -m tests.zoho.doomed FOLDER URL MOMENT``.

It asks for one ticket. MOMENT: committed (the turn is written, the call not made), sending (the write is noted but
not sent), sent (the service has it, the answer is not read), never.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.zoho.fake_zoho import FakeZoho
from tests.zoho.world import World, world

from supportbot.adapters.http_client import HttpClient


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(moment: str) -> None:
    """Let the process die before or after its first request that writes a ticket."""
    original = HttpClient.send

    async def send(self, request, headers, timeout, retry, private):  # type: ignore[no-untyped-def]
        ticket = request.method == "POST" and request.url.path.endswith("/tickets")
        if ticket and moment == "sending":
            die()
        answer = await original(self, request, headers, timeout, retry, private)
        if ticket and moment == "sent":
            die()
        return answer

    HttpClient.send = send  # type: ignore[method-assign]


async def main(folder: Path, url: str, moment: str) -> None:
    zoho = FakeZoho(url=url)
    arm(moment)
    async with world(
        zoho, folder, wait=0.0 if moment == "committed" else 8.0, works=moment != "committed"
    ) as the_world:
        await _ask(the_world)
        if moment == "committed":
            die()
    raise SystemExit("still alive")


async def _ask(the_world: World) -> None:
    result = await the_world.ticket()
    print(result.reply.text, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
