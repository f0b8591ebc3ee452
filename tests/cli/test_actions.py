"""The verbs around actions: a preview, the outbox, signing in to Zoho, replaying payloads."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.cli.conftest import COMMAND
from tests.zoho.fake_zoho import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, FakeZoho

from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.compiler.compile import load_bot
from supportbot.decision.conclude import start_session
from supportbot.runtime.queued import CallChanges, QueuedCall

ROOT = Path(__file__).parents[2]
ZENDESK = ROOT / "docs" / "examples" / "zendesk"


def run(*arguments: str, env: dict[str, str] | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMMAND), *arguments], env={**os.environ, **(env or {})}, input=stdin, capture_output=True,
        encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip


@contextmanager
def zoho_running() -> Iterator[FakeZoho]:
    """The fake in a thread, for commands that are processes of their own."""
    zoho, ready, loop = FakeZoho(), threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with zoho.running():
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield zoho
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def test_a_preview_shows_the_requests_and_no_secret() -> None:
    secrets = {"ZENDESK_URL": "https://acme.zendesk.com", "ZENDESK_USER": "a@b.co", "ZENDESK_TOKEN": "canary-9"}
    done = run("action", "create_ticket", str(ZENDESK), "--dry-run", "--slot", "email=jane@example.com", env=secrets)
    assert done.returncode == 0, done.stderr
    assert "POST https://acme.zendesk.com/api/v2/tickets.json" in done.stdout
    assert '"email": "jane@example.com"' in done.stdout
    assert "Authorization: ***" in done.stdout
    assert "canary-9" not in done.stdout + done.stderr
    assert "off until" not in done.stdout


def test_a_preview_says_which_field_disappears() -> None:
    asked = ["action", "create_callback", str(ROOT), "--dry-run", "--slot", "name=Jo"]
    done = run(*asked, "--slot", "call_time=garbage")
    assert "comes out empty: startTime (a service that requires it will refuse)" in done.stdout
    assert "startTime (a" not in run(*asked, "--slot", "call_time=2026-11-24T10:00:00+00:00").stdout


def test_a_preview_names_what_is_not_set() -> None:
    done = run("action", "create_ticket", str(ROOT), "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "ZOHO_REFRESH_TOKEN" in done.stdout.splitlines()[-1]
    assert [line[:2] for line in done.stdout.splitlines() if line[:1].isdigit()] == ["1.", "2.", "3."]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create_tiket", "--dry-run"], "did you mean 'create_ticket'?"),
        (["create_ticket"], "add --dry-run"),
        (["create_ticket", "--dry-run", "--slot", "emial=x"], "did you mean 'email'?"),
    ],
)
def test_what_cannot_be_previewed(arguments: list[str], message: str) -> None:
    done = run("action", arguments[0], str(ROOT), *arguments[1:])
    assert (done.returncode, message in done.stderr) == (2, True)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a dead call and a waiting one."""
    path = tmp_path / "sessions.db"
    calls = (
        QueuedCall(
            "SB-DEAD",
            "s1",
            "create_ticket",
            {},
            {},
            ("create_ticket",),
            0.0,
            0.0,
            "dead",
            error="auth",
            reason="status 403",
        ),
        QueuedCall("SB-WAITS", "s1", "create_ticket", {"email": "jane@example.com"}, {}, ("create_ticket",), 0.0, 0.0),
    )

    async def fill() -> None:
        bot = load_bot(ZENDESK).bot
        assert bot is not None
        made = SQLiteStore(path)
        session = start_session(bot, "s1", datetime.now(UTC))
        await made.commit(session, None, None, None, CallChanges(calls))
        await made.close()

    asyncio.run(fill())
    return path


def test_what_was_given_up_is_listed_retried_and_dropped(store: Path) -> None:
    env, bot = {"SUPPORTBOT_STORE": str(store)}, ["--bot", str(ZENDESK)]
    listed = run("actions", "list", *bot, env=env)
    assert listed.returncode == 1
    assert "SB-DEAD  given up  1970-01-01 00:00:00Z  create_ticket: status 403" in listed.stdout
    assert "jane@example.com" not in listed.stdout
    as_json = json.loads(run("actions", "list", "--format", "json", *bot, env=env).stdout)
    assert [(item["id"], item["state"]) for item in as_json["actions"]] == [
        ("SB-DEAD", "dead"),
        ("SB-WAITS", "waiting"),
    ]
    assert "create_ticket (next try 1970-01-01 00:00:00Z)" in listed.stdout
    assert run("actions", "retry", "SB-WAITS", *bot, env=env).stdout == "SB-WAITS is tried again\n"
    assert "next try 1970" not in run("actions", "list", *bot, env=env).stdout
    assert run("actions", "retry", "SB-NONE", *bot, env=env).returncode == 1
    assert run("actions", "retry", "--all", *bot, env=env).stdout == "SB-DEAD is tried again\n"
    assert run("actions", "list", *bot, env=env).returncode == 0
    assert run("actions", "drop", "SB-WAITS", *bot, env=env, stdin="n\n").returncode == 1
    assert "SB-WAITS" in run("actions", "list", *bot, env=env).stdout
    assert run("actions", "drop", "SB-WAITS", *bot, env=env, stdin="y\n").returncode == 0
    assert run("actions", "drop", "SB-DEAD", "--yes", *bot, env=env).returncode == 0
    assert "SB-DEAD  dropped" in run("actions", "list", "--all", *bot, env=env).stdout
    assert run("actions", "list", *bot, env=env).stdout == "nothing waits and nothing was given up\n"
    assert run("actions", "drop", *bot, env=env).returncode == 2


def test_signing_in_gives_the_lines_for_the_environment(tmp_path: Path) -> None:
    with zoho_running() as zoho:
        typed = f"{CLIENT_ID}\n{CLIENT_SECRET}\n1000.grant-canary\n"
        done = run("zoho", "login", "--accounts", zoho.url, stdin=typed)
        assert done.returncode == 0, done.stderr
        assert f"ZOHO_REFRESH_TOKEN={REFRESH_TOKEN}" in done.stdout
        file = tmp_path / ".env"
        done = run("zoho", "login", "--accounts", zoho.url, "--write", str(file), stdin=typed)
        assert REFRESH_TOKEN not in done.stdout
        assert f"ZOHO_REFRESH_TOKEN={REFRESH_TOKEN}\n" in file.read_text("utf-8")
        assert file.stat().st_mode & 0o077 == 0
        wrong = run("zoho", "login", "--accounts", zoho.url, stdin=typed.replace("grant", "other"))
        assert (wrong.returncode, "make a new one" in wrong.stderr) == (1, True)


def test_signing_in_again_replaces_the_lines(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("OTHER=kept\nexport ZOHO_REFRESH_TOKEN=old-canary\nZOHO_CLIENT_ID=old", "utf-8")
    file.chmod(0o644)
    with zoho_running() as zoho:
        typed = f"{CLIENT_ID}\n{CLIENT_SECRET}\n1000.grant-canary\n"
        for _ in range(2):
            done = run("zoho", "login", "--accounts", f"{zoho.url}/", "--write", str(file), stdin=typed)
            assert done.returncode == 0, done.stderr
        assert file.read_text("utf-8").splitlines() == [
            "OTHER=kept",
            f"ZOHO_CLIENT_ID={CLIENT_ID}",
            f"ZOHO_CLIENT_SECRET={CLIENT_SECRET}",
            f"ZOHO_REFRESH_TOKEN={REFRESH_TOKEN}",
            f"ZOHO_ACCOUNTS_URL={zoho.url}",
        ]
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "address", ["accounts.zoho.eu", "http://accounts.zoho.eu", "https://accounts.zoho.eu/oauth/v2"]
)
def test_a_wrong_accounts_address_is_said_before_anything_is_asked(address: str) -> None:
    done = run("zoho", "login", "--accounts", address)
    assert (done.returncode, "is no accounts address" in done.stderr) == (2, True)
    assert "Client ID" not in done.stdout + done.stderr


def test_a_service_that_is_no_token_service_is_a_wrong_address() -> None:
    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(404)
            self.end_headers()
            self.wfile.write(b"<html>Not found</html>")

        def log_message(self, *_values: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            done = run("zoho", "login", "--accounts", address, stdin="a\nb\nc\n")
        finally:
            server.shutdown()
            thread.join()
    assert (done.returncode, "check --accounts" in done.stderr) == (2, True)


def test_payloads_are_replayed_and_bad_answers_counted(tmp_path: Path) -> None:
    payloads = tmp_path / "payloads.jsonl"
    payloads.write_text('{"handler": "trigger", "visitor": {}}\n{"handler": "message"}\n', "utf-8")
    with zoho_running() as zoho:  # answers 404, which SalesIQ would not take
        done = run("zoho", "replay", str(payloads), "--url", f"{zoho.url}/webhook/salesiq")
    assert done.returncode == 1
    assert '1 > {"handler": "trigger", "visitor": {}}' in done.stdout
    assert "2 payloads, 2 answers that SalesIQ would not take" in done.stdout
    payloads.write_text("{", "utf-8")
    assert run("zoho", "replay", str(payloads)).returncode == 2
