"""Reloads of the starter bot under load, a third of them with a wrong bot.

python -m tests.harness.reload [--reloads 1000] [--rate 200] [--folder /tmp/somewhere]

Requests are sent when their time has come, whether or not earlier ones were answered, and their latency counts from
that time. Every good revision has a number that stands in texts, suggestions and ids of rules, in different files, so
that an answer mixed from two revisions shows; it must be the number of the revision that the answer names, and no older
one than the last that was confirmed before the request was sent. Reloads come by POST /reload (sometimes several at
once), by SIGHUP and by watching the files.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from tests.harness.kill import COMMAND, PATIENCE

from supportbot.config.folder import Memory, read_bot

STARTER = Path(__file__).parents[2]
STORE = "server: {store: data/sessions.db}"
NO_LIMITS = "{per_minute: 100000000, burst: 100000000}"
UNLIMITED = f"server: {{store: data/sessions.db, rates: {{session: {NO_LIMITS}, address: {NO_LIMITS}}}}}"
MARK = re.compile(r"(?:\br|_r)([0-9]+)_?\b")

# What is marked with a revision's number: file, what stands there, what stands there instead.
MARKED = (
    ("rules/categories/printing.yaml", "- id: printer_offline\n", "- id: printer_offline_r{0}\n"),
    ("rules/responses/printing.yaml", "text: |-\n      ", "text: |-\n      r{0} "),
    ("rules/responses/printing.yaml", 'suggestions: ["', 'suggestions: ["r{0} '),
    ("rules/responses/small_talk.yaml", '      - "', '      - "r{0} '),
    ("rules/responses/small_talk.yaml", 'suggestions: ["', 'suggestions: ["r{0} '),
)
ASKED = ("my printer is offline", "hello", "thanks", "I forgot my password", "xyzzy blah", "talk to a person")
MARKS = {"my printer is offline": 3, "hello": 2, "thanks": 1}  # that the first answer of a session holds at least

# What is added to a file, and the code of the finding; None: the file is gone.
WRONG: tuple[tuple[str, bytes | None, str], ...] = (
    ("handlers.yaml", b"\n  - {id: wrong, do: [\n", "yaml-syntax"),
    ("states.yaml", b"\nwrong_key: 1\n", "unknown-key"),
    ("handlers.yaml", b"\n  - {id: wrong, do: [{reply: not_there}]}\n", "unknown-response"),
    ("handlers.yaml", b"\n  - {id: wrong, when: {state: nowhere}, do: [{reply: hello}]}\n", "unknown-state"),
    (
        "handlers.yaml",
        b'\n  - {id: wrong, priority: 99, when: {message: ["zebra crossing"]}, do: [{reply: hello}],'
        b' examples: {match: ["my printer is offline"]}}\n',
        "failing-example",
    ),
    ("states.yaml", None, "missing-file"),
    ("rules/responses/printing.yaml", b"\n# \xff\n", "not-utf8"),
)


@dataclass
class Outcome:
    reloads: int
    refused: int = 0
    requests: int = 0
    answered: int = 0
    marks: int = 0
    faults: list[str] = field(default_factory=list)
    revisions: set[str] = field(default_factory=set)  # that answered
    triggers: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)  # seconds
    late: float = 0.0  # the longest that a request was sent after its time, seconds
    reload_seconds: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)  # of the event loop, by samples, seconds
    memory: list[tuple[float, float]] = field(default_factory=list)  # of server and trial process, MB
    taken: Mapping[str, float] = field(default_factory=dict)

    def told(self) -> str:
        sorted_ = sorted(self.latencies)
        points = {name: 1000 * sorted_[int(len(sorted_) * part)] for name, part in PARTS.items()} if sorted_ else {}
        spent = sorted(self.reload_seconds)
        return "\n".join(
            (
                f"{self.reloads} reloads, {self.refused} refused, by {dict(self.triggers)}; the server counts {self.taken}",
                f"a reload took {spent[len(spent) // 2]:.2f} s (median), {spent[-1]:.2f} s (longest)",
                f"{self.requests} requests, {self.answered} answered, {len(self.revisions)} revisions,"
                f" {self.marks} marks compared",
                "latency: "
                + ", ".join(f"{name} {value:.1f} ms" for name, value in points.items())
                + f", longest {1000 * sorted_[-1]:.0f} ms; sent {1000 * self.late:.0f} ms late at most",
                f"longest pause of the event loop {1000 * max(self.pauses):.0f} ms",
                "memory (server, trial): " + ", ".join(f"{a:.0f}+{b:.0f}" for a, b in thinned(self.memory)) + " MB",
                *(self.faults[:20] or ["no failed request, each answer of one revision"]),
            )
        )


PARTS = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


def thinned(found: Sequence[tuple[float, float]], most: int = 12) -> Sequence[tuple[float, float]]:
    return found[:: -(-len(found) // most)] if found else ()


class Storm:
    def __init__(self, folder: Path, reloads: int) -> None:
        self.folder, self.bot = folder, folder / "bot"
        self.outcome = Outcome(reloads)
        self.memory = Memory()
        self.texts = copied(self.bot)
        self.numbers: dict[str, int] = {}  # of revisions
        self.contents: dict[int, dict[str, bytes]] = {}
        for number in (0, *(number + 1 for number in range(reloads) if not is_wrong(number))):
            self.prepare(number)
        self.written = self.confirmed = 0
        self.write(self.contents[0])
        self.stopping = False
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self.process: subprocess.Popen[bytes] | None = None

    # --- files -----------------------------------------------------------------------------------

    def prepare(self, number: int) -> None:
        """What the files of a good revision hold, and which revision that is."""
        texts = {file: self.texts[file] for file, _, _ in MARKED}
        for file, old, new in MARKED:
            texts[file] = texts[file].replace(old, new.format(number))
        contents = {file: text.encode() for file, text in texts.items()}
        self.contents[number] = contents
        self.numbers[read_bot(self.bot, self.memory, contents).revision] = number

    def write(self, contents: Mapping[str, bytes]) -> None:
        for file, content in contents.items():
            (self.bot / file).write_bytes(content)

    def spoil(self, number: int) -> tuple[str, bytes, str]:
        """Make the bot wrong; gives the file, what it held, and the code of the finding."""
        file, added, code = WRONG[number // 3 % len(WRONG)]
        path = self.bot / file
        before = path.read_bytes()
        if added is None:
            path.unlink()
        else:
            path.write_bytes(before + added)
        return file, before, code

    # --- visitors --------------------------------------------------------------------------------

    async def visit(self, client: aiohttp.ClientSession, rate: float) -> None:
        loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        began = loop.time()
        for number in itertools.count():
            due = began + number / rate
            await asyncio.sleep(due - loop.time())
            if self.stopping:
                break
            self.outcome.late = max(self.outcome.late, loop.time() - due)
            # Every other session is a new one; the others go on, over many revisions.
            session = f"n{number}" if number % 2 else f"s{number % 401}"
            task = asyncio.create_task(self.ask(client, session, ASKED[number // 2 % len(ASKED)], due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        self.outcome.requests = number
        await asyncio.gather(*tasks)

    async def ask(self, client: aiohttp.ClientSession, session: str, text: str, due: float) -> None:
        oldest = self.confirmed
        try:
            async with client.post(f"{self.url}/chat", json={"session_id": session, "message": text}) as answer:
                body, status, named = await answer.read(), answer.status, answer.headers.get("X-Bot-Revision")
        except (aiohttp.ClientError, OSError, TimeoutError) as failure:
            self.outcome.faults.append(f"{session} got no answer: {failure!r}")
            return
        self.outcome.latencies.append(asyncio.get_running_loop().time() - due)
        if status != 200:
            self.outcome.faults.append(f"{session} got {status} {body[:200]!r}")
            return
        said = json.loads(body)
        self.outcome.answered += 1
        found = marks_of(said)
        self.outcome.marks += len(found)
        if fault := self.fault(said["revision"], named, found, oldest):
            self.outcome.faults.append(f"{session}, {text}: {fault}: {body[:600]!r}")
        if session.startswith("n") and len(found) < MARKS.get(text, 0):
            self.outcome.faults.append(f"{session}, {text}: too few marks {found} in {body[:600]!r}")

    def fault(self, revision: str, named: str | None, found: Sequence[int], oldest: int) -> str:
        self.outcome.revisions.add(revision)
        number = self.numbers.get(revision)
        if number is None:
            return f"revision {revision} was never good"
        if named != revision:
            return f"the header names {named}, the body {revision}"
        if any(mark != number for mark in found):
            return f"marks {found} in an answer of {number}"
        if not oldest <= number <= self.written:
            return f"answered by {number} between {oldest} and {self.written}"
        return ""

    # --- reloads ---------------------------------------------------------------------------------

    async def reload(self, client: aiohttp.ClientSession, number: int) -> None:
        began = time.monotonic()
        if is_wrong(number):
            file, before, code = self.spoil(number)
            await self.trigger(client, number, lambda: self.is_refused(client, code), 422)
            (self.bot / file).write_bytes(before)
            self.outcome.refused += 1
        else:
            self.written = number + 1
            self.write(self.contents[number + 1])
            await self.trigger(client, number, lambda: self.answers(client, number + 1), 200)
            self.confirmed = number + 1
        self.outcome.reload_seconds.append(time.monotonic() - began)

    async def trigger(
        self, client: aiohttp.ClientSession, number: int, seen: Callable[[], Awaitable[bool]], status: int
    ) -> None:
        """Ask for a reload in one of the ways, and wait until it shows."""
        way = WAYS[number % len(WAYS)]
        self.outcome.triggers[way] += 1
        if way in ("POST", "POSTs"):
            count = 5 if way == "POSTs" else 1
            found = await asyncio.gather(*(self.post(client) for _ in range(count)))
            if set(found) != {status}:
                self.outcome.faults.append(f"reload {number} answered {found}, not {status}")
        elif way == "SIGHUP":
            assert self.process is not None
            self.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(PATIENCE * 4):
            while not await seen():
                await asyncio.sleep(0.1)

    async def post(self, client: aiohttp.ClientSession) -> int:
        async with client.post(f"{self.url}/reload") as answer:
            await answer.read()
            return answer.status

    async def answers(self, client: aiohttp.ClientSession, number: int) -> bool:
        async with client.get(self.url) as answer:
            return self.numbers.get((await answer.json())["revision"]) == number

    async def is_refused(self, client: aiohttp.ClientSession, code: str) -> bool:
        async with client.get(f"{self.url}/health") as answer:
            reload = (await answer.json()).get("reload", {"ok": True})
            return not reload["ok"] and any(f"[{code}]" in finding for finding in reload["diagnostics"])

    # --- the server ------------------------------------------------------------------------------

    def start(self) -> None:
        port = self.url.rpartition(":")[2]
        with (self.folder / "log").open("wb") as log:
            command = [str(COMMAND), "serve", str(self.bot), "--port", port, "--reload"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    async def ready(self, client: aiohttp.ClientSession) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(aiohttp.ClientError, OSError):
                    async with client.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def sample(self, client: aiohttp.ClientSession) -> None:
        async with client.get(f"{self.url}/metrics", headers={"Accept": "application/json"}) as answer:
            figures = await answer.json()
        self.outcome.pauses.append(figures["supportbot_event_loop_pause_seconds"])
        self.outcome.taken = figures["supportbot_rules_reloads_total"]
        assert self.process is not None
        self.outcome.memory.append((resident(self.process.pid), sum(map(resident, children(self.process.pid)))))

    async def watch(self, client: aiohttp.ClientSession, seconds: float = 20.0) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self.sample(client)
            print(f"{len(self.outcome.reload_seconds)} reloads, {len(self.outcome.latencies)} answers,"
                  f" {1000 * self.outcome.pauses[-1]:.0f} ms, {self.outcome.memory[-1]}", flush=True)  # fmt: skip

    def end(self) -> None:
        """SIGTERM, as an operator would; what the log says of bugs counts as a fault."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if code:
            self.outcome.faults.append(f"the server ended with {code}")
        log = (self.folder / "log").read_text("utf-8", "replace")
        self.outcome.faults += [f"log: {line[:300]}" for line in log.splitlines() if "Traceback" in line]

    async def run(self, rate: float) -> Outcome:
        limits = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(timeout=limits, connector=aiohttp.TCPConnector(limit=0)) as client:
            self.start()
            await self.ready(client)
            visitors = asyncio.create_task(self.visit(client, rate))
            watching = asyncio.create_task(self.watch(client))
            for number in range(self.outcome.reloads):
                try:
                    await self.reload(client, number)
                except TimeoutError:
                    self.outcome.faults.append(f"reload {number} never showed")
            self.stopping = True
            await visitors
            watching.cancel()
            await self.sample(client)
        self.end()
        return self.outcome


WAYS = ("POST", "SIGHUP", "POST", "SIGHUP", "POSTs", "watching", "POST", "SIGHUP", "POST", "POST")


def is_wrong(number: int) -> bool:
    return number % 3 == 2


def marks_of(answer: Mapping[str, object]) -> list[int]:
    """The numbers in what a visitor sees, and in the id of the rule."""
    return [int(mark) for mark in MARK.findall(json.dumps([answer["replies"], answer["handler"]]))]


def copied(bot: Path) -> dict[str, str]:
    """The starter bot, in a folder of its own and without limits; the texts of the files that are marked."""
    for name in ("rules", "prompts"):
        shutil.copytree(STARTER / name, bot / name)
    for name in ("supportbot.yaml", "states.yaml", "handlers.yaml"):
        shutil.copy(STARTER / name, bot / name)
    settings = bot / "supportbot.yaml"
    text = settings.read_text("utf-8")
    assert STORE in text
    settings.write_text(text.replace(STORE, UNLIMITED), "utf-8")
    texts = {file: (bot / file).read_text("utf-8") for file, _, _ in MARKED}
    assert all(old in texts[file] for file, old, _ in MARKED)
    return texts


def resident(process: int) -> float:
    """MB."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def children(process: int) -> list[int]:
    with suppress(OSError):
        return [
            int(name)
            for path in Path(f"/proc/{process}/task").iterdir()
            for name in (path / "children").read_text().split()
        ]
    return []


def run(reloads: int, rate: float, folder: Path | None = None) -> Outcome:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        storm = Storm(Path(name), reloads)
        gc.collect()
        gc.freeze()
        try:
            return asyncio.run(storm.run(rate))
        finally:
            gc.unfreeze()
            if storm.process is not None and storm.process.poll() is None:
                storm.process.kill()
                storm.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--folder", type=Path, help="where the bot and its store are made; removed afterwards")
    given = parser.parse_args()
    began = time.monotonic()
    outcome = run(given.reloads, given.rate, given.folder)
    print(f"{time.monotonic() - began:.0f} s\n{outcome.told()}")
    raise SystemExit(1 if outcome.faults else 0)


if __name__ == "__main__":
    main()
