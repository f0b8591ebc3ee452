"""kill -9 at random moments: ``python -m tests.zoho.killing 40 [SEED]`` prints what became of every confirmed ticket.

Each round is a process of the bot that talks for several visitors at once, on a Zoho with faults, and dies between
a third of a second and two seconds after its first ticket. Then one more process finishes what is left. What a visitor was answered must be
so in the end, and the ledger of the fake is the judge.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.zoho.fake_zoho import FakeZoho
from tests.zoho.world import world

ROOT = Path(__file__).parents[2]
VISITORS = 6  # at the same time
FAULTS = ("500_before", "drop_before", "500_after", "drop_after", "late", "slow_after", "html_after")


async def child(folder: Path, url: str, name: str) -> None:
    """Talk until killed; a line for each visitor whose wish was taken down."""
    async with world(FakeZoho(url=url), folder, wait=0.2) as the_world:

        async def visitor(number: int) -> None:
            for turn in range(10_000):
                session = f"{name}-{number}-{turn}"
                await the_world.ticket(session, f"person{number}-{turn % 60}@example.com")
                print(session, flush=True)

        await asyncio.gather(*(visitor(number) for number in range(VISITORS)))


async def rounds(count: int, seed: int, folder: Path) -> str:
    chance = random.Random(seed)
    acknowledged: list[str] = []
    plan_chance = random.Random(seed + 1)

    def plan(method: str, _path: str) -> str:
        fault = plan_chance.choice(FAULTS) if plan_chance.random() < 0.15 else ""
        return fault if method == "POST" or not fault.endswith("_after") else "500_before"

    async with FakeZoho(plan=plan, slow=0.8).running() as zoho:
        for number in range(count):
            acknowledged += await one(folder, zoho.url, f"r{number}", chance.uniform(0.3, 2.0))
        zoho.plan = lambda _method, _path: ""
        async with world(zoho, folder) as the_world:
            await the_world.settled(120)
            await asyncio.sleep(1.0)
            calls = await the_world.store.outbox.listed(("waiting", "done", "dead"), 1_000_000)
    made = Counter(item["subject"].rpartition("[")[2].rstrip("]") for item in zoho.tickets)
    states = {call.session_id: call for call in calls}
    given_up = {call.session_id for call in calls if call.state == "dead"}  # visible, and their visitors were told
    missing = [session for session in acknowledged if session not in states or not made[states[session].id]]
    lost = [session for session in missing if session not in given_up]
    doubled = [reference for reference, times in made.items() if times > 1]
    strangers = [reference for reference in made if reference not in {call.id for call in calls}]
    return (
        f"seed {seed}: {count} kills, {len(acknowledged)} confirmed tickets, {len(calls)} calls, "
        f"{sum(zoho.faults.values())} faults, {len(zoho.refreshes)} token refreshes; lost {len(lost)}, "
        f"doubled {len(doubled)}, without a call {len(strangers)}, "
        f"given up {len(given_up)}, still waiting "
        f"{sum(call.state == 'waiting' for call in calls)}"
    )


async def one(folder: Path, url: str, name: str, seconds: float) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.zoho.killing", "child", str(folder), url, name),
        cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    first = await process.stdout.readline()
    await asyncio.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest = await process.stdout.read()
    await process.wait()
    return (first + rest).decode().split()


def main() -> None:
    if sys.argv[1] == "child":
        asyncio.run(child(Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
        return
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6)
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(rounds(int(sys.argv[1]), seed, Path(folder))))


if __name__ == "__main__":
    main()
