"""Memory of a server that meets a million sessions: it must grow by less than 300 MB, and not at all in the end.

python benchmarks/sessions.py [--sessions 1000000]     half an hour for a million; one message of each
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from serve import CONNECTIONS, Load, free_port, server
from world import write_bot

BAR_MB = 300.0
PARTS = 10


class NewSessions(Load):
    """Each request comes from a session of its own."""

    def request(self) -> bytes:
        self.sent += 1
        body = json.dumps({"session_id": f"visitor-{self.sent}", "message": self.texts[self.sent % len(self.texts)]})
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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pool = write_bot(Path(folder), 100, 1)
        port = free_port()
        command = [str(Path(sys.executable).parent / "supportbot"), "serve", folder, "--port", str(port)]
        with server(*command, port=port) as process:
            load = NewSessions(port, pool)
            asyncio.run(load.some(1_000))  # warm up
            sizes = [megabytes(process)]
            for part in range(PARTS):
                asyncio.run(load.some(given.sessions // PARTS))
                sizes.append(megabytes(process))
                print(f"{(part + 1) * given.sessions // PARTS:9d} sessions: {sizes[-1]:7.1f} MB", flush=True)
    growth, last = sizes[-1] - sizes[0], max(after - before for before, after in pairwise(sizes[-4:]))
    print(
        f"grown by {growth:.1f} MB (at most {BAR_MB:g}), in the last parts by at most {last:.1f}; failed: {load.failed}"
    )
    if growth > BAR_MB or load.failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
