"""Telemetry of real turns over HTTP, as a real collector on loopback gets it; and turns while the collector is bad."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.adapters.collector import Collector
from tests.adapters.openai_server import OpenAIServer
from tests.cli.conftest import COMMAND, SMALL
from tests.runtime.desk_bot import FILES, desk_bot
from tests.runtime.fakes import FakeActions, FakeModel, conversations
from tests.server.world import listening, quick

from supportbot.adapters.otel import telemetry, unavailable, wanted
from supportbot.cli.serve import remarks
from supportbot.errors import StoreError
from supportbot.model.bot import Bot
from supportbot.runtime.conversation import Conversations
from supportbot.runtime.ports import ActionResult, ModelAnswer
from supportbot.runtime.tracing import Tracing
from supportbot.server.app import create_app
from supportbot.server.observing import Beside
from supportbot.server.options import ServerOptions
from supportbot.server.service import SERVICE, Service

SERVER, CLIENT, INTERNAL, ERROR = 2, 3, 1, 2  # numbers of the protocol
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
QUESTION = "what is the meaning of this strange picture"
ANSWER = ModelAnswer("Try to restart it.", "openai/gpt-test", 30, 5)
STAGES = ["load", "decide", "effects", "conclude", "commit"]


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    return desk_bot(tmp_path_factory.mktemp("bot"))


@dataclass
class World:
    url: str
    client: aiohttp.ClientSession
    telemetry: Tracing
    service: Service

    async def chat(self, text: str, session: str = "s1", **headers: str) -> int:
        body = {"message": text, "session_id": session}
        async with self.client.post(f"{self.url}/chat", json=body, headers=headers) as answer:
            await answer.read()
            return answer.status


@asynccontextmanager
async def telling(
    base: str, talks: Conversations, options: ServerOptions | None = None, **more: str
) -> AsyncIterator[World]:
    """A server that tells the collector at ``base``."""
    told = telemetry({"OTEL_EXPORTER_OTLP_ENDPOINT": base, **more})
    assert told is not None
    options = options or ServerOptions()
    app = create_app(talks, options, None, Beside(tracing=told))
    async with listening(app, options) as (port, client):
        yield World(f"http://127.0.0.1:{port}", client, told, app[SERVICE])


def told(
    test: Callable[[World], Awaitable[None]], talks: Conversations, options: ServerOptions | None = None, **more: str
) -> Collector:
    """What a collector got of a test, sent before the server's end."""

    async def inside() -> Collector:
        async with Collector().running() as collector:
            async with telling(collector.base, talks, options, **more) as world:
                await test(world)
                await world.telemetry.close()
            return collector

    return asyncio.run(inside())


def asking(*texts: str, **headers: str) -> Callable[[World], Awaitable[None]]:
    async def test(world: World) -> None:
        for text in texts:
            assert await world.chat(text, **headers) == 200

    return test


# --- what a collector gets


def test_a_turn_by_rules_is_a_span_with_its_stages(bot: Bot) -> None:
    before = time.time_ns()
    got = told(asking("My printer is offline", **{"X-Request-ID": "r-1"}), conversations(bot))
    span = got.named("POST /chat")
    assert (span.kind, span.parent, span.status) == (SERVER, "", 0)
    assert before <= span.start < span.end <= time.time_ns()
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/chat",
        "url.path": "/chat",
        "url.scheme": "http",
        "http.response.status_code": 200,
        "gen_ai.conversation.id": "s1",
        "supportbot.request_id": "r-1",
        "supportbot.revision": bot.revision,
        "supportbot.channel": "chat",
        "supportbot.handler": "printer_offline",
        "supportbot.kind": "guide",
        "supportbot.category": "printing",
        "supportbot.state": "greeting",
        "supportbot.next_state": "troubleshooting",
        "supportbot.turn": 1,
    }
    assert got.below(span) == [stage for stage in STAGES if stage != "effects"]
    for stage in got.spans:
        assert span.start <= stage.start <= stage.end <= span.end
        assert (stage.trace, stage.kind) == (span.trace, SERVER if stage is span else INTERNAL)
    assert got.resource["service.name"] == "supportbot"
    assert got.metrics == {}  # nobody was asked


def test_a_question_to_the_model_follows_the_conventions(bot: Bot) -> None:
    environment = {"SUPPORTBOT_LLM_MODEL": "mistral/large-test", "SUPPORTBOT_LLM_API_BASE": "http://127.0.0.1:9/v1"}
    got = told(asking(QUESTION), conversations(bot, model=FakeModel(ANSWER)), **environment)
    effects, chat = got.named("effects"), got.named("chat large-test")
    assert (chat.kind, chat.parent, chat.status) == (CLIENT, effects.id, 0)
    assert effects.start <= chat.start <= chat.end <= effects.end
    assert chat.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "large-test",  # the settings' model was asked
        "gen_ai.response.model": "gpt-test",  # and another one answered
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.conversation.id": "s1",
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 5,
        "server.address": "127.0.0.1",
        "server.port": 9,
    }
    (seconds,) = got.metrics["gen_ai.client.operation.duration"]
    assert seconds.pop("sum") == pytest.approx((chat.end - chat.start) / 1e9)
    assert seconds["gen_ai.request.model"] == "large-test"
    tokens = {point["gen_ai.token.type"]: point["sum"] for point in got.metrics["gen_ai.client.token.usage"]}
    assert tokens == {"input": 30, "output": 5}
    assert not {"gen_ai.conversation.id", "supportbot.request_id"} & seconds.keys()  # no series a conversation


def test_the_conventions_names_of_providers(bot: Bot) -> None:
    model = FakeModel(ModelAnswer("Yes.", "mistral/small", 1, 1))
    got = told(asking(QUESTION), conversations(bot, model=model))
    assert got.named("chat small").attributes["gen_ai.provider.name"] == "mistral_ai"


def test_a_model_that_fails_is_an_error_of_its_span_alone(bot: Bot) -> None:
    got = told(asking(QUESTION), conversations(bot, model=FakeModel(ModelAnswer(error="timeout", model="openai/slow"))))
    chat, span = got.named("chat slow"), got.named("POST /chat")
    assert (chat.status, chat.attributes["error.type"]) == (ERROR, "timeout")
    assert "gen_ai.response.model" not in chat.attributes
    assert "gen_ai.usage.input_tokens" not in chat.attributes
    assert (span.status, span.attributes["http.response.status_code"]) == (0, 200)
    (seconds,) = got.metrics["gen_ai.client.operation.duration"]
    assert seconds["error.type"] == "timeout"
    assert "gen_ai.client.token.usage" not in got.metrics


def test_no_model_was_asked_when_none_is_set(bot: Bot) -> None:
    got = told(asking(QUESTION), conversations(bot))
    assert not [span.name for span in got.spans if span.kind == CLIENT]


def test_an_action_is_a_call_without_a_visitors_values(bot: Bot) -> None:
    actions = FakeActions(ActionResult(True, {"ticket_number": "4711"}))
    got = told(
        asking("please open a ticket"), conversations(bot, actions=actions), DESK_URL="https://desk.test:8443/api"
    )
    call = got.named("POST /tickets")
    assert (call.kind, call.parent, call.status) == (CLIENT, got.named("effects").id, 0)
    assert call.attributes == {
        "http.request.method": "POST",
        "url.template": "/tickets",
        "server.address": "desk.test",
        "server.port": 8443,
        "supportbot.action": "create_ticket",
        "supportbot.connection": "desk",
    }


def test_an_action_that_fails(bot: Bot) -> None:
    actions = FakeActions(ActionResult(False, {}, "rejected"))
    call = told(asking("please open a ticket"), conversations(bot, actions=actions)).named("POST /tickets")
    assert (call.status, call.attributes["error.type"]) == (ERROR, "rejected")
    assert "server.address" not in call.attributes  # DESK_URL is not set


def test_a_turn_belongs_to_its_callers_trace(bot: Bot) -> None:
    got = told(asking("My printer is offline", traceparent=f"00-{TRACE}-{CALLER}-01"), conversations(bot))
    assert (got.named("POST /chat").trace, got.named("POST /chat").parent) == (TRACE, CALLER)
    assert {span.trace for span in got.spans} == {TRACE}


@pytest.mark.parametrize("given", ["", "nonsense", f"00-{'0' * 32}-{CALLER}-01", f"ff-{TRACE}-{CALLER}-01"])
def test_without_a_good_one_a_trace_begins(bot: Bot, given: str) -> None:
    got = told(asking("hello", traceparent=given), conversations(bot))
    assert got.named("POST /chat").parent == ""
    assert got.named("POST /chat").trace != TRACE


def test_what_the_caller_does_not_sample_is_not_sent(bot: Bot) -> None:
    got = told(asking(QUESTION, traceparent=f"00-{TRACE}-{CALLER}-00"), conversations(bot, model=FakeModel(ANSWER)))
    assert got.spans == []
    assert got.metrics["gen_ai.client.operation.duration"]  # counted all the same


def test_the_webhook_is_a_span_as_well(bot: Bot) -> None:
    async def test(world: World) -> None:
        body = {
            "handler": "message",
            "message": {"text": "My printer is offline"},
            "visitor": {"active_conversation_id": "42"},
        }
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        async with world.client.post(f"{world.url}/webhook/salesiq", json=body, headers=headers) as answer:
            assert answer.status == 200

    span = told(test, conversations(bot)).named("POST /webhook/salesiq")
    assert (span.kind, span.trace, span.parent) == (SERVER, TRACE, CALLER)
    assert span.attributes["supportbot.channel"] == "salesiq"
    assert span.attributes["gen_ai.conversation.id"] == "siq_42"


def test_requests_without_a_turn_are_not_told(bot: Bot) -> None:
    async def test(world: World) -> None:
        for path in ("/livez", "/health", "/nowhere/my-name"):
            async with world.client.get(f"{world.url}{path}") as answer:
                await answer.read()
        assert await world.chat("") == 200

    got = told(test, conversations(bot))
    assert [span.name for span in got.spans if span.kind == SERVER] == ["POST /chat"]
    assert got.named("POST /chat").attributes["supportbot.handler"] == "greeting"


def test_a_turn_that_the_store_refuses_is_an_error(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    talks = conversations(bot)

    async def refuse(*_: object) -> None:
        raise StoreError("the secret 4711 is in this text")

    monkeypatch.setattr(talks.store, "commit", refuse)

    async def test(world: World) -> None:
        assert await world.chat("My printer is offline") == 503

    got = told(test, talks)
    span = got.named("POST /chat")
    assert (span.status, span.attributes["error.type"]) == (ERROR, "StoreError")
    assert span.attributes["http.response.status_code"] == 503
    assert all(b"4711" not in body for body in got.bodies)


def test_a_turn_that_outlives_its_caller_is_told_with_its_trace(bot: Bot) -> None:
    model = FakeModel(0.5)

    async def test(world: World) -> None:
        assert await world.chat(QUESTION, traceparent=f"00-{TRACE}-{CALLER}-01") == 503
        while world.service.in_work:
            await asyncio.sleep(0.01)

    got = told(test, conversations(bot, model=model), quick())
    (span,) = [one for one in got.spans if one.trace == TRACE and one.kind == SERVER]
    assert (span.status, span.attributes["http.response.status_code"]) == (ERROR, 503)
    assert span.attributes["supportbot.handler"] == "llm_fallback"
    assert got.named("chat").end > span.end


# --- what was said

SAID = "what is the meaning of this, my e-mail is ada@example.org"
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SECRETIVE = FakeModel(ModelAnswer("Call +44 20 7946 0958 about the meaning.", "openai/gpt-test", 30, 5))


@pytest.mark.parametrize("setting", ["", "false", "NO_CONTENT", "event_only"])
def test_nothing_that_was_said_is_told(bot: Bot, setting: str) -> None:
    got = told(asking(SAID, "My printer is offline"), conversations(bot, model=SECRETIVE), **{CONTENT: setting})
    assert len([span for span in got.spans if span.kind == SERVER]) == 2
    for word in (b"meaning", b"example.org", b"7946", b"Is it switched on", b"printer is"):
        assert all(word not in body for body in got.bodies), word


@pytest.mark.parametrize("setting", ["true", "SPAN_ONLY"])
def test_unless_a_setting_asks_for_it_and_then_masked(bot: Bot, setting: str) -> None:
    got = told(asking(SAID), conversations(bot, model=SECRETIVE), **{CONTENT: setting})
    chat, span = got.named("chat gpt-test").attributes, got.named("POST /chat").attributes
    (asked,), (answered,) = json.loads(chat["gen_ai.input.messages"]), json.loads(chat["gen_ai.output.messages"])
    assert asked["role"] == "user"
    assert asked["parts"][0]["content"].startswith("what is the meaning of this, my e-mail is [")
    assert answered["parts"][0]["content"].startswith("Call [")
    assert span["supportbot.message"].startswith("what is the meaning")
    assert span["supportbot.reply"].startswith("Call [")
    assert all(b"example.org" not in body and b"7946" not in body for body in got.bodies)


# --- a collector that is down, or hangs


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "1"}


@pytest.mark.parametrize("mode", ["hang", "broken"])
def test_turns_go_on_while_the_collector_does_not(bot: Bot, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with (
            Collector(mode).running() as collector,
            telling(collector.base, conversations(bot), **QUICK) as world,
        ):
            assert await world.chat("My printer is offline") == 200
            await asyncio.wait_for(collector.asked.wait(), 60)  # from here on the exporter hangs or tries again
            for _ in range(50):
                assert await world.chat("My printer is offline") == 200
            await world.telemetry.close()
            assert collector.spans == []

    asyncio.run(test())
    assert "did not take the last traces within 2 seconds" in caplog.text  # said only when it gave up


def test_a_collector_that_is_not_there_costs_nothing(bot: Bot) -> None:
    async def test() -> None:
        async with telling(free_address(), conversations(bot), **QUICK) as world:
            for _ in range(20):
                assert await world.chat("My printer is offline") == 200
            await world.telemetry.close()

    asyncio.run(test())


def test_that_nothing_arrives_is_said_once_and_without_the_address(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with Collector("refused").running() as collector:
            base = collector.base.replace("http://", "http://user:secret@")
            more = {"OTEL_METRICS_EXPORTER": "none", **QUICK}
            async with telling(base, conversations(bot), **more) as world:
                for mode in ("refused", "refused", "ok", "ok"):
                    collector.mode = mode
                    collector.asked.clear()
                    assert await world.chat("My printer is offline") == 200
                    await asyncio.wait_for(collector.asked.wait(), 60)
                await world.telemetry.close()
            assert collector.spans

    with caplog.at_level(logging.INFO):
        asyncio.run(test())
    lines = [record.getMessage() for record in caplog.records if "collector" in record.getMessage()]
    assert [line.partition(" at the collector")[0] for line in lines] == ["traces do not arrive", "traces arrive"]
    assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]
    assert "secret" not in caplog.text


# --- when it is on

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.mark.parametrize(
    ("environment", "signals"),
    [
        ({}, ()),
        ({ENDPOINT: ""}, ()),
        ({ENDPOINT: "http://127.0.0.1:4318"}, ("traces", "metrics")),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, ("traces",)),
        ({ENDPOINT: "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, ("metrics",)),
        ({ENDPOINT: "http://127.0.0.1:4318", "OTEL_METRICS_EXPORTER": "none"}, ("traces",)),
        ({ENDPOINT: "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "console,otlp"}, ("traces", "metrics")),
        ({ENDPOINT: "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, ()),
    ],
)
def test_the_environment_says_what_is_sent(environment: Mapping[str, str], signals: tuple[str, ...]) -> None:
    assert wanted(environment) == signals
    assert unavailable(environment) == ""
    if not signals:
        assert telemetry(environment) is None


@pytest.mark.parametrize("missing", ["opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"])
def test_a_missing_extra_is_said_at_the_start(bot: Bot, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    environment = {ENDPOINT: "http://127.0.0.1:4318"}
    (line,) = [line for line in remarks(bot, environment) if "collector" in line]
    assert "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http" in line
    assert telemetry(environment) is None
    assert not [line for line in remarks(bot, {}) if "collector" in line]


def test_a_protocol_that_is_not_spoken_is_said(bot: Bot) -> None:
    environment = {ENDPOINT: "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    assert [line for line in remarks(bot, environment) if "OTEL_EXPORTER_OTLP_PROTOCOL" in line]
    assert telemetry(environment) is None


def test_settings_that_the_sdk_refuses_do_not_stop_the_server(caplog: pytest.LogCaptureFixture) -> None:
    assert telemetry({ENDPOINT: "http://127.0.0.1:4318", "OTEL_BSP_MAX_QUEUE_SIZE": "-1"}) is None
    assert "OpenTelemetry does not start" in caplog.text
    assert "OTEL_BSP_MAX_QUEUE_SIZE" not in os.environ


def test_names_of_the_environment_win(bot: Bot) -> None:
    more = {"OTEL_SERVICE_NAME": "desk", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test"}
    more["OTEL_EXPORTER_OTLP_HEADERS"] = "x-key=4711"
    got = told(asking("hello"), conversations(bot), **more)
    assert got.resource["service.name"] == "desk"
    assert got.resource["deployment.environment.name"] == "test"
    assert got.headers[0]["x-key"] == "4711"


# --- the real command

PROBE = """
import json, sys
from supportbot.cli.main import run
run(["serve", "--get", "/readyz"])
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def test_without_an_endpoint_nothing_of_it_is_imported(tmp_path: Path) -> None:
    folder = shutil.copytree(SMALL, tmp_path / "small")  # a server makes its store beside the bot
    done = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    names = json.loads(done.stdout.splitlines()[-1])
    assert "aiohttp" in names
    assert "opentelemetry" not in names


@asynccontextmanager
async def command(folder: Path, **environment: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """`supportbot serve`, its address and its process; ended when it was not."""
    process = await asyncio.create_subprocess_exec(
        str(COMMAND), "serve", str(folder), "--port", "0",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        assert "http://" in line
        yield "http://" + line.split("http://")[1].split()[0], process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def post(url: str, text: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as client:
        body = {"message": text, "session_id": "s1"}
        async with client.post(f"{url}/chat", json=body) as answer:
            data: dict[str, Any] = await answer.json()
            return data


def test_the_command_tells_a_collector_of_a_model_turn(tmp_path: Path) -> None:
    patient = FILES["supportbot.yaml"].replace("deadline: 2s", "deadline: 60s")  # the model's library loads first
    desk_bot(tmp_path, {"supportbot.yaml": patient})

    async def test() -> None:
        async with Collector().running() as collector, OpenAIServer("ok").running() as service:
            (tmp_path / ".env").write_text(f"{ENDPOINT}={collector.base}\nOTEL_SERVICE_NAME=from-env\n", "utf-8")
            environment = {
                "SUPPORTBOT_LLM_MODEL": "openai/gpt-test",
                "SUPPORTBOT_LLM_API_BASE": service.base,
                "OPENAI_API_KEY": "sk-test",
            }
            async with command(tmp_path, **environment) as (url, process):
                while "llm" not in (answer := await post(url, QUESTION)):  # a busy machine loads it for half a minute
                    assert answer["status"] == 503
                assert answer["llm"]["used"]
                process.terminate()
                _, errors = await asyncio.wait_for(process.communicate(), 60)
                assert process.returncode == 0, errors
            chat = next(span for span in collector.spans if span.name == "chat gpt-test").attributes
            assert chat["gen_ai.usage.input_tokens"] == 12
            assert f"http://{chat['server.address']}:{chat['server.port']}/v1" == service.base
            assert collector.resource["service.name"] == "from-env"
            assert collector.metrics["gen_ai.client.token.usage"]

    asyncio.run(test())


def test_the_command_ends_in_time_while_the_collector_hangs(tmp_path: Path) -> None:
    desk_bot(tmp_path)

    async def test() -> None:
        async with Collector("hang").running() as collector:
            environment = {ENDPOINT: collector.base, **QUICK}
            async with command(tmp_path, **environment) as (url, process):
                assert (await post(url, "My printer is offline"))["handler"] == "printer_offline"
                await asyncio.wait_for(collector.asked.wait(), 60)
                process.terminate()
                _, errors = await asyncio.wait_for(process.communicate(), 60)
                assert process.returncode == 0, errors
                assert b"did not take the last traces within 2 seconds" in errors  # said only when it gave up

    asyncio.run(test())
