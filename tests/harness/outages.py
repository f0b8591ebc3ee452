"""Outages of all that a served bot leans on, one after the other: every webhook is answered in time, and it recovers.

python -m tests.harness.outages [--seconds 12] [--only NAME ...]

A real server process talks to a model and a receiver of alerts on loopback. During each outage visitors write over
both channels, some of them what rules answer, some what needs the model. A table tells what happened. A disk that is
full is a small tmpfs where this process may mount one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from tests.harness.outage_servers import FaultyModel, fill, locked, no_growth
from tests.harness.outage_world import (
    ANSWERED,
    DEGRADED,
    LATE,
    MODEL,
    PATIENCE,
    PERSON,
    RULE,
    SAID,
    TROUBLE,
    Row,
    Sent,
    World,
    table,
    world,
)

RULE_SECONDS = 1.0  # more than a rule's answer ever takes, less than a model that fails


# --- the outages --------------------------------------------------------------------------------------


Begin = Callable[[World], "contextlib.AbstractAsyncContextManager[None]"]


@dataclass(frozen=True)
class Outage:
    """``begin``: it lasts as long as this context. ``alerts``: kinds that are told of. ``watch``: metrics that move."""

    name: str
    begin: Begin
    alerts: tuple[str, ...]
    watch: str
    asks_model: bool
    check: Callable[[Row], None]


def model_outage(fault: str) -> Outage:
    @contextlib.asynccontextmanager
    async def begin(world: World) -> AsyncIterator[None]:
        world.model.fault = fault
        try:
            yield
        finally:
            world.model.fault = "ok"

    watch = "supportbot_upstream_request_duration_seconds"
    return Outage(f"model: {fault}", begin, ("llm_unavailable",), watch, True, check_model)


def lock_outage(seconds: float) -> Outage:
    def begin(world: World) -> contextlib.AbstractAsyncContextManager[None]:
        return locked(world.store, seconds)

    name = f"store locked {seconds:g} s"
    return Outage(name, begin, ("store_degraded",), "supportbot_store_failures_total", False, check_lock)


def disk_outage(real: bool) -> Outage:
    @contextlib.asynccontextmanager
    async def begin(world: World) -> AsyncIterator[None]:
        free = fill(world.disk) if real else no_growth(world.process.pid)
        try:
            yield
        finally:
            free()

    alerts = ("store_degraded", "webhook_exception", "chat_endpoint_error")
    name = "disk full (tmpfs)" if real else "disk full (limit of the process)"
    return Outage(name, begin, alerts, "supportbot_store_failures_total", False, check_disk)


def alerts_outage(fault: str) -> Outage:
    """The model fails as well: there has to be something to tell."""

    @contextlib.asynccontextmanager
    async def begin(world: World) -> AsyncIterator[None]:
        world.receiver.fault, world.model.fault = fault, "unavailable"
        try:
            yield
        finally:
            world.receiver.fault, world.model.fault = "", "ok"

    return Outage(f"alert webhook: {fault}", begin, ("llm_unavailable",), "supportbot_alerts_total", True, check_model)


def check_model(row: Row) -> None:
    said = [one for one in row.sent if one.text == MODEL]
    rules = sorted(one.seconds for one in row.sent if one.text == RULE)
    row.check(rules[len(rules) // 2] < RULE_SECONDS + row.lag, f"rules took {rules[len(rules) // 2]:.2f} s")
    row.check(any(DEGRADED in one.replies for one in said), "nobody was told that the model is gone")
    for one in row.sent:
        if one.text == RULE:
            row.check(one.replies == [SAID], f"a rule answered {one.status} {one.replies}")
        else:
            allowed = {DEGRADED} if one.channel == "chat" else {DEGRADED, LATE}
            row.check(
                set(one.replies) <= allowed and one.status == 200, f"the model's turn: {one.status} {one.replies}"
            )


def check_lock(row: Row) -> None:
    for one in row.sent:
        if one.channel == "salesiq":
            handed = one.text == PERSON and one.body.get("action") == "forward"
            known = set(one.replies) <= {SAID, LATE, TROUBLE} and one.replies
            row.check(bool(handed or known), f"a webhook said {one.body}")
        elif one.status != 200:
            check_problem(row, one)
    row.check(any(LATE in one.replies for one in row.sent), "nobody was asked to wait")


def check_disk(row: Row) -> None:
    for one in row.sent:
        if one.channel == "salesiq":
            allowed = {"forward"} if one.text == PERSON else {"reply"}
            row.check(one.body.get("action") in allowed, f"{one.text!r} got {one.body}")
            row.check(one.text == PERSON or one.replies in ([SAID], [TROUBLE]), f"a webhook said {one.replies}")
        elif one.status != 200:
            check_problem(row, one)
    row.check(any(TROUBLE in one.replies for one in row.sent), "no webhook was told of the trouble")
    row.check(any(one.status == 503 for one in row.sent), "no chat got a 503: the disk was not full")
    row.check(any(one.text == PERSON for one in row.sent), "nobody asked for a person")


def check_problem(row: Row, one: Sent) -> None:
    good = one.status == 503 and one.retry_after.isdigit() and one.body.get("title") == "Service Unavailable"
    row.check(good, f"/chat answered {one.status}, Retry-After {one.retry_after!r}, {one.body}")


# --- one outage ---------------------------------------------------------------------------------------


async def endure(world: World, outage: Outage, seconds: float, questions: int = 1_000_000) -> Row:
    """Run one outage and look at everything. ``questions``: so many at most to the model, while it fails."""
    row = Row(outage.name)
    before = await world.metrics()
    refused = world.receiver.refused
    told = {kind: world.receiver.count(kind, "failing") for kind in outage.alerts}
    mended = {kind: world.receiver.count(kind, "recovered") for kind in outage.alerts}
    async with outage.begin(world):
        await visit(world, outage, row, seconds, questions)
    ended = time.monotonic()
    outage.check(row)
    for one in row.sent:
        row.check(one.in_time(row.lag), f"{one.channel} {one.text!r}: {one.status} after {one.seconds:.2f} s")
    row.check(bool(row.health - {"healthy"}), "/health noticed nothing")
    await recover(world, told, row)
    row.recovered = time.monotonic() - ended
    for kind in outage.alerts:
        counts = [world.receiver.count(kind, state) for state in ("failing", "recovered")]
        got = (counts[0] - told[kind], counts[1] - mended[kind])
        row.check(got == (1, 1), f"{kind} was told {got[0]} times, its recovery {got[1]} times")
        row.alerts += f"{', ' if row.alerts else ''}{kind} {got[0]}+{got[1]}"
    row.metric = moved(before, await world.metrics(), outage.watch)
    row.check(bool(row.metric), f"{outage.watch} did not move")
    row.check(world.receiver.refused > refused or "alert" not in outage.name, "no alert met the outage of its webhook")
    await owed(world, row)
    await nothing_lost(world, row)
    return row


async def visit(world: World, outage: Outage, row: Row, seconds: float, questions: int) -> None:
    """Messages over both channels until the outage is over."""
    tasks: list[asyncio.Task[Sent]] = []
    looking = asyncio.create_task(look(world, row))
    end = time.monotonic() + seconds
    for number in itertools.count():
        if time.monotonic() >= end:
            break
        tasks += [asyncio.create_task(world.salesiq(RULE)), asyncio.create_task(world.chat(RULE))]
        if outage.asks_model and len([0 for task in tasks if task.get_name() == "model"]) < questions:
            ask = world.salesiq if number % 2 else world.chat
            tasks.append(asyncio.create_task(ask(MODEL), name="model"))
        elif not outage.asks_model and number % 4 == 0:
            tasks.append(asyncio.create_task(world.salesiq(PERSON)))
        await asyncio.sleep(0.2)
    row.sent += await asyncio.gather(*tasks)
    await look_once(world, row)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


async def look(world: World, row: Row) -> None:
    while True:
        await look_once(world, row)
        await asyncio.sleep(0.2)


async def look_once(world: World, row: Row) -> None:
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        row.lag = max(row.lag, await world.lag())
        found = await world.health()
        row.health.add(found["status"])
        row.check(found["status"] == "healthy" or bool(found["reasons"]), "/health gives no reason")


async def recover(world: World, told: Mapping[str, int], row: Row) -> None:
    """Write until everything is as it was; no restart, no other help. ``told``: alerts before the outage, by kind."""
    sent: list[Sent] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                texts = [(RULE, SAID)] + ([(MODEL, ANSWERED)] if world.with_model else [])
                asked = [(text, answer) for text, answer in texts for _ in range(2)]
                sent = [await ask(text) for ask in (world.salesiq, world.chat) for text, _ in asked]
                good = all(one.replies == [answer] for one, (_, answer) in zip(sent, asked * 2, strict=True))
                found = await world.health()
                if good and found["status"] == "healthy" and not found["alerts"]:
                    break
                await asyncio.sleep(0.2)
            while not all(
                world.receiver.count(kind, "failing") > count and world.receiver.is_over(kind)
                for kind, count in told.items()
            ):
                await asyncio.sleep(0.05)
    except TimeoutError:
        said = [one.replies or one.status for one in sent]
        told = [(alert["kind"], alert["state"]) for alert in world.receiver.got]
        row.check(False, f"it did not recover: it said {said}, told {told}, {await world.health()}")


def moved(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> str:
    """How a metric rose, in words."""
    old, new = before.get(name, 0), after.get(name, 0)
    if not isinstance(new, dict):
        return f"{name.removeprefix('supportbot_')} +{new - old:g}" if new > old else ""
    old = old if isinstance(old, dict) else {}
    rises = {
        labels: value - old.get(labels, 0) for labels, value in new.items() if not labels.endswith(("sum", ",ok,count"))
    }
    return ", ".join(f"{labels.removesuffix(',count')} +{rise:g}" for labels, rise in rises.items() if rise > 0)


async def owed(world: World, row: Row) -> None:
    """Whoever was asked to wait gets the answer with the next message, and only with that one.

    After a lock that outlasted the server's patience there is none: those messages are written again (nothing_lost).
    """
    known = world.records()
    late = [one for one in row.sent if LATE in one.replies and one.message_id in known]
    for one in late[:10]:
        answer = DEGRADED if one.text == MODEL else SAID
        first = await world.salesiq(RULE, one.conversation)
        second = await world.salesiq("goodbye", one.conversation)
        if one.text == PERSON:
            row.check(first.body.get("action") == "forward", f"the late hand-over was forgotten: {first.body}")
            continue
        row.check(first.replies[:1] == [answer], f"the late answer was forgotten: {first.replies}")
        row.check(answer not in second.replies or answer == SAID, f"the late answer came twice: {second.replies}")


async def nothing_lost(world: World, row: Row) -> None:
    """What was acknowledged is in the store, once; what was not can be sent again, and then is, once."""
    known = world.records()
    for one in row.sent:
        count = known.get(one.message_id, 0)
        row.check(count <= 1, f"{one.message_id} is in the store {count} times")
        row.check(count == 1 or not one.acknowledged, f"{one.message_id} was acknowledged and is lost")
    failed = [one for one in row.sent if known.get(one.message_id, 0) == 0 and one.text != PERSON]
    for one in failed[:20]:
        again = await world.again(one)
        row.check(again.acknowledged, f"{one.message_id} sent again: {again.status} {again.replies}")
    known = world.records()
    row.check(
        all(known.get(one.message_id) == 1 for one in failed[:20]), "a message that was sent again is there twice"
    )


# --- runs ---------------------------------------------------------------------------------------------


async def short(folder: Path) -> list[Row]:
    """The kinds of outages, each for a moment, on two servers at the same time. Three questions are one alert."""

    async def of_the_store() -> list[Row]:
        cooldown = 8.0
        async with world(folder / "store", with_model=False, cooldown=f"{cooldown:g}s") as made:
            rows = [await endure(made, lock_outage(5.0), seconds=4.0)]
            told = made.receiver.last.get("store_degraded", 0.0)
            await asyncio.sleep(told + cooldown - time.monotonic())  # else the next one's alert would be held back
            return [*rows, await endure(made, disk_outage(real=False), seconds=1.0)]

    async def of_the_model() -> list[Row]:
        async with world(folder / "model", cooldown="1s", model_deadline="3s") as made:
            rows = []
            for outage in (*map(model_outage, ("hang", "rate_limited", "garbage")), alerts_outage("down")):
                rows.append(await endure(made, outage, seconds=0.8, questions=3))
                await asyncio.sleep(1.0)  # the same
            return rows

    found = await asyncio.gather(of_the_store(), of_the_model())
    return [row for rows in found for row in rows]


def can_mount() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
        )
        if mounted.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return mounted.returncode == 0


def all_outages(with_mount: bool) -> list[Outage]:
    return [
        *(model_outage(fault) for fault in FaultyModel.FAULTS),
        alerts_outage("down"),
        alerts_outage("hang"),
        lock_outage(5.0),
        lock_outage(15.0),
        disk_outage(real=False),
        *([disk_outage(real=True)] if with_mount else []),
    ]


async def run_one(outage: Outage, seconds: float) -> Row:
    """With a server of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tmpfs = folder / "disk"
        tmpfs.mkdir()
        mounts = "tmpfs" in outage.name
        if mounts:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmpfs)], check=True)
        try:
            async with world(folder) as made:
                return await endure(made, outage, seconds)
        finally:
            if mounts:
                subprocess.run(["umount", str(tmpfs)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=12.0, help="how long visitors write in each outage")
    parser.add_argument("--only", nargs="*", default=[], help="outages whose names contain one of these")
    given = parser.parse_args()
    outages = [
        one for one in all_outages(can_mount()) if not given.only or any(name in one.name for name in given.only)
    ]
    rows = []
    for outage in outages:
        rows.append(asyncio.run(run_one(outage, given.seconds)))
        print(f"{outage.name}: {'ok' if not rows[-1].faults else 'FAULTS'}", file=sys.stderr)
    print(table(rows))
    faults = [fault for row in rows for fault in row.faults]
    print(
        "\n".join(dict.fromkeys(faults)) or "every webhook answered in time, nothing lost, nothing twice, all recovered"
    )
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
