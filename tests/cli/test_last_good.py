"""serve with a bot that breaks: at the start, and while it runs."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.cli.conftest import Run
from tests.cli.test_serve import Served, serving


def get(served: Served, path: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(served.url + path, timeout=20) as response:
            found: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as failure:
        found = json.load(failure)
    return found


def spoil(bot: Path) -> None:
    handlers = bot / "handlers.yaml"
    handlers.write_text(handlers.read_text("utf-8").replace("{reply: bye}", "{reply: by}"), "utf-8")


def mend(bot: Path) -> None:
    handlers = bot / "handlers.yaml"
    handlers.write_text(handlers.read_text("utf-8").replace("{reply: by}", "{reply: bye}"), "utf-8")


def wait_for(served: Served, text: str) -> None:
    for _ in range(200):
        if text in json.dumps(get(served, "/health")):
            return
        time.sleep(0.1)
    raise AssertionError("".join(served.lines))


def test_a_broken_bot_does_not_start_and_says_where(command: Run, broken: Path) -> None:
    for more in ((), ("--allow-last-good",)):
        done = command("serve", "--port", "0", *more, cwd=broken)
        assert done.returncode == 2
        assert "handlers.yaml" in done.stderr
        assert "there is no response 'by'" in done.stderr
        assert ("keeps no bot that worked" in done.stderr) == bool(more)


def test_the_last_good_bot_answers_when_that_is_allowed(small: Path) -> None:
    with serving(str(small), "--port", "0") as served:
        revision = get(served, "/")["revision"]
        time.sleep(0.5)  # the files are kept beside the first requests
    spoil(small)
    with serving(str(small), "--port", "0", "--allow-last-good") as served:
        assert get(served, "/")["revision"] == revision
        health = get(served, "/health")
        assert health["status"] == "degraded"
        assert "handlers.yaml" in str(health["reload"]["diagnostics"])
        mend(small)
        served.process.send_signal(signal.SIGHUP)
        wait_for(served, '"healthy"')


def test_a_hangup_takes_changes_over_and_leaves_wrong_ones_aside(small: Path) -> None:
    with serving(str(small), "--port", "0") as served:
        spoil(small)
        served.process.send_signal(signal.SIGHUP)
        wait_for(served, "the last good one answers")
        assert served.chat("hello", "s")["replies"]
        mend(small)
        os.kill(served.process.pid, signal.SIGHUP)
        wait_for(served, '"healthy"')


def test_the_figures_are_printed_from_the_store(command: Run, small: Path) -> None:
    assert command("stats", cwd=small).returncode == 2
    with serving(str(small), "--port", "0") as served:
        served.chat("hello", "s")
    for style, sign in (("text", "messages"), ("csv", "Summary,messages,value,1"), ("markdown", "| messages | 1 |")):
        done = command("stats", "--since", "7d", "--format", style, cwd=small)
        assert done.returncode == 0, done.stderr
        assert sign in done.stdout
    assert json.loads(command("stats", "--format", "json", cwd=small).stdout)["stats"]["messages"] == 1
    assert command("stats", "--since", "soon", cwd=small).returncode == 2


def test_a_store_that_is_none_is_told_with_a_remedy_and_is_no_crash(command: Run, small: Path) -> None:
    store = small / "store.db"
    store.write_bytes(b"this is no database, whatever its name says" * 100)
    done = command("stats", cwd=small, env={"SUPPORTBOT_STORE": str(store)})
    assert done.returncode == 2
    assert "not a database; move the file away" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_processes_of_a_port_reload(small: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serving(str(small), "--workers", "2", "--port", str(port)) as served:
        time.sleep(2)
        old = get(served, "/")["revision"]
        responses = small / "rules" / "responses.yaml"
        responses.write_text(responses.read_text("utf-8") + "# changed\n", "utf-8")
        with urllib.request.urlopen(
            urllib.request.Request(f"{served.url}/reload", method="POST"), timeout=30
        ) as answer:
            new = json.load(answer)["revision"]
        assert new != old
        for _ in range(200):
            seen = {get(served, "/")["revision"] for _ in range(12)}
            if seen == {new}:
                break
            time.sleep(0.1)
        assert seen == {new}
