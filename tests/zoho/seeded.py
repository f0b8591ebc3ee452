"""Conversations on a Zoho with seeded faults: ``python -m tests.zoho.seeded 1000 [SEED]`` prints what became of them.

Every run is one conversation that asks for a ticket or a call. Each request of it fails with a probability of a
quarter, in one of the ways of fake_zoho.FAULTS. The ledger of the fake is the judge.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.zoho.fake_zoho import CLIENT_SECRET, FAULTS, REFRESH_TOKEN, FakeZoho
from tests.zoho.world import World, world

SHARE = 0.25  # of requests that fail
CARD = "4111 1111 1111 1111"
AT_ONCE = 40  # conversations
WAIT = 0.3  # seconds that a reply waits for its action


@dataclass
class Report:
    """``lies``: what a visitor was told that was not so."""

    runs: int
    seed: int
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    told_at_once: int = 0
    refreshes: int = 0

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.runs} runs in {self.seconds:.0f} s, {sum(self.faults.values())} faults "
            f"{dict(sorted(self.faults.items()))}; lost {len(self.lost)}, doubled {len(self.doubled)}, "
            f"untrue {len(self.lies)}, given up {len(self.dead)}, told in the same reply {self.told_at_once}, "
            f"bodies against the rules {len(self.violations)}, secrets in logs {len(self.leaks)}, "
            f"token refreshes {self.refreshes}"
        )


class Keeper(logging.Handler):
    """Keeps every log line, whatever its level."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def leaks_in(lines: Iterable[str], zoho: FakeZoho) -> list[str]:
    """Lines with a secret, a token, an unmasked card number or a mail address."""
    canaries = [CLIENT_SECRET, REFRESH_TOKEN, "token-canary", CARD, CARD.replace(" ", ""), "@example.com"]
    # The fake's own access log shows addresses; it is not part of the bot.
    return [line for line in lines if not line.startswith("aiohttp.access") and any(item in line for item in canaries)]


async def run(runs: int, seed: int, folder: Path, share: float = SHARE) -> Report:
    report, chance = Report(runs, seed), random.Random(seed)
    keeper, root = Keeper(), logging.getLogger()
    level = root.level
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    started = time.perf_counter()
    expiries = 6  # Zoho gives ten tokens in ten minutes

    def plan(method: str, _path: str) -> str:
        nonlocal expiries
        fault = chance.choice(FAULTS) if chance.random() < share else ""
        if fault == "204_after" and method == "GET":
            return "500_before"  # to a question 204 means "nothing": a service that lies cannot be believed
        if fault == "401":
            expiries -= 1
            return fault if expiries >= 0 else ""
        return fault

    zoho = FakeZoho(slow=0.8, plan=plan)
    try:
        async with zoho.running(), world(zoho, folder, wait=WAIT) as the_world:
            room = asyncio.Semaphore(AT_ONCE)
            await asyncio.gather(*(one(the_world, zoho, number, room, report) for number in range(runs)))
            await the_world.settled(120)
            await asyncio.sleep(1.0)  # what the service still does for callers that gave up
            await judge(the_world, zoho, report)
    finally:
        root.removeHandler(keeper)
        root.setLevel(level)
    report.seconds = time.perf_counter() - started
    report.faults, report.violations = zoho.faults, zoho.violations
    report.refreshes, report.leaks = len(zoho.refreshes), leaks_in(keeper.lines, zoho)
    return report


async def one(the_world: World, zoho: FakeZoho, number: int, room: asyncio.Semaphore, report: Report) -> None:
    session = f"run{number}"
    async with room:
        if number % 10:
            result = await the_world.ticket(session, email=f"person{number % 40}@example.com")
        else:
            result = await the_world.callback(session)
        if not is_true(result.reply.text, zoho, result.outcomes[0].text or ""):
            report.lies.append(f"{session}: {result.reply.text}")
        report.told_at_once += result.outcomes[0].ok


def is_true(text: str, zoho: FakeZoho, _reference: str) -> bool:
    """Nobody is told of a ticket that does not exist."""
    if "Your ticket is open" in text:
        number = text.partition("its number is ")[2].partition(".")[0]
        return any(item["ticketNumber"] == number for item in zoho.tickets)
    return True


async def judge(the_world: World, zoho: FakeZoho, report: Report) -> None:
    made = Counter(
        write.body["subject"].rpartition("[")[2].rstrip("]") for write in zoho.ledger if "subject" in write.body
    )
    calls = await the_world.store.outbox.listed(("waiting", "done", "dead"), 100_000)
    report.doubled = [reference for reference, count in made.items() if count > 1]
    report.lost = [call.id for call in calls if call.state == "done" and not made[call.id]]
    report.dead = [f"{call.id}: {call.reason}" for call in calls if call.state == "dead"]
    if len(calls) != report.runs:
        report.lost.append(f"{report.runs - len(calls)} were never written down")
    report.lost += [call.id for call in calls if call.state == "waiting"]
    for call in calls:
        await judge_words(the_world, zoho, call.id, call.state == "done", call.session_id, report)


async def judge_words(
    the_world: World, zoho: FakeZoho, reference: str, done: bool, session_id: str, report: Report
) -> None:
    """What was said in the end: in the reply itself, or first in the next turn."""
    session = await the_world.store.load(session_id)
    assert session is not None
    heard = "\n".join(exchange.answered for exchange in session.history)
    said = f"{heard}\n" + "\n".join(item.text for item in session.undelivered)
    success = "Your ticket is open" in said or "Your call is noted" in said
    if success != done:
        report.lies.append(f"{session_id}: {'done' if done else 'not done'}, but told: {said[-200:]}")
    for ticket in zoho.tickets:
        if (
            ticket["subject"].endswith(f"[{reference}]")
            and f"its number is {ticket['ticketNumber']}." not in said
            and done
        ):
            report.lies.append(f"{session_id}: another number than {ticket['ticketNumber']}: {said[-200:]}")


def main() -> int:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6)
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(run(runs, seed, Path(folder)))
    print(report)
    for name in ("lost", "doubled", "lies", "dead", "violations", "leaks"):
        for line in getattr(report, name)[:5]:
            print(f"  {name}: {line}")
    return int(bool(report.lost or report.doubled or report.lies or report.violations or report.leaks))


if __name__ == "__main__":
    sys.exit(main())
