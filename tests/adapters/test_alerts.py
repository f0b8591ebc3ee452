"""Alerts over real HTTP: when they go out, what is in them, and that nobody waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from tests.serving import serving

from supportbot.adapters import addresses, alert_webhook
from supportbot.adapters.addresses import is_public, refusal
from supportbot.adapters.alert_webhook import AlertWebhook
from supportbot.diagnostics import Place
from supportbot.model.bot import BodyMap
from supportbot.model.operations import Alerts
from supportbot.model.steps import Template
from supportbot.runtime import alerts
from supportbot.runtime.alerts import Alert, Alerting
from supportbot.runtime.metrics import Metrics

PLACE = Place("supportbot.yaml")


@dataclass
class Receiver:
    """A webhook on port 0. ``answers``: statuses, the last one again and again; 0 hangs."""

    answers: list[int] = field(default_factory=lambda: [200])
    got: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(await request.json())
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not status:
            await asyncio.sleep(60)
        return web.Response(status=status, headers={"Location": "/elsewhere"})


@dataclass
class Scene:
    receiver: Receiver
    alerting: Alerting
    metrics: Metrics
    now: list[float]

    async def settle(self) -> None:
        await self.alerting.flush()


@contextlib.asynccontextmanager
async def scene(settings: Alerts | None = None, *answers: int, deadline: float = 1.0) -> AsyncIterator[Scene]:
    receiver = Receiver(list(answers) or [200])
    async with serving(web.post("/hook", receiver.take)) as url:
        receiver.url = f"{url}/hook"
        sender = AlertWebhook({"ERROR_ALERT_WEBHOOK": receiver.url}, deadline)
        metrics, now, chosen = Metrics(), [0.0], settings or Alerts()
        alerting = Alerting(sender, lambda: chosen, lambda: "rev1", metrics, lambda: now[0])
        try:
            yield Scene(receiver, alerting, metrics, now)
        finally:
            await sender.close()


def test_three_failures_in_the_window_are_one_alert_then_comes_the_recovery() -> None:
    async def run() -> None:
        async with scene() as it:
            for _ in range(2):
                it.alerting.failed("llm_unavailable", "timeout")
            await it.settle()
            assert it.receiver.got == []
            for _ in range(5):
                it.alerting.failed("llm_unavailable", "timeout of jane@example.com")
            await it.settle()
            (alert,) = it.receiver.got
            assert alert["text"].startswith("supportbot: The model does not answer (3 times in 5 minutes).")
            assert "jane@" not in alert["text"]
            assert it.alerting.failing == ("llm_unavailable",)
            for _ in range(3):
                it.alerting.worked("llm_unavailable")
            await it.settle()
            assert it.receiver.got[1]["text"] == "supportbot: The model does not answer - recovered."
            assert it.alerting.failing == ()

    asyncio.run(run())


def test_failures_outside_the_window_do_not_add_up_and_kinds_are_apart() -> None:
    async def run() -> None:
        async with scene() as it:
            for _ in range(10):
                it.alerting.failed("action_failed")
                it.now[0] += 200
            it.alerting.failed("store_degraded")
            it.alerting.failed("webhook_exception")
            await it.settle()
            assert it.receiver.got == []

    asyncio.run(run())


def test_nothing_more_of_a_kind_before_the_cooldown_has_passed() -> None:
    async def run() -> None:
        async with scene() as it:
            for _ in range(40):
                it.alerting.failed("store_degraded")
                it.now[0] += 60
            await it.settle()
            assert len(it.receiver.got) == 3  # at 2, 17 and 32 minutes

    asyncio.run(run())


def test_one_failed_reload_is_enough() -> None:
    async def run() -> None:
        async with scene() as it:
            it.alerting.failed("reload_failed", "handlers.yaml:5:35: error")
            it.alerting.worked("reload_failed")
            await it.settle()
            assert ["recovered" in alert["text"] for alert in it.receiver.got] == [False, True]

    asyncio.run(run())


def test_the_body_follows_the_template() -> None:
    body = BodyMap((("title", Template("{{ alert.kind }} {{ alert.count }}", False, PLACE)), ("level", 2)))

    async def run() -> None:
        async with scene(Alerts(threshold=1, body=body)) as it:
            it.alerting.failed("action_failed")
            await it.settle()
            assert it.receiver.got == [{"title": "action_failed 1", "level": 2}]

    asyncio.run(run())


def test_an_alert_is_tried_again_and_redirects_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_webhook, "PAUSES", (0.0, 0.01, 0.01))

    async def run() -> None:
        async with scene(Alerts(threshold=1), 500, 302, 200) as it:
            it.alerting.failed("action_failed")
            await it.settle()
            assert len(it.receiver.got) == 3
            assert dict(it.metrics.alerts) == {"action_failed\x1fsent": 1}

    asyncio.run(run())


def test_a_hanging_receiver_is_given_up_and_noting_never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_webhook, "PAUSES", (0.0, 0.0))

    async def run() -> None:
        async with scene(Alerts(threshold=1, cooldown=0.0), 0, deadline=0.05) as it:
            for _ in range(10_000):  # far more than may wait to be sent
                it.alerting.failed("action_failed")
            await it.settle()
            assert it.metrics.alerts["action_failed\x1fnot_sent"] == 10_000
            assert len(it.receiver.got) <= 100

    asyncio.run(run())


def test_what_did_not_arrive_arrives_later_in_order_and_says_when_it_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_webhook, "PAUSES", (0.0,))
    monkeypatch.setattr(alerts, "_AGAIN", (0.01,) * 1000)

    async def run() -> None:
        async with scene(Alerts(threshold=1), 500) as it:
            task = asyncio.create_task(it.alerting.run())
            it.alerting.failed("llm_unavailable", "model: timeout")
            it.alerting.worked("llm_unavailable")
            async with asyncio.timeout(20):
                while len(it.receiver.got) < 4:
                    await asyncio.sleep(0.005)
                assert not it.alerting.arriving
                it.receiver.answers, it.receiver.got = [200], []
                while len(it.receiver.got) < 2:
                    await asyncio.sleep(0.005)
            first, second = (alert["text"] for alert in it.receiver.got)
            assert first.startswith("supportbot: The model does not answer (once at 20")
            assert second == "supportbot: The model does not answer - recovered."
            while not it.alerting.arriving or it.metrics.alerts["llm_unavailable\x1fsent"] < 2:
                await asyncio.sleep(0.005)
            assert dict(it.metrics.alerts) == {"llm_unavailable\x1fnot_sent": 1, "llm_unavailable\x1fsent": 2}
            task.cancel()
            await asyncio.wait((task,))

    asyncio.run(run())


def test_an_alert_that_waits_is_tried_once_more_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_webhook, "PAUSES", (0.0,))

    async def run() -> None:
        async with scene(Alerts(threshold=1), 500, 200) as it:
            task = asyncio.create_task(it.alerting.run())
            it.alerting.failed("action_failed")
            async with asyncio.timeout(20):
                while it.alerting.arriving:
                    await asyncio.sleep(0.005)
            task.cancel()
            await asyncio.wait((task,))
            await it.settle()
            assert it.metrics.alerts["action_failed\x1fsent"] == 1

    asyncio.run(run())


def test_each_connection_is_told_of_and_recovers_on_its_own() -> None:
    async def run() -> None:
        async with scene() as it:
            for name in ("desk", "salesiq", "desk"):
                it.alerting.failed("connection_held", f"connection {name}: no access token", name)
            it.alerting.worked("connection_held", "desk")
            it.alerting.worked("connection_held", "never failed")
            await it.settle()
            assert [alert["text"].partition(": ")[2] for alert in it.receiver.got] == [
                "A connection cannot sign in (just now). connection desk: no access token",
                "A connection cannot sign in (just now). connection salesiq: no access token",
                "A connection cannot sign in (desk) - recovered.",
            ]
            assert it.alerting.failing == ("connection_held",)

    asyncio.run(run())


def test_without_an_address_nothing_is_sent() -> None:
    async def run() -> None:
        sender, metrics = AlertWebhook({}), Metrics()
        alerting = Alerting(sender, Alerts, lambda: "r", metrics)
        alerting.failed("reload_failed")
        await alerting.flush()
        assert dict(metrics.alerts) == {"reload_failed\x1fno_address": 1}
        assert alerting.arriving

    asyncio.run(run())


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/latest", "http://[fe80::1]/", "http://0.0.0.0:1/", "ftp://example.com", "file:///etc",
     "http://2130706433/", "http://0x7f.1/", "http://[::ffff:169.254.1.1]/", "http://", "http://[", "nonsense"],
)  # fmt: skip
def test_addresses_that_are_never_called(url: str) -> None:
    assert refusal(url)


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/x", "http://127.0.0.1:9/x", "http://10.0.0.4/", "http://localhost/"]
)
def test_addresses_that_somebody_wrote(url: str) -> None:
    assert refusal(url) == ""


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.0.1", "::1", "::ffff:10.0.0.1", "x"]
)
def test_a_name_never_leads_inwards(address: str) -> None:
    assert not is_public(address)
    assert is_public("93.184.216.34")


def test_a_name_inside_is_called_only_when_the_environment_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def inside(_self: object, host: str, port: int = 0, _family: int = 0) -> list[dict[str, object]]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    monkeypatch.setattr(addresses.DefaultResolver, "resolve", inside)
    monkeypatch.setattr(alert_webhook, "PAUSES", (0.0,))

    async def run() -> None:
        async with scene() as it:
            url = it.receiver.url.replace("127.0.0.1", "chat.inside")
            for named, sent in (("", "not_sent"), ("other.inside", "not_sent"), ("a, Chat.inside", "sent")):
                sender = AlertWebhook({"SUPPORTBOT_ALLOW_PRIVATE": named})
                alert = Alert("llm_unavailable", "failing", 3, 5, "", "r", "")
                assert await sender.send(alert, Alerts(webhook=url)) == sent
                await sender.close()
            assert len(it.receiver.got) == 1

    asyncio.run(run())
