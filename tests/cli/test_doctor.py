"""``supportbot doctor``: what is there, what is missing and what for; with --online on real servers."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.adapters.openai_server import OpenAIServer
from tests.cli.conftest import Run
from tests.serving import serving
from tests.zoho.fake_zoho import CLIENT_SECRET, DEPARTMENT, REFRESH_TOKEN, THROTTLED, FakeZoho

from supportbot.adapters.oauth import MemoryTokens, Token
from supportbot.adapters.sqlite_schema import SCHEMA_VERSION
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.cli.doctor import checks
from supportbot.cli.examining import Finding
from supportbot.cli.trying import FreshTokens, try_all
from supportbot.compiler.compile import load_bot
from supportbot.model.bot import Bot
from supportbot.resources import starter_bot

CANARY = "canary-7f3a-value"
SERVICE = """connections:
  crm:
    base_url: "${CRM_URL}"
    auth: {bearer: "${CRM_TOKEN}"}
    allow_private: true
    timeout: 2s
    retry: {tries: 3, wait: 0.01s}
"""


@pytest.fixture(autouse=True)
def _no_zoho(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("ZOHO_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)


@pytest.fixture
def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture
def starter(tmp_path: Path) -> Path:
    """A copy of the starter bot without the tests, so that its store is made elsewhere than in the checkout."""
    folder, source = tmp_path / "starter", starter_bot()
    folder.mkdir()
    for name in ("supportbot.yaml", "states.yaml", "handlers.yaml"):
        shutil.copy(source / name, folder / name)
    for name in ("rules", "prompts"):
        shutil.copytree(source / name, folder / name)
    return folder


def found(root: Path, port: str = "0", **environment: str) -> dict[str, Finding]:
    """All offline findings by area and name."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return {f"{one.area}/{one.name}": one for one in checks(root, None, int(port), online=False)}


def compiled(root: Path) -> Bot:
    bot = load_bot(root).bot
    assert bot is not None
    return bot


def add_service(root: Path, more: str = "") -> Bot:
    (root / "rules" / "actions.yaml").write_text(SERVICE + more, "utf-8")
    return compiled(root)


# --- the command ----------------------------------------------------------------------------


def test_a_bot_with_nothing_set_is_fine_and_says_what_is_off(starter: Path, command: Run, free_port: str) -> None:
    done = command("doctor", str(starter), "--port", free_port)
    assert (done.returncode, done.stderr) == (0, "")
    assert "✔ 'Harbor IT support' compiles" in done.stdout
    assert f"✔ 127.0.0.1:{free_port} is free" in done.stdout
    assert "– no model is configured, the rules answer alone: set SUPPORTBOT_LLM_MODEL" in done.stdout
    assert "– the connection 'desk' is off: set" in done.stdout
    assert "– the action 'create_ticket' is off: " in done.stdout
    assert "0 failed" in done.stdout
    assert not (starter / "data").exists()


def test_json_names_every_check_and_no_value(starter: Path, command: Run, free_port: str) -> None:
    environment = {"OPENAI_API_KEY": CANARY, "ZOHO_CLIENT_SECRET": CANARY, "DESK_ORG_ID": CANARY}
    (starter / ".env").write_text(f"ZOHO_REFRESH_TOKEN={CANARY}\n", "utf-8")
    given = {**environment, "SUPPORTBOT_LLM_MODEL": "openai/gpt-4o-mini"}
    for style in ("json", "text"):
        done = command("doctor", str(starter), "--port", free_port, "--format", style, env=given)
        assert done.returncode == 0
        assert CANARY not in done.stdout + done.stderr
    report = json.loads(command("doctor", str(starter), "--port", free_port, "--format", "json", env=given).stdout)
    by_name = {(one["area"], one["name"]): one for one in report["checks"]}
    assert by_name["variables", "ZOHO_REFRESH_TOKEN"]["status"] == "ok"  # out of .env
    assert by_name["variables", "ZOHO_CLIENT_ID"]["status"] == "note"
    assert by_name["model", "openai/gpt-4o-mini"]["status"] == "ok"
    assert sum(report["summary"].values()) == len(report["checks"])
    assert all(set(one) >= {"area", "name", "status", "message"} for one in report["checks"])


def test_a_broken_bot_fails_and_the_rest_is_checked_all_the_same(broken: Path, command: Run, free_port: str) -> None:
    done = command("doctor", str(broken), "--port", free_port)
    assert done.returncode == 1
    assert "✘ the bot has 1 error" in done.stdout
    assert "remedy: " in done.stdout
    assert "validate" in done.stdout
    assert "✔ Python" in done.stdout


def test_no_bot_is_wrong_usage(tmp_path: Path, command: Run) -> None:
    assert command("doctor", str(tmp_path)).returncode == 2


def test_without_online_no_server_and_no_model_library_is_loaded(small: Path) -> None:
    code = (
        "import sys; from supportbot.cli.main import run; run(['doctor'])\n"
        "print('LOADED', [name for name in ('aiohttp', 'litellm') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=small, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "LOADED []"


# --- configuration --------------------------------------------------------------------------


def test_the_store_that_is_there_is_not_changed(small: Path) -> None:
    store = small / "store.db"
    asyncio.run(_made(store))
    before = sorted(path.name for path in small.iterdir()), store.read_bytes()
    finding = found(small, SUPPORTBOT_STORE=str(store))["configuration/store"]
    assert finding.status == "ok"
    assert finding.text.endswith(f"layout {SCHEMA_VERSION}")
    assert (sorted(path.name for path in small.iterdir()), store.read_bytes()) == before


async def _made(path: Path) -> None:
    store = SQLiteStore(path)
    await store.load("nobody")
    await store.close()


def test_a_store_of_a_newer_version_fails(small: Path) -> None:
    store = small / "store.db"
    asyncio.run(_made(store))
    with closing(sqlite3.connect(store)) as file:
        file.execute("UPDATE schema_version SET version = 99")
        file.commit()
    finding = found(small, SUPPORTBOT_STORE=str(store))["configuration/store"]
    assert (finding.status, bool(finding.remedy)) == ("failed", True)
    assert "layout 99" in finding.text


def test_a_store_that_is_none_fails(small: Path) -> None:
    (small / "store.db").write_text("this is a letter to my aunt, not a database. " * 200, "utf-8")
    finding = found(small, SUPPORTBOT_STORE=str(small / "store.db"))["configuration/store"]
    assert finding.status == "failed"
    assert "not a database" in finding.text


def test_a_store_below_a_file_fails(small: Path) -> None:
    finding = found(small, SUPPORTBOT_STORE=str(small / "states.yaml" / "store.db"))["configuration/store"]
    assert finding.status == "failed"
    assert "SUPPORTBOT_STORE" in finding.remedy


def test_a_log_level_that_is_none_fails(small: Path) -> None:
    assert found(small)["configuration/log level"].status == "ok"
    wrong = found(small, LOG_LEVEL="loud")["configuration/log level"]
    assert (wrong.status, "LOG_LEVEL is 'loud'" in wrong.text) == ("failed", True)
    assert "LOG_LEVEL" in wrong.remedy


def test_a_taken_port_is_a_note_and_one_that_is_no_number_fails(small: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = found(small, str(other.getsockname()[1]))["configuration/address"]
    assert (taken.status, "taken" in taken.text) == ("note", True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORT", "eighty")
        wrong = {one.name: one for one in checks(small, None, None, online=False)}["address"]
    assert (wrong.status, "PORT" in wrong.remedy) == ("failed", True)


def test_an_unreadable_env_file_fails(small: Path) -> None:
    (small / ".env").write_bytes(b"NAME=\xff\xfe\n")
    assert found(small)["configuration/.env"].status == "failed"


# --- variables, model, connections, SalesIQ -------------------------------------------------


def test_each_variable_says_what_its_lack_means(starter: Path) -> None:
    those = found(starter, DESK_ORG_ID="4 ")
    assert those["variables/SUPPORTBOT_LLM_MODEL"].text.startswith("SUPPORTBOT_LLM_MODEL is not set: no model is asked")
    assert (those["variables/DESK_URL"].status, "default" in those["variables/DESK_URL"].text) == ("ok", True)
    assert "the connection 'salesiq' is off" in those["variables/SALESIQ_SCREENNAME"].text
    assert "'create_ticket'" in those["variables/DESK_DEPARTMENT_ID"].text
    assert "rules/actions.yaml:" in those["variables/DESK_DEPARTMENT_ID"].text
    assert "blank" in those["variables/DESK_ORG_ID"].text
    assert {one.status for one in those.values()} == {"ok", "note"}


def test_a_comment_names_no_variable(starter: Path) -> None:
    actions = starter / "rules" / "actions.yaml"
    actions.write_text(actions.read_text("utf-8") + "# ${ONLY_A_COMMENT}\n", "utf-8")
    assert "variables/ONLY_A_COMMENT" not in found(starter)


@pytest.mark.parametrize(
    ("environment", "status"),
    [
        ({"SUPPORTBOT_LLM_MODEL": "anthropic/claude"}, "failed"),
        ({"SUPPORTBOT_LLM_MODEL": "anthropic/claude", "OPENAI_API_KEY": "x"}, "failed"),
        ({"SUPPORTBOT_LLM_MODEL": "anthropic/claude", "ANTHROPIC_API_KEY": "x"}, "ok"),
        ({"SUPPORTBOT_LLM_MODEL": "ollama/llama3.1"}, "note"),
        ({"SUPPORTBOT_LLM_MODEL": "openai/own", "SUPPORTBOT_LLM_API_BASE": "http://127.0.0.1:1/v1"}, "note"),
    ],
)
def test_the_key_of_the_provider(starter: Path, environment: Mapping[str, str], status: str) -> None:
    finding = found(starter, **environment)[f"model/{environment['SUPPORTBOT_LLM_MODEL']}"]
    assert finding.status == status
    assert bool(finding.remedy) == (status == "failed")


def test_a_connection_with_all_it_needs_and_one_with_a_wrong_address(small: Path) -> None:
    add_service(small)
    assert found(small, CRM_URL="https://crm.example.com", CRM_TOKEN="x")["connections/crm"].status == "ok"
    wrong = found(small, CRM_URL="crm.example.com", CRM_TOKEN="x")["connections/crm"]
    assert (wrong.status, "CRM_URL" in wrong.remedy) == ("failed", True)


def test_keys_of_salesiq(starter: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert found(starter)["salesiq/keys"].status == "note"
    assert found(starter, SALESIQ_PUBLIC_KEY=pem)["salesiq/keys"].status == "ok"
    assert found(starter, SALESIQ_WEBHOOK_TOKEN="t")["salesiq/keys"].status == "ok"
    bad = found(starter, SALESIQ_PUBLIC_KEY="bm90IGEga2V5")["salesiq/keys"]
    assert (bad.status, bool(bad.remedy)) == ("failed", True)


# --- online: Zoho ---------------------------------------------------------------------------


@asynccontextmanager
async def zoho_running() -> AsyncIterator[tuple[FakeZoho, dict[str, str]]]:
    async with FakeZoho().running() as zoho:
        yield zoho, {**zoho.environment(), "SALESIQ_URL": zoho.url, "SALESIQ_SCREENNAME": "acme"}


async def tried(bot: Bot, environment: Mapping[str, str], store: Path | None = None, seconds: float = 15.0) -> Any:
    return {one.name: one for one in await try_all(bot, environment, store, seconds)}


def test_one_token_and_a_read_and_nothing_written(starter: Path) -> None:
    async def run() -> None:
        async with zoho_running() as (zoho, environment):
            those = await tried(compiled(starter), environment)
            assert {one.status for one in those.values()} == {"ok"}
            assert "a new access token" in those["desk"].text
            assert "GET /departments/${DESK_DEPARTMENT_ID} answers well" in those["desk"].text
            assert "base URL answers" in those["salesiq"].text
            assert all(isinstance(one.milliseconds, int) for one in those.values())
            assert len(zoho.refreshes) == 1  # both connections share the refresh token
            asked = {(method, path) for method, path, _, _ in zoho.requests}
            assert asked == {("GET", f"/api/v1/departments/{DEPARTMENT}"), ("HEAD", "/api/v2/acme/")}
            assert (zoho.ledger, zoho.violations) == ([], [])

    asyncio.run(run())


def test_the_bought_token_is_left_in_the_store_for_the_server(starter: Path) -> None:
    async def run() -> None:
        async with zoho_running() as (zoho, environment):
            store = starter / "store.db"
            await _made(store)
            for times in (1, 2):  # a token that is still good is no excuse
                await tried(compiled(starter), environment, store)
                assert len(zoho.refreshes) == times
            with closing(sqlite3.connect(store)) as file:
                (body,) = file.execute("SELECT body FROM tokens").fetchone()
            assert json.loads(body)["access"] in zoho.tokens

    asyncio.run(run())


@pytest.mark.parametrize(
    ("change", "refreshed", "says"),
    [
        ({"ZOHO_CLIENT_SECRET": CANARY}, None, "invalid_client_secret"),
        ({"DESK_DEPARTMENT_ID": "1892000000009999"}, None, "status 422"),
        ({}, (200, json.dumps(THROTTLED)), "throttled"),
        ({}, (502, "<html>down</html>"), "token service: status 502"),
    ],
)
def test_what_fails_says_why_and_what_to_do(
    starter: Path, change: dict[str, str], refreshed: tuple[int, str] | None, says: str
) -> None:
    async def run() -> None:
        async with zoho_running() as (zoho, environment):
            zoho.refresh_answers += [refreshed] * 2 if refreshed else []
            finding = (await tried(compiled(starter), {**environment, **change}))["desk"]
            assert (finding.status, says in finding.text, bool(finding.remedy)) == ("failed", True, True)
            assert CANARY not in finding.text + finding.remedy

    asyncio.run(run())


@pytest.mark.parametrize("address", ["hooks.example.com/secret", "ftp://hooks.example.com/secret"])
def test_an_address_for_alerts_that_is_none(starter: Path, address: str) -> None:
    finding = found(starter, ERROR_ALERT_WEBHOOK=address)["connections/alerts"]
    assert finding.status == "failed"
    assert "ERROR_ALERT_WEBHOOK" in finding.remedy
    assert "secret" not in finding.text + finding.remedy


def test_the_command_online_shows_no_secret_and_calls_no_alert_webhook(starter: Path, free_port: str) -> None:
    async def run() -> None:
        called: list[str] = []

        async def alert(request: web.Request) -> web.Response:
            called.append(request.path)
            return web.Response()

        async with zoho_running() as (zoho, environment), serving(web.route("*", "/{tail:.*}", alert)) as url:
            code, text = await doctor(starter, free_port, {**environment, "ERROR_ALERT_WEBHOOK": f"{url}/alerts"})
            assert code == 0, text
            assert "✔ 'desk': a new access token" in text
            assert "ms)" in text
            bad = {**environment, "ZOHO_CLIENT_SECRET": CANARY}
            code, failed = await doctor(starter, free_port, {**bad, "ERROR_ALERT_WEBHOOK": f"{url}/alerts"})
            assert code == 1
            assert "remedy: check ZOHO_ACCOUNTS_URL, ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET" in failed
            secrets = (CANARY, CLIENT_SECRET, REFRESH_TOKEN, *zoho.tokens)
            assert not any(secret in text + failed for secret in secrets)
            assert called == []

    asyncio.run(run())


async def doctor(folder: Path, port: str, environment: Mapping[str, str]) -> tuple[int, str]:
    code = "import sys; from supportbot.cli.main import run; sys.exit(run(sys.argv[1:]))"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, "doctor", str(folder), "--online", "--port", port),
        env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


# --- online: any service --------------------------------------------------------------------

View = Callable[[web.Request], Any]


def ask_service(small: Path, view: View, more: str = "", seconds: float = 15.0) -> Finding:
    bot = add_service(small, more)

    async def run() -> Finding:
        async with serving(web.route("*", "/{tail:.*}", view)) as url:
            those = await tried(bot, {"CRM_URL": url, "CRM_TOKEN": CANARY}, seconds=seconds)
            finding = those["crm"]
            assert isinstance(finding, Finding)
            assert CANARY not in finding.text + finding.remedy
            return finding

    return asyncio.run(run())


def test_a_service_without_head_is_asked_with_get(small: Path) -> None:
    asked = []

    async def view(request: web.Request) -> web.Response:
        asked.append(request.method)
        return web.Response(status=501 if request.method == "HEAD" else 404)

    assert ask_service(small, view).status == "ok"
    assert asked == ["HEAD", "GET"]


@pytest.mark.parametrize(("status", "verdict"), [(404, "ok"), (405, "ok"), (401, "failed"), (503, "failed")])
def test_what_a_base_url_may_answer(small: Path, status: int, verdict: str) -> None:
    async def view(_: web.Request) -> web.Response:
        return web.Response(status=status)

    finding = ask_service(small, view)
    assert finding.status == verdict
    assert ("CRM_TOKEN" in finding.remedy) == (status == 401)


def test_a_named_read_must_succeed_by_the_rules_of_the_connection(small: Path) -> None:
    async def view(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {CANARY}"
        if request.path_qs == "/me?fields=id":
            return web.json_response({"id": 7})
        return web.json_response({"error": "no"})

    read = "    ok: {{absent: [/error]}}\n    check: {{path: '{}'}}\n"
    assert ask_service(small, view, read.format("/me?fields=id")).status == "ok"
    refused = ask_service(small, view, read.format("/you"))
    assert (refused.status, "/you" in refused.remedy) == ("failed", True)


def test_each_try_has_a_deadline(small: Path) -> None:
    async def view(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    finding = ask_service(small, view, seconds=0.2)
    assert (finding.status, "no answer within 0.2 s" in finding.text) == ("failed", True)


def test_nobody_there_and_a_private_address(small: Path, free_port: str) -> None:
    environment = {"CRM_URL": f"http://127.0.0.1:{free_port}", "CRM_TOKEN": CANARY}
    gone = asyncio.run(tried(add_service(small), environment))["crm"]
    assert (gone.status, "CRM_URL" in gone.remedy) == ("failed", True)
    actions = small / "rules" / "actions.yaml"
    actions.write_text(actions.read_text("utf-8").replace("    allow_private: true\n", ""), "utf-8")
    refused = asyncio.run(tried(compiled(small), environment))["crm"]
    assert (refused.status, "SUPPORTBOT_ALLOW_PRIVATE" in refused.remedy) == ("failed", True)


def test_what_is_off_is_not_tried(small: Path) -> None:
    assert asyncio.run(tried(add_service(small), {})) == {}
    last = list(checks(small, None, None, online=True))[-1]
    assert (last.area, last.status) == ("online", "note")


# --- online: the model ----------------------------------------------------------------------


def ask_model(starter: Path, mode: str) -> tuple[Finding, OpenAIServer]:
    async def run() -> tuple[Finding, OpenAIServer]:
        async with OpenAIServer(mode).running() as server:
            environment = {
                "SUPPORTBOT_LLM_MODEL": "openai/test",
                "SUPPORTBOT_LLM_API_BASE": server.base,
                "OPENAI_API_KEY": CANARY,
            }
            those = {one.name: one for one in await try_all(compiled(starter), environment, None, model_seconds=5.0)}
            finding = those["openai/test"]
            assert CANARY not in finding.text + finding.remedy
            return finding, server

    return asyncio.run(run())


def test_one_tiny_question(starter: Path) -> None:
    finding, server = ask_model(starter, "ok")
    assert (finding.status, finding.text) == ("ok", "openai/test answers, 17 tokens")
    assert isinstance(finding.milliseconds, int)
    assert len(server.asked) == 1
    assert server.asked[0]["max_tokens"] <= 16
    assert server.keys == [f"Bearer {CANARY}"]


@pytest.mark.parametrize(
    ("mode", "status", "says"),
    [("unauthorized", "failed", "401"), ("rate_limited", "failed", "429"), ("blank", "note", "said nothing")],
)
def test_a_model_that_does_not_answer_well(starter: Path, mode: str, status: str, says: str) -> None:
    finding, server = ask_model(starter, mode)
    assert (finding.status, says in finding.text) == (status, True)
    assert bool(finding.remedy) == (status == "failed")
    assert len(server.asked) == 1  # neither again nor another model


# --- tokens ---------------------------------------------------------------------------------


def test_a_failed_purchase_leaves_the_stored_token_alone() -> None:
    async def run() -> None:
        stored = MemoryTokens()
        await stored.put_token("k", Token("good", 9e9, 3600.0))
        fresh = FreshTokens(stored)
        masked = await fresh.token("k")
        assert masked.access == ""
        await fresh.put_token("k", Token(held_until=9e9, held="throttled: for now"))
        assert (await stored.token("k")).access == "good"
        assert (await fresh.token("k")).access == ""  # what failed stays failed in this run
        assert (await fresh.token("k")).held_until == 9e9

    asyncio.run(run())


@pytest.mark.parametrize(("held", "kept"), [("permanent: invalid_client", False), ("throttled: for now", True)])
def test_a_stored_hold_after_a_permanent_error_is_tried_again(held: str, kept: bool) -> None:
    async def run() -> None:
        stored = MemoryTokens()
        await stored.put_token("k", Token("old", 9e9, 3600.0, held_until=9e9, held=held))
        assert bool((await FreshTokens(stored).token("k")).held_until) is kept

    asyncio.run(run())


def test_logging_is_left_as_it_was(small: Path) -> None:
    log = logging.getLogger("supportbot")
    before = (log.propagate, list(log.handlers))
    asyncio.run(tried(add_service(small), {}))
    assert (log.propagate, list(log.handlers)) == before


@pytest.mark.parametrize("check", ["{path: '/me/${MY NAME}'}", "{method: POST, path: /me}", "{method: GET}", "/me"])
def test_a_wrong_check_is_found_by_validate(small: Path, check: str) -> None:
    (small / "rules" / "actions.yaml").write_text(f"{SERVICE}    check: {check}\n", "utf-8")
    errors = [one for one in load_bot(small).diagnostics if one.severity == "error"]
    assert [(one.place.file, one.place.line) for one in errors] == [("rules/actions.yaml", 8)]
