"""Reloads under load, a third of them with a wrong bot: no failed request, each answer wholly of one revision.

python -m tests.harness.reload [--reloads 1000] [--rate 200]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from tests.harness.kill import Harness

WRONG = "\n  - {id: wrong, do: [{reply: not_there}]}\n"


@dataclass
class Outcome:
    reloads: int
    refused: int
    requests: int
    revisions: int
    longest_pause: float  # of the event loop, seconds
    faults: list[str] = field(default_factory=list)


class Storm(Harness):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, clients=0, seed=0)
        self.responses = next(path for path in self.bot.rglob("*.yaml") if "offline_1:" in path.read_text("utf-8"))
        self.handlers = self.bot / "handlers.yaml"
        self.texts: dict[str, str] = {}
        self.faults: list[str] = []
        self.requests = 0

    def write(self, text: str) -> None:
        lines = self.responses.read_text("utf-8").splitlines()
        at = next(number for number, line in enumerate(lines) if line.strip().startswith("offline_1:"))
        lines[at] = f'  offline_1: "{text}"'
        self.responses.write_text("\n".join(lines) + "\n", "utf-8")

    async def visit(self, client: aiohttp.ClientSession, rate: float) -> None:
        tasks: set[asyncio.Task[None]] = set()
        while not self.stopping:
            task = asyncio.create_task(self.ask(client, f"v{self.requests}"))
            self.requests += 1
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            await asyncio.sleep(1 / rate)
        await asyncio.gather(*tasks)

    async def ask(self, client: aiohttp.ClientSession, session: str) -> None:
        body = await self.send(client, session, "m", "my printer is offline")
        if body is None:
            self.faults.append(f"{session} got no answer")
            return
        answer = json.loads(body)
        said = answer["replies"][0]["text"]
        if self.texts.setdefault(answer["revision"], said) != said:
            self.faults.append(f"{session} got {said!r} of revision {answer['revision']}")

    async def reload(self, client: aiohttp.ClientSession) -> int:
        async with client.post(f"{self.url}/reload") as answer:
            await answer.read()
            return answer.status

    async def run_storm(self, reloads: int, rate: float) -> Outcome:
        limits = aiohttp.ClientTimeout(total=30)
        refused = 0
        async with aiohttp.ClientSession(timeout=limits) as client:
            self.start()
            await self.ready(client)
            visitors = asyncio.create_task(self.visit(client, rate))
            for number in range(reloads):
                source = self.handlers.read_text("utf-8")
                if number % 3 == 2:
                    self.handlers.write_text(source + WRONG, "utf-8")
                else:
                    self.write(f"Text {number}")
                status = await self.reload(client)
                refused += status == 422
                if status != (422 if number % 3 == 2 else 200):
                    self.faults.append(f"reload {number} answered {status}")
                self.handlers.write_text(source, "utf-8")
            self.stopping = True
            await visitors
            async with client.get(f"{self.url}/metrics", headers={"Accept": "application/json"}) as answer:
                pause = (await answer.json())["supportbot_event_loop_pause_seconds"]
        return Outcome(reloads, refused, self.requests, len(self.texts), pause, self.faults)


def run(reloads: int, rate: float) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        storm = Storm(Path(folder))
        try:
            return asyncio.run(storm.run_storm(reloads, rate))
        finally:
            if storm.process is not None:
                storm.kill()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=200.0)
    given = parser.parse_args()
    began = time.monotonic()
    outcome = run(given.reloads, given.rate)
    print(
        f"{outcome.reloads} reloads ({outcome.refused} refused) in {time.monotonic() - began:.0f} s, "
        f"{outcome.requests} requests, {outcome.revisions} revisions answered, "
        f"longest pause of the event loop in the last minutes {1000 * outcome.longest_pause:.0f} ms"
    )
    print("\n".join(outcome.faults[:20]) or "no failed request, each answer of one revision")
    raise SystemExit(1 if outcome.faults else 0)


if __name__ == "__main__":
    main()
