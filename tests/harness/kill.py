"""kill -9 at random moments under load: nothing that was acknowledged is lost, nothing happens twice.

python -m tests.harness.kill [--kills 100] [--clients 20] [--seed N]

Each client sends the messages of its own session one after the other and repeats one, under the same message id,
until it is answered. In the end the store must hold each message once and in order, and every message that is sent
again must get the bytes that it got the first time.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from tests.runtime.desk_bot import FILES

COMMAND = Path(sys.executable).parent / "supportbot"
SAID = ("my printer is offline", "still not working", "please open a ticket", "my details", "goodbye", "what is this")
NO_LIMITS = "\nserver: {rates: {session: {per_minute: 100000000, burst: 100000000}}}\n"
PATIENCE = 30.0  # seconds for a server to start


@dataclass
class Outcome:
    kills: int
    answered: int
    repeated: int  # deliveries that were sent more than once
    faults: list[str] = field(default_factory=list)


class Harness:
    def __init__(self, folder: Path, clients: int, seed: int) -> None:
        self.bot = folder / "bot"
        for name, text in FILES.items():
            path = self.bot / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + (NO_LIMITS if name == "supportbot.yaml" else ""), "utf-8")
        self.chance = random.Random(seed)
        self.clients = clients
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.bodies: dict[tuple[str, str], bytes] = {}
        self.sent: dict[str, list[str]] = {}
        self.repeated = 0
        self.stopping = False
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [str(COMMAND), "serve", str(self.bot), "--port", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    async def ready(self, client: aiohttp.ClientSession) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    async with client.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                except (aiohttp.ClientError, OSError):
                    await asyncio.sleep(0.05)

    async def talk(self, client: aiohttp.ClientSession, session: str) -> None:
        """One client: the next message only after the answer to the last one."""
        while not self.stopping:
            message_id = f"{session}-{len(self.sent.setdefault(session, []))}"
            self.sent[session].append(message_id)
            text = self.chance.choice(SAID)
            tries = 0
            while (session, message_id) not in self.bodies:
                tries += 1
                body = await self.send(client, session, message_id, text)
                if body is None:
                    await asyncio.sleep(0.02)
                else:
                    self.bodies[session, message_id] = body
            self.repeated += tries > 1

    async def send(self, client: aiohttp.ClientSession, session: str, message_id: str, text: str) -> bytes | None:
        """The body of the answer; None when there was none."""
        message = {"session_id": session, "message_id": message_id, "message": text}
        try:
            async with client.post(f"{self.url}/chat", json=message) as answer:
                body = await answer.read()
                return body if answer.status == 200 else None
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None

    async def run(self, kills: int) -> Outcome:
        limits = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=limits) as client:
            self.start()
            await self.ready(client)
            talkers = [asyncio.create_task(self.talk(client, f"c{number}")) for number in range(self.clients)]
            for _ in range(kills):
                await asyncio.sleep(self.chance.uniform(0.05, 0.7))
                self.kill()
                self.start()
                await self.ready(client)
            await asyncio.sleep(0.3)
            self.stopping = True
            await asyncio.gather(*talkers)
            faults = [*await self.changed(client)]
        self.kill()
        faults += self.lost_or_twice()
        return Outcome(kills, len(self.bodies), self.repeated, faults)

    async def changed(self, client: aiohttp.ClientSession) -> list[str]:
        """Messages that get another answer when they are sent again; a sample of those with an answer."""
        known = sorted(self.bodies)
        sample = self.chance.sample(known, min(len(known), 300))
        found = []
        for session, message_id in sample:
            body = await self.send(client, session, message_id, "this text does not matter any more")
            if body is not None and body != self.bodies[session, message_id]:
                found.append(f"{message_id} got another answer")
        return found

    def lost_or_twice(self) -> list[str]:
        """What the store holds against what was acknowledged."""
        store = sqlite3.connect(self.bot / "data" / "sessions.db")
        faults = []
        for session, sent in self.sent.items():
            query = "SELECT message_id FROM records WHERE session_id = ? AND kind <> 'timeout' ORDER BY at, rowid"
            kept = [name for (name,) in store.execute(query, (session,))]
            if kept != sent:
                faults.append(f"{session}: sent {len(sent)}, kept {len(kept)}: {sorted(set(sent) ^ set(kept))[:5]}")
        store.close()
        return faults


def run(kills: int, clients: int, seed: int) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Path(folder), clients, seed)
        try:
            return asyncio.run(harness.run(kills))
        finally:
            if harness.process is not None and harness.process.poll() is None:
                harness.kill()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    given = parser.parse_args()
    print(f"seed {given.seed}")
    outcome = run(given.kills, given.clients, given.seed)
    print(f"{outcome.kills} kills, {outcome.answered} turns answered, {outcome.repeated} of them sent again")
    print("\n".join(outcome.faults) or "nothing lost, nothing twice, no changed answer")
    raise SystemExit(1 if outcome.faults else 0)


if __name__ == "__main__":
    main()
