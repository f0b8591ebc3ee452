"""CPU of one POST /chat (rules, persisted, 10,000 rules) against a bare aiohttp JSON echo, in the same run.

python benchmarks/serve.py [--rounds 3] [--seconds 3]     about three minutes; at most 2.5 times, 2.0 is the aim

What a request costs depends on how many come: a server that sleeps between two of them pays for each waking, one that
never sleeps answers a dozen with one look at its sockets. So both get the same number of requests a second, at some
rates, and the worst of these counts. At last each gets as many as it takes: an echo that answers four times as many
requests is then compared with a bot under less load, which says more about sleeping than about the work.
The clients run in this process, the servers in others; only the servers' CPU counts, all of their threads.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from world import messages, write_bot

RULES = 10_000
CONNECTIONS = 32
SESSIONS = 1_000
RATES = (600, 1200, 2400)  # requests a second, for both
BAR, AIM = 2.5, 2.0
TICKS = os.sysconf("SC_CLK_TCK")

ECHO = """
import sys
from aiohttp import web
async def echo(request):
    return web.json_response(await request.json())
app = web.Application()
app.router.add_post("/chat", echo)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
"""
NO_LIMITS = """
server:
  rates: {session: {per_minute: 100000000, burst: 100000000}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(*command: str, port: int) -> Iterator[int]:
    """A server in a process of its own; gives its process id."""
    with open(os.devnull, "w") as nowhere:
        process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere)
    try:
        for _ in range(1200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Load:
    """Requests over some connections, each sent when the one before is answered."""

    def __init__(self, port: int, texts: list[str]) -> None:
        self.port = port
        self.texts = texts
        self.sent = 0
        self.failed = 0

    def request(self) -> bytes:
        self.sent += 1
        number = self.sent
        message = {
            "session_id": f"s{number % SESSIONS}",
            "message": self.texts[number % len(self.texts)],
            "message_id": f"{time.monotonic_ns():x}-{number}",
        }
        body = json.dumps(message).encode()
        head = (
            f"POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        return head.encode() + b"\r\n\r\n" + body

    async def run(self, seconds: float, rate: float) -> int:
        """How many were answered. ``rate``: at most so many a second."""
        began = time.monotonic()
        asked = self.sent

        async def connection() -> int:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            answered = 0
            while (now := time.monotonic()) < began + seconds:
                if (early := began + (self.sent - asked) / rate - now) > 0:
                    await asyncio.sleep(early)
                    continue
                writer.write(self.request())
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                answered += 1
                self.failed += b" 200 " not in head.split(b"\r\n", 1)[0]
            writer.close()
            return answered

        return sum(await asyncio.gather(*(connection() for _ in range(CONNECTIONS))))


def microseconds(process: int, load: Load, seconds: float, rate: float) -> tuple[float, float]:
    """CPU of the server for one request, and requests a second."""
    before = cpu_seconds(process)
    answered = asyncio.run(load.run(seconds, rate))
    return (cpu_seconds(process) - before) / answered * 1e6, answered / seconds


def compare(loads: dict[str, tuple[int, Load]], rounds: int, seconds: float, rate: float) -> float:
    """How many times the echo's CPU a turn takes; the two take turns."""
    found: dict[str, list[float]] = {kind: [] for kind in loads}
    for _ in range(rounds):
        for kind, (process, load) in loads.items():
            cost, reached = microseconds(process, load, seconds, rate)
            found[kind].append(cost)
            print(f"{kind}: {cost:7.1f} microseconds of CPU a request, {reached:7.0f} requests a second")
    ratio = statistics.median(chat / echo for chat, echo in zip(found["chat"], found["echo"], strict=True))
    costs = ", ".join(f"{kind} {statistics.median(costs):.0f} microseconds" for kind, costs in found.items())
    print(f"== {costs}: {ratio:.2f} times")
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rules", type=int, default=RULES)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pool = write_bot(folder, given.rules, 1)
        with open(folder / "supportbot.yaml", "a") as settings:
            settings.write(NO_LIMITS)
        texts = messages(pool, 2_000)
        echo_port, chat_port = free_port(), free_port()
        command = [str(Path(sys.executable).parent / "supportbot"), "serve", str(folder), "--port", str(chat_port)]
        with (
            server(sys.executable, "-c", ECHO, str(echo_port), port=echo_port) as echo,
            server(*command, port=chat_port) as chat,
        ):
            loads = {"echo": (echo, Load(echo_port, texts)), "chat": (chat, Load(chat_port, texts))}
            for process, load in loads.values():
                microseconds(process, load, 1.0, math.inf)  # warm up
            alike = {rate: compare(loads, given.rounds, given.seconds, rate) for rate in RATES}
            full = compare(loads, given.rounds, given.seconds, math.inf)
            failed = sum(load.failed for _, load in loads.values())
    print(f"POST /chat with {given.rules} rules against the echo (at most {BAR} times, aim {AIM}), failed: {failed}")
    for rate, ratio in alike.items():
        print(f"{rate:>6} requests a second for both: {ratio:.2f} times")
    print(f"as many as each of them takes: {full:.2f} times")
    if max(alike.values()) > BAR or failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
