"""Admin views over the real runtime: figures, sessions, erasing, reloading; limits and repeated messages."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.runtime.desk_bot import desk_bot
from tests.runtime.fakes import FakeModel, conversations
from tests.server.world import listening

from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.model.operations import Alerts, Operations, Rate
from supportbot.model.session import Session
from supportbot.runtime.alerts import Alert, Alerting, Delivery
from supportbot.runtime.conversation import Conversations
from supportbot.runtime.metrics import Metrics
from supportbot.runtime.ports import ModelAnswer
from supportbot.runtime.reload import Reloader
from supportbot.server.app import create_app
from supportbot.server.observing import Beside
from supportbot.server.options import Secret, ServerLimits, ServerOptions


class Kept:
    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    async def send(self, alert: Alert, settings: Alerts) -> Delivery:
        self.alerts.append(alert)
        return "sent"


@dataclass
class Desk:
    url: str
    client: aiohttp.ClientSession
    talks: Conversations
    beside: Beside
    kept: Kept

    async def chat(self, text: str, session: str = "s1", **more: object) -> tuple[int, bytes]:
        body = {"session_id": session, "message": text, **more}
        async with self.client.post(f"{self.url}/chat", json=body) as answer:
            return answer.status, await answer.read()

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        async with self.client.request(method, self.url + path, headers=headers) as answer:
            return answer.status, await answer.text()


@contextlib.asynccontextmanager
async def desk(
    folder: Path, operations: Operations | None = None, token: str = "", model: FakeModel | None = None, **limits: float
) -> AsyncIterator[Desk]:
    bot = desk_bot(folder / "bot")
    if operations is not None:
        bot = replace(bot, settings=replace(bot.settings, operations=operations))
    store = SQLiteStore(folder / "s.db", busy_seconds=0.2, keep=50)
    talks = conversations(bot, store, model)
    kept, metrics = Kept(), Metrics()
    alerting = Alerting(kept, Alerts, lambda: "r", metrics)
    beside = Beside(metrics, alerting, Reloader(folder / "bot", talks, metrics, alerting))
    chosen = ServerLimits(**limits)  # type: ignore[arg-type]
    options = ServerOptions(admin_token=Secret(token), limits=chosen)
    async with listening(create_app(talks, options, beside=beside), options) as (port, client):
        yield Desk(f"http://127.0.0.1:{port}", client, talks, beside, kept)
    await store.close()


def test_a_repeated_request_gets_the_same_bytes(tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(tmp_path) as it:
            answers = await asyncio.gather(*(it.chat("printer offline", message_id="m1") for _ in range(50)))
            assert len(set(answers)) == 1
            assert answers[0][0] == 200
            assert it.beside.metrics.repeated["chat"] == 49

    asyncio.run(run())


def test_without_a_message_id_the_same_request_id_is_the_same_message(tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(tmp_path) as it:
            bodies = []
            for request_id in ("r-1", "r-1", "r-2"):
                body = {"session_id": "s1", "message": "printer offline"}
                headers = {"X-Request-ID": request_id}
                async with it.client.post(f"{it.url}/chat", json=body, headers=headers) as answer:
                    bodies.append(await answer.read())
                    assert answer.headers["X-Request-ID"] == request_id
            assert bodies[0] == bodies[1] != bodies[2]

    asyncio.run(run())


def test_the_first_message_may_be_repeated_before_its_session_is_known(tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(tmp_path) as it:

            async def first(message_id: str, text: str = "printer offline") -> bytes:
                body = {"message": text, "message_id": message_id}
                async with it.client.post(f"{it.url}/chat", json=body) as answer:
                    assert answer.status == 200
                    return await answer.read()

            unguessable = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
            assert await first(unguessable) == await first(unguessable)
            assert await first(unguessable) != await first(unguessable, "please open a ticket")
            assert await first("1") != await first("1"), "anybody may come up with that one"

    asyncio.run(run())


def test_figures_of_what_was_said(tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(tmp_path) as it:
            await it.chat("printer offline")
            await it.chat("please open a ticket")
            status, stats = await it.get("/stats")
            assert status == 200
            assert '"printer_offline":{"count":1,"percent":50.0}' in stats
            assert (await it.get("/metrics/report?since=1h"))[0] == 200
            assert (await it.get("/stats?since=2w"))[0] == 200  # as `supportbot stats --since 2w`
            assert (await it.get("/stats?since=99999w"))[0] == 200
            assert (await it.get("/stats?since=soon"))[0] == 400
            status, text = await it.get("/metrics")
            names = {family.name for family in text_string_to_metric_families(text)}
            assert {"supportbot_messages", "supportbot_stage_duration_seconds", "supportbot_build_info"} <= names
            assert 'supportbot_messages_total{channel="chat",outcome="rule"} 2.0' in text
            status, summary = await it.get("/metrics", Accept="application/json")
            assert '"supportbot_messages_total":{"chat,rule":2.0}' in summary

    asyncio.run(run())


def test_sessions_are_listed_shown_and_erased(tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(tmp_path) as it:
            await it.chat("printer offline", "ann")
            assert '"id":"ann"' in (await it.get("/sessions"))[1]
            status, shown = await it.get("/sessions/ann")
            assert set(json.loads(shown)["session"]) == set(Session.__struct_fields__), (
                "also what is as in every session"
            )
            assert status == 200
            assert '"handler":"printer_offline"' in shown
            assert (await it.get("/sessions/ann", "DELETE"))[0] == 200
            assert (await it.get("/sessions/ann", "DELETE"))[0] == 404
            assert (await it.get("/sessions/ann"))[0] == 404
            assert '"active":0' in (await it.get("/sessions"))[1]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/stats"), ("GET", "/metrics"), ("GET", "/metrics/report"), ("GET", "/sessions"), ("GET", "/sessions/a"),
     ("DELETE", "/sessions/a"), ("POST", "/reload"), ("POST", "/reset/a")],
)  # fmt: skip
def test_admin_paths_need_the_token(tmp_path: Path, method: str, path: str) -> None:
    async def run() -> None:
        async with desk(tmp_path, token="right") as it:
            assert (await it.get(path, method))[0] == 401
            assert (await it.get(path, method, Authorization="Bearer wrong"))[0] == 401
            assert (await it.get(path, method, Authorization="Bearer right"))[0] in (200, 404)

    asyncio.run(run())


def test_a_reload_answers_with_what_is_wrong_and_health_shows_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(tmp_path) as it:
            handlers = tmp_path / "bot" / "handlers.yaml"
            source = handlers.read_text("utf-8")
            handlers.write_text(source + "\n  - {id: wrong, do: [{reply: not_there}]}\n", "utf-8")
            status, body = await it.get("/reload", "POST")
            assert status == 422
            assert '"file":"handlers.yaml"' in body
            status, health = await it.get("/health")
            assert status == 200
            assert '"status":"degraded"' in health
            assert "not_there" in health
            handlers.write_text(source, "utf-8")
            assert (await it.get("/reload", "POST"))[0] == 200
            assert '"status":"healthy"' in (await it.get("/health"))[1]

    asyncio.run(run())


def test_a_session_that_floods_is_told_to_wait_and_others_are_not(tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(tmp_path, replace(Operations(), session_rate=Rate(60, 5))) as it:
            codes = [(await it.chat("printer offline"))[0] for _ in range(8)]
            assert codes == [200] * 5 + [429] * 3
            assert (await it.chat("printer offline", "s2"))[0] == 200
            async with it.client.post(f"{it.url}/chat", json={"session_id": "s1", "message": "x"}) as answer:
                assert answer.headers["Retry-After"] == "1"
            event = {"handler": "message", "visitor": {"active_conversation_id": "9"}, "message": {"text": "hello"}}
            replies = []
            for number in range(7):
                event["request"] = {"id": str(number)}
                async with it.client.post(f"{it.url}/webhook/salesiq", json=event) as answer:
                    assert answer.status == 200
                    replies.append(str((await answer.json())["replies"]))
            assert "cannot keep up" in replies[-1]
            assert "cannot keep up" not in replies[0]

    asyncio.run(run())


def test_not_more_turns_at_once_than_allowed(tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(tmp_path, replace(Operations(), turns=2), model=FakeModel(0.3, ModelAnswer("x", "m"))) as it:
            answers = await asyncio.gather(*(it.chat("what is this", f"s{n}") for n in range(6)))
            assert sorted(status for status, _ in answers)[-1] == 503
            assert (await it.chat("printer offline", "later"))[0] == 200

    asyncio.run(run())


def test_a_store_that_fails_is_said_alerted_and_recovers(tmp_path: Path) -> None:
    """The file is locked by somebody else for longer than the store waits."""

    async def run() -> None:
        async with desk(tmp_path) as it:
            assert (await it.chat("printer offline"))[0] == 200
            other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            codes = {(await it.chat("printer offline"))[0] for _ in range(3)}
            assert codes == {503}
            event = {"handler": "message", "visitor": {"active_conversation_id": "9"}, "message": {"text": "hello"}}
            async with it.client.post(f"{it.url}/webhook/salesiq", json=event) as answer:
                assert (answer.status, (await answer.json())["action"]) == (200, "reply")
            status, health = await it.get("/health")
            assert (status, '"status":"unhealthy"' in health) == (503, True)
            other.execute("ROLLBACK")
            other.close()
            for _ in range(3):
                assert (await it.chat("printer offline"))[0] == 200
            assert '"status":"healthy"' in (await it.get("/health"))[1]
            assert it.beside.alerting is not None
            await it.beside.alerting.flush()
            states = [alert.state for alert in it.kept.alerts if alert.kind == "store_degraded"]
            assert states == ["failing", "recovered"]
            assert it.beside.metrics.store_failures >= 3

    asyncio.run(run())


def test_a_full_disk_costs_no_webhook_its_answer(tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(tmp_path) as it:
            assert (await it.chat("printer offline"))[0] == 200

            store = it.talks.store
            assert isinstance(store, SQLiteStore)
            worker = store._worker
            opened = worker._opened
            pages = await worker.ask(lambda c: c.execute("PRAGMA page_count").fetchone()[0], writes=False)

            def limited() -> object:
                connection = opened()
                connection.execute(f"PRAGMA max_page_count = {pages + 2}")
                return connection

            worker._opened = limited  # type: ignore[method-assign,assignment]
            actions = []
            for number in range(40):
                event = {
                    "handler": "message",
                    "request": {"id": f"q{number}"},
                    "visitor": {"active_conversation_id": f"9{number}"},
                    "message": {"text": "printer offline " + "x" * 150},
                }
                async with it.client.post(f"{it.url}/webhook/salesiq", json=event) as answer:
                    assert answer.status == 200
                    actions.append((await answer.json())["replies"])
            assert any("went wrong" in str(replies) for replies in actions)
            worker._opened = opened  # type: ignore[method-assign]
            for connection in [worker._connection]:
                if connection is not None:
                    await worker.ask(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchall(), writes=False)
            assert (await it.chat("printer offline", "s9"))[0] == 200

    asyncio.run(run())


def test_a_model_that_is_down_is_seen_and_its_return_as_well(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        model = FakeModel(ModelAnswer(error="timeout", model="m"))
        async with desk(tmp_path, model=model) as it:
            for number in range(4):
                status, body = await it.chat("what is this", f"s{number}")
                assert status == 200
                assert b"cannot think right now" in body
            assert "rules answer alone" in (await it.get("/health"))[1]
            model.answers = [ModelAnswer("back again", "m")]
            for number in range(3):
                assert b"back again" in (await it.chat("what is this", f"t{number}"))[1]
            assert it.beside.alerting is not None
            await it.beside.alerting.flush()
            assert [(alert.kind, alert.state) for alert in it.kept.alerts] == [
                ("llm_unavailable", "failing"),
                ("llm_unavailable", "recovered"),
            ]

    asyncio.run(run())


def test_unknown_paths_and_sessions_make_no_labels(tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(tmp_path) as it:
            for number in range(200):
                await it.get(f"/nothing/{number}")
                await it.get(f"/sessions/s{number}")
            text = (await it.get("/metrics"))[1]
            assert "/nothing" not in text
            assert "s199" not in text
            assert len(text) < 200_000

    asyncio.run(run())


def test_not_more_connections_than_allowed(tmp_path: Path) -> None:
    async def run() -> None:
        async with desk(tmp_path, replace(Operations(), connections=3)) as it:
            port = int(it.url.rpartition(":")[2])
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            for _, writer in held:  # a connection counts once the server has it
                writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            for reader, _ in held:
                assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
            writer.close()
            for _, writer in held:
                writer.close()
                await writer.wait_closed()
            while it.beside.metrics.refused["connections"] != 1:
                await asyncio.sleep(0.01)
            assert (await it.get("/livez"))[0] == 200

    asyncio.run(run())
