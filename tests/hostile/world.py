"""The real command serving the starter bot, its data files, and a thread that keeps asking whether it is alive."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
COMMAND = Path(sys.executable).parent / "supportbot"
OFFLINE = HERE.parent / "offline"
HANG = 5.0  # seconds: nobody may wait longer for an answer
ALIVE = 1.5  # seconds: the longest that /livez may take
ADMIN_TOKEN = "hostile-Adm1n-token-9f3b"

# What no answer may hold: where the program lives, how it failed, what opens its doors.
_INSIDES = re.compile(
    r"Traceback|File \\?\"|site-packages|\.py\b|sqlite3?\b|root:x:|aiohttp|RuntimeError|KeyError|ValueError|"
    + "|".join(map(re.escape, (str(ROOT), sys.prefix, ADMIN_TOKEN)))
)


def read(name: str) -> Any:
    return yaml.load((HERE / name).read_text("utf-8"), yaml.CSafeLoader)


def insides(text: str) -> list[str]:
    """What a text tells about the program that answered."""
    return _INSIDES.findall(text)


@dataclass
class Server:
    port: int
    log: Path
    store: Path
    seconds: list[float] = field(default_factory=list)  # that /livez took, each time
    failures: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def chat(self, text: str, session: str) -> dict[str, Any]:
        body = json.dumps({"message": text, "session_id": session}).encode()
        request = urllib.request.Request(f"{self.url}/chat", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=HANG) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def log_text(self) -> str:
        return self.log.read_text("utf-8", "replace")


def ask_livez(server: Server, done: threading.Event) -> None:
    while True:
        began = time.perf_counter()
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=HANG) as connection:
                connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                status = connection.makefile("rb").readline()
            if b" 200 " not in status:
                server.failures.append(repr(status))
        except OSError as failure:
            server.failures.append(repr(failure))
        server.seconds.append(time.perf_counter() - began)
        if done.wait(0.02):
            return


@contextmanager
def watched(server: Server) -> Iterator[None]:
    """Ask /livez all the while from a thread of its own, and judge the answers."""
    server.seconds.clear()
    server.failures.clear()
    done = threading.Event()
    asking = threading.Thread(target=ask_livez, args=(server, done))
    asking.start()
    try:
        yield
    finally:
        done.set()
        asking.join()
    assert server.failures == []
    assert server.seconds
    assert max(server.seconds) < ALIVE


@contextmanager
def starter(folder: Path) -> Iterator[Server]:
    """`supportbot serve` of the starter bot with JSON logs in a file."""
    server = Server(0, folder / "server.log", folder / "sessions.db")
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "PYTHONPATH": str(OFFLINE),
        "SUPPORTBOT_STORE": str(server.store),
        "SUPPORTBOT_ADMIN_TOKEN": ADMIN_TOKEN,
        "LOG_LEVEL": "DEBUG",
    }
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            [str(COMMAND), "serve", str(ROOT), "--port", "0"], stdout=subprocess.PIPE, stderr=log, env=environment
        )
        assert process.stdout is not None
        try:
            first = process.stdout.readline().decode()
            assert "listening on http://" in first, server.log_text()
            server.port = int(first.split("http://127.0.0.1:")[1].split()[0])
            yield server
            assert process.poll() is None, "the server ended by itself"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            process.stdout.close()
        assert process.returncode == 0
