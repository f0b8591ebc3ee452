"""Memory of a server that meets a million sessions: it must grow by less than 300 MB, and not at all in the end.

python benchmarks/sessions.py [--sessions 1000000]     ten minutes and 1.4 GB of disk for a million

Each session sends one message, and no two messages are alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from serve import CONNECTIONS, Load, free_port, server
from world import messages, write_bot

BAR_MB = 300.0
FLAT_MB = 5.0  # growth in the last quarter


class NewSessions(Load):
    """Each request comes from a session of its own."""

    def request(self) -> bytes:
        self.sent += 1
        text = f"{self.texts[self.sent % len(self.texts)]} {self.sent}"
        body = json.dumps({"session_id": f"visitor-{self.sent}", "message": text})
        head = (
            f"POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        return f"{head}\r\n\r\n{body}".encode()

    async def some(self, number: int) -> None:
        """So many requests over the usual connections."""
        ends = self.sent + number
        await asyncio.gather(*(self.until(ends) for _ in range(CONNECTIONS)))

    async def until(self, ends: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while self.sent < ends:
            writer.write(self.request())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
            self.failed += b" 200 " not in head.split(b"\r\n", 1)[0]
        writer.close()


def megabytes(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def on_disk(folder: Path) -> float:
    """Megabytes of the store, its log included."""
    return sum(file.stat().st_size for file in (folder / "data").iterdir()) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--parts", type=int, default=20, help="how often memory and disk are measured")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pool = write_bot(Path(folder), 100, 1)
        port = free_port()
        command = [str(Path(sys.executable).parent / "supportbot"), "serve", folder, "--port", str(port)]
        with server(*command, port=port) as process:
            load = NewSessions(port, messages(pool, 5_000))
            asyncio.run(load.some(1_000))  # warm up
            sizes = [megabytes(process)]
            print(f"at the start: {sizes[0]:.1f} MB", flush=True)
            for part in range(1, given.parts + 1):
                began = time.monotonic()
                asyncio.run(load.some(given.sessions // given.parts))
                rate = given.sessions // given.parts / (time.monotonic() - began)
                sizes.append(megabytes(process))
                line = f"{part * given.sessions // given.parts:9d} sessions: {sizes[-1]:6.1f} MB of memory"
                print(f"{line}, {on_disk(Path(folder)):7.1f} MB on disk, {rate:5.0f} a second", flush=True)
    growth, last = sizes[-1] - sizes[0], sizes[-1] - sizes[-1 - given.parts // 4]
    print(f"grown by {growth:.1f} MB (at most {BAR_MB:g}), {last:.1f} of it in the last quarter (at most {FLAT_MB:g})")
    print(f"failed: {load.failed}")
    if growth > BAR_MB or last > FLAT_MB or load.failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
