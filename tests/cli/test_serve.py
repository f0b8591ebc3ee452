"""serve: the real command, listening on this machine."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import COMMAND, Run

from supportbot.adapters.litellm_model import LiteLLMModel
from supportbot.cli.serve import options_of, warm
from supportbot.cli.surroundings import log_level
from supportbot.cli.workers import TOO_SOON
from supportbot.errors import SettingsError


class Served:
    """A running server: its address and what it wrote."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.url = ""
        self.lines: list[str] = []

    def chat(self, text: str, session: str) -> dict[str, Any]:
        body = json.dumps({"message": text, "session_id": session}).encode()
        request = urllib.request.Request(f"{self.url}/chat", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


@contextmanager
def serving(*arguments: str, env: dict[str, str] | None = None) -> Iterator[Served]:
    with started(*arguments, env=env) as served:
        assert served.process.stdout is not None
        first = served.process.stdout.readline()
        assert "http://" in first, "".join(served.lines)
        served.url = "http://" + first.split("http://")[1].split()[0]
        yield served


@contextmanager
def started(*arguments: str, env: dict[str, str] | None = None) -> Iterator[Served]:
    """Not yet serving."""
    process = subprocess.Popen(
        [str(COMMAND), "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    )
    served = Served(process)
    assert process.stdout is not None
    assert process.stderr is not None
    reader = threading.Thread(target=lambda: served.lines.extend(process.stderr), daemon=True)  # type: ignore[arg-type]
    reader.start()
    try:
        yield served
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        reader.join(10)
        process.stdout.close()
        process.stderr.close()


def wait_until_up(served: Served) -> None:
    for _ in range(100):
        try:
            with urllib.request.urlopen(f"{served.url}/livez", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("".join(served.lines))


def wait_until_said(served: Served, event: str, times: int) -> None:
    for _ in range(100):
        if sum(f'"{event}"' in line for line in served.lines) == times:
            return
        time.sleep(0.1)
    raise AssertionError("".join(served.lines))


def test_a_conversation_over_http(small: Path) -> None:
    with serving(str(small), "--port", "0") as served:
        first = served.chat("my printer is offline", "s1")
        assert (first["handler"], first["state"]) == ("printer_offline", "working")
        second = served.chat("goodbye", "s1")
        assert second["handler"] == "goodbye"
    assert served.process.returncode == 0
    assert (small / "data" / "sessions.db").is_file()
    assert "my printer is offline" not in "".join(served.lines)


def test_sessions_survive_a_restart(small: Path) -> None:
    with serving(str(small), "--port", "0") as served:
        served.chat("my printer is offline", "s1")
    with serving(str(small), "--port", "0") as served:
        assert served.chat("goodbye", "s1")["handler"] == "goodbye"  # only possible in the state `working`


def reload(served: Served) -> str:
    """The revision that answers then."""
    request = urllib.request.Request(f"{served.url}/reload", b"", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        revision: str = json.load(response)["revision"]
    return revision


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until_gone(served: Served) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{served.url}/livez", timeout=5):
                time.sleep(0.1)
        except OSError:
            return
    os.killpg(served.process.pid, signal.SIGKILL)
    raise AssertionError("".join(served.lines))


def test_several_processes_share_a_port(small: Path) -> None:
    with serving(str(small), "--workers", "2", "--port", str(free_port())) as served:
        wait_until_up(served)
        assert served.chat("my printer is offline", "s1")["state"] == "working"
        assert served.chat("goodbye", "s1")["handler"] == "goodbye"
    assert served.process.returncode == 0


def test_several_processes_end_when_the_one_that_started_them_is_killed(small: Path) -> None:
    with serving(str(small), "--workers", "2", "--port", str(free_port())) as served:
        wait_until_said(served, "listening", 2)  # one that does not listen yet has nothing to stop
        served.process.kill()
        served.process.wait(30)
        wait_until_gone(served)  # the port is free for the next start
        wait_until_said(served, "stopped", 2)


def test_a_process_that_stands_in_for_one_that_died_answers_with_the_files_that_were_taken_over(small: Path) -> None:
    responses = small / "rules" / "responses.yaml"
    with serving(str(small), "--workers", "2", "--port", str(free_port())) as served:
        before = revisions_of(served, 2)
        responses.write_text(responses.read_text("utf-8").replace("Goodbye", "Farewell"), "utf-8")
        taken = reload(served)
        pid = served.process.pid
        time.sleep(TOO_SOON)  # one that dies sooner is not replaced
        os.kill(int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]), signal.SIGKILL)
        assert revisions_of(served, 3) == [*before, taken]
    assert taken not in before


def revisions_of(served: Served, processes: int) -> list[str]:
    """Of the bots with which so many processes began."""
    for _ in range(300):
        lines = [json.loads(line) for line in served.lines if '"event":"listening"' in line]
        if len(lines) >= processes:
            return [line["revision"] for line in lines]
        time.sleep(0.1)
    raise AssertionError("".join(served.lines))


def test_changed_files_are_taken_over(small: Path) -> None:
    responses = small / "rules" / "responses.yaml"
    sound = responses.read_text("utf-8")
    with serving(str(small), "--port", "0", "--reload") as served:
        responses.write_text(sound.replace("bye: Goodbye!", "by: Goodbye!"), "utf-8")
        wait_for_line(served, "the old one stays")
        assert served.chat("my printer is offline", "s1")["replies"][0]["text"].startswith("Switch the printer off")
        responses.write_text(sound.replace("Switch the printer", "Turn the printer"), "utf-8")
        wait_for_line(served, "taken over")
        assert served.chat("my printer is offline", "s2")["replies"][0]["text"].startswith("Turn the printer off")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_hangup_before_the_bot_serves_is_taken_up_when_it_does(small: Path, workers: str) -> None:
    with started(str(small), "--workers", workers, "--port", str(free_port())) as served:
        wait_until_caught(served, signal.SIGHUP)
        served.process.send_signal(signal.SIGHUP)
        wait_for_lines(served, '"listening"', int(workers))
        wait_for_lines(served, "is unchanged", int(workers))
    assert served.process.returncode == 0


def test_a_hangup_while_processes_are_made_reaches_all_of_them(small: Path) -> None:
    responses = small / "rules" / "responses.yaml"
    with started(str(small), "--workers", "4", "--port", str(free_port())) as served:
        assert served.process.stdout is not None
        assert "4 processes" in served.process.stdout.readline()  # the files are read, the processes come next
        responses.write_text(responses.read_text("utf-8").replace("Goodbye", "Farewell"), "utf-8")
        pid = served.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        while len(children.read_text().split()) < 4:
            served.process.send_signal(signal.SIGHUP)
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGHUP)
        wait_for_lines(served, '"listening"', 4)
        wait_for_lines(served, "taken over", 4)
    assert served.process.returncode == 0
    assert not any("ended with code" in line for line in served.lines)


def wait_until_caught(served: Served, number: int) -> None:
    """Until the process does something of its own about the signal."""
    for _ in range(10_000):
        caught = Path(f"/proc/{served.process.pid}/status").read_text().split("SigCgt:")[1].split()[0]
        if int(caught, 16) >> (number - 1) & 1:
            return
        time.sleep(0.001)
    raise AssertionError("".join(served.lines))


def wait_for_lines(served: Served, text: str, times: int) -> None:
    for _ in range(300):
        if sum(text in line for line in served.lines) >= times:
            return
        time.sleep(0.1)
    raise AssertionError("".join(served.lines))


def wait_for_line(served: Served, text: str) -> None:
    wait_for_lines(served, text, 1)


def test_a_reload_tells_of_a_store_that_counts_after_a_restart(small: Path) -> None:
    settings = small / "supportbot.yaml"
    sound = settings.read_text("utf-8")
    with serving(str(small), "--port", "0") as served:
        settings.write_text(f"{sound}limits: {{attempts: 2}}\n", "utf-8")
        reload(served)
        settings.write_text(f"{sound}server: {{store: data/other.db}}\n", "utf-8")
        reload(served)
    told = [line for line in served.lines if "store has changed" in line]
    assert len(told) == 1
    assert "restart" in told[0]


def test_one_request_without_listening(command: Run, small: Path) -> None:
    ready = command("serve", "--get", "/readyz", cwd=small)
    assert ready.returncode == 0, ready.stderr
    missing = command("serve", "--get", "/nothing", cwd=small)
    assert missing.returncode == 1
    assert json.loads(missing.stdout)["status"] == 404


def test_what_is_off_is_said_by_name_only(command: Run, small: Path) -> None:
    (small / "rules" / "actions.yaml").write_text(
        "connections:\n"
        '  desk: {base_url: "https://desk.example/api", bearer: "${DESK_TOKEN}", headers: {org: "${DESK_ORG}"}}\n'
        "actions:\n"
        "  - {id: make, connection: desk, method: POST, path: /tickets, on_failure: [{reply: no_answer}]}\n",
        "utf-8",
    )
    handlers = small / "handlers.yaml"
    handlers.write_text(handlers.read_text("utf-8").replace("{reply: bye}", "{reply: bye}, {action: make}"), "utf-8")
    (small / ".env").write_text("DESK_TOKEN=very-secret\n", "utf-8")
    done = command("serve", "--get", "/readyz", cwd=small)
    assert "the connection 'desk' is off: set DESK_ORG\n" in done.stderr
    assert "very-secret" not in done.stderr + done.stdout


def test_an_address_in_use_is_a_setting_to_mend(command: Run, small: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = command("serve", "--port", str(taken.getsockname()[1]), cwd=small)
    assert done.returncode == 2
    assert "--port" in done.stderr


def test_workers_need_a_port(command: Run, small: Path) -> None:
    assert command("serve", "--workers", "2", "--port", "0", cwd=small).returncode == 2


def test_a_folder_for_the_store_that_cannot_be_made(command: Run, small: Path) -> None:
    done = command("serve", "--port", "0", cwd=small, env={"SUPPORTBOT_STORE": "states.yaml/sessions.db"})
    assert done.returncode == 2
    assert f"{small / 'states.yaml'} cannot be made: " in done.stderr
    assert "SUPPORTBOT_STORE" in done.stderr.splitlines()[-1]


def test_other_users_of_the_machine_read_no_conversations(command: Run, small: Path) -> None:
    command("serve", "--get", "/health", cwd=small, env={"SUPPORTBOT_STORE": "kept/sessions.db"})
    assert (small / "kept").stat().st_mode & 0o077 == 0


def spoil_file(store: Path) -> None:
    store.write_text("this is a letter to my aunt", "utf-8")


@pytest.mark.parametrize(
    ("spoil", "reason", "remedy"),
    [
        (spoil_file, "file is not a database", "move the file away"),
        (Path.mkdir, "unable to open database file", "let the server's user write the folder"),
    ],
)
def test_a_store_that_cannot_be_used_is_said_once_at_the_start(
    small: Path, spoil: Callable[[Path], None], reason: str, remedy: str
) -> None:
    store = small / "sessions.db"
    spoil(store)
    with serving(str(small), "--port", "0", env={"SUPPORTBOT_STORE": str(store)}) as served:
        wait_for_line(served, "no message is answered")
        with pytest.raises(urllib.error.HTTPError, match="503"):
            served.chat("my printer is offline", "s1")
        store.rename(small / "away")
        assert served.chat("my printer is offline", "s1")["handler"] == "printer_offline"
    (line,) = [line for line in served.lines if "no message is answered" in line]
    said = json.loads(line)
    assert said["level"] == "error"
    assert all(part in said["event"] for part in (str(store), "no restart is needed", reason, remedy))


def test_nothing_is_said_of_a_store_that_works(small: Path) -> None:
    with serving(str(small), "--port", "0") as served:
        served.chat("my printer is offline", "s1")
    assert not any("no message is answered" in line for line in served.lines)


class Library(LiteLLMModel):
    """A model whose library is a list of lists."""

    def __init__(self) -> None:
        self.made: list[list[int]] = []
        self.was_collecting = True

    async def warm(self) -> None:
        self.made = [[] for _ in range(30_000)]
        self.was_collecting = gc.isenabled()


def test_the_garbage_collector_never_looks_through_a_model_s_library() -> None:
    model = Library()
    try:
        asyncio.run(warm(model))
        assert not model.was_collecting
        assert gc.isenabled()
        looked_at = set(map(id, gc.get_objects()))
        assert not any(id(part) in looked_at for part in model.made)
    finally:
        gc.unfreeze()


def test_where_it_listens() -> None:
    assert (options_of({}, None, None).host, options_of({}, None, None).port) == ("127.0.0.1", 8080)
    platform = options_of({"PORT": "5000"}, None, None)
    assert (platform.host, platform.port) == ("0.0.0.0", 5000)
    assert options_of({"PORT": "5000", "SUPPORTBOT_HOST": "127.0.0.2"}, None, 6000).port == 6000
    assert options_of({"PORT": "5000", "SUPPORTBOT_HOST": "127.0.0.2"}, None, None).host == "127.0.0.2"
    assert options_of({"PORT": "5000"}, "::1", None).host == "::1"


@pytest.mark.parametrize("port", ["http", "-1", "70000", "٨٠"])
def test_a_port_that_is_none(port: str) -> None:
    with pytest.raises(SettingsError, match="PORT is"):
        options_of({"PORT": port}, None, None)


@pytest.mark.parametrize("arguments", [(), ("--workers", "2"), ("--get", "/readyz")])
def test_a_log_level_that_is_none_is_said_and_nothing_starts(
    command: Run, small: Path, arguments: tuple[str, ...]
) -> None:
    done = command("serve", "--port", str(free_port()), *arguments, cwd=small, env={"LOG_LEVEL": "loud"})
    assert (done.returncode, done.stdout) == (2, "")
    levels = "DEBUG, INFO, WARNING, ERROR or CRITICAL"
    assert done.stderr == f"error: LOG_LEVEL is 'loud', but a level is {levels}\n"


@pytest.mark.parametrize("word", ["NOTSET", "10", "INFO,DEBUG", "ﬁne"])
def test_what_is_no_log_level(word: str) -> None:
    with pytest.raises(SettingsError, match="LOG_LEVEL is"):
        log_level({"LOG_LEVEL": word}, "INFO")


@pytest.mark.parametrize(
    ("word", "level"), [("", "INFO"), (" ", "INFO"), ("debug", "DEBUG"), (" Error ", "ERROR"), ("warn", "WARN")]
)
def test_log_levels(word: str, level: str) -> None:
    assert log_level({"LOG_LEVEL": word}, "INFO") == level


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_is_taken_is_said_once_and_nothing_starts(command: Run, small: Path, workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command("serve", "--port", port, "--workers", workers, cwd=small)
    assert (done.returncode, done.stdout) == (2, "")
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert f"cannot listen on 127.0.0.1:{port}: " in errors[0]
    assert "--port" in errors[0]
