"""The bots of docs/examples: sound, and at work on services of another maker. No Python but the fake services."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.serving import serving
from tests.zoho.fake_zoho import FakeZoho
from tests.zoho.world import hurried, world

from supportbot.cli.main import run
from supportbot.cli.validate import check
from supportbot.compiler.compile import load_bot
from supportbot.model.bot import Bot
from supportbot.runtime.checks import run_checks

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def test_zendesk_takes_the_place_of_zoho_in_a_bot_of_ones_own(tmp_path: Path) -> None:
    bot = tmp_path / "bot"
    assert run(["init", str(bot)]) == 0
    shutil.copy(bot / "docs" / "examples" / "zendesk-starter.yaml", bot / "rules" / "actions.yaml")
    assert not check(bot)[0]


def example(name: str) -> Bot:
    bot = load_bot(EXAMPLES / name).bot
    assert bot is not None
    return hurried(bot)


@dataclass
class Service:
    """Zendesk, and a hook. ``faults``: of the next writes."""

    faults: list[str] = field(default_factory=list)
    tickets: list[dict[str, Any]] = field(default_factory=list)
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Service]:
        async with serving(
            web.post("/api/v2/tickets.json", self._add),
            web.get("/api/v2/tickets.json", self._list),
            web.post("/hook/", self._hook),
        ) as self.url:
            yield self

    def _signed_in(self, request: web.Request) -> bool:
        expected = base64.b64encode(b"agent@example.com/token:zendesk-canary").decode()
        return request.headers.get("Authorization") == f"Basic {expected}"

    async def _add(self, request: web.Request) -> web.StreamResponse:
        if not self._signed_in(request):
            return web.json_response({"error": "Couldn't authenticate you"}, status=401)
        ticket = (await request.json())["ticket"]
        self.tickets.append({**ticket, "id": 4711 + len(self.tickets)})
        if self.faults and self.faults.pop(0) == "500":
            return web.Response(status=500, text="<html>")
        return web.json_response({"ticket": self.tickets[-1]}, status=201)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        wanted = request.query["external_id"]
        return web.json_response({"tickets": [item for item in self.tickets if item["external_id"] == wanted]})

    async def _hook(self, request: web.Request) -> web.StreamResponse:
        self.heard.append((request.headers.get("X-Hook-Key", ""), await request.json()))
        return web.Response(status=204)


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()))
def test_an_example_is_sound(name: str) -> None:
    assert [str(finding) for finding in check(EXAMPLES / name)[0]] == []
    assert run_checks(example(name), EXAMPLES / name).ok


@pytest.mark.parametrize("faults", [[], ["500"]])
def test_another_desk_needs_yaml_only(tmp_path: Path, faults: list[str]) -> None:
    async def played() -> None:
        async with FakeZoho().running() as zoho, Service(faults).running() as service:

            def change(environment: dict[str, str]) -> None:
                environment |= {"ZENDESK_URL": service.url, "ZENDESK_USER": "agent@example.com"}
                environment["ZENDESK_TOKEN"] = "zendesk-canary"

            async with world(zoho, tmp_path, wait=8, bot=example("zendesk"), change=change) as the_world:
                await the_world.say("please open a ticket", email="jane@example.com")
                await the_world.say("The mouse is dead")
                result = await the_world.say("yes")
                assert result.reply.text == "Your ticket is open, its number is 4711."
                (ticket,) = service.tickets
                assert ticket["requester"] == {"name": "jane@example.com", "email": "jane@example.com"}
                assert ticket["external_id"].startswith("SB-")
                assert "Visitor: The mouse is dead" in ticket["comment"]["body"]

    asyncio.run(played())


SALESIQ = [
    ("please close this chat", "close", "This chat is closed now.", {}),
    ("the billing department please", "transfer", "The other department has your chat now.", {"department_id": "77"}),
]


@pytest.mark.parametrize(("text", "verb", "reply", "body"), SALESIQ)
def test_salesiq_is_called_with_its_own_id_of_the_conversation(
    tmp_path: Path, text: str, verb: str, reply: str, body: dict[str, str]
) -> None:
    async def played() -> None:
        def change(environment: dict[str, str]) -> None:
            environment["SALESIQ_DEPARTMENT_ID"] = "77"

        zoho = FakeZoho()
        async with zoho.running(), world(zoho, tmp_path, bot=example("salesiq"), change=change) as the_world:
            result = await the_world.say(text, "siq_430872000002553007")
            assert result.reply.text == reply
            assert [path for _, path, _, _ in zoho.requests] == [
                f"/api/v2/acme/conversations/430872000002553007/{verb}"
            ]
            assert body.items() <= zoho.writes(verb)[0].body.items()
            # The preview of the console is no conversation that could be called for.
            assert (await the_world.say(text, "siq_botpreview_1a2b")).reply.text == reply
            assert len(zoho.requests) == 1

    asyncio.run(played())


@pytest.mark.parametrize(
    ("status", "body", "sent", "dead"),
    [
        (200, {"error": {"code": 1006, "message": "Invalid URL"}}, 1, True),
        (200, {"error": {"code": 1004, "message": "Invalid Request Type."}}, 1, True),
        (404, {"error": {"code": 1006, "message": "Invalid URL"}}, 1, True),
        (200, {"error": {"code": 1002, "message": "Invalid authorization header."}}, 2, False),
        (200, {"error": {"code": 1001, "message": "unknown"}}, 2, False),
        (400, {"code": "request_limit_exceeded"}, 2, False),
    ],
)
def test_errors_that_come_with_status_200_are_errors(
    tmp_path: Path, status: int, body: dict[str, object], sent: int, dead: bool
) -> None:
    async def played() -> None:
        faults = [json.dumps({"status": status, "body": body})]
        zoho = FakeZoho(plan=lambda _method, _path: faults.pop() if faults else "")
        async with zoho.running(), world(zoho, tmp_path, wait=6, bot=example("salesiq")) as the_world:
            result = await the_world.say("please close this chat", "siq_1")
            assert result.reply.text == ("I'm sorry, that did not work." if dead else "This chat is closed now.")
            assert len(zoho.requests) == sent

    asyncio.run(played())


def test_a_hook_of_any_program(tmp_path: Path) -> None:
    async def played() -> None:
        async with FakeZoho().running() as zoho, Service().running() as service:

            def change(environment: dict[str, str]) -> None:
                environment |= {"HOOK_URL": f"{service.url}/hook", "HOOK_KEY": "hook-canary"}

            async with world(zoho, tmp_path, bot=example("salesiq"), change=change) as the_world:
                result = await the_world.say("help, everything is down, mail me at jane@example.com")
                assert result.reply.text == "The people on call know."
                ((key, body),) = service.heard
                assert key == "hook-canary"
                assert (body["id"][:3], "jane@example.com" in body["text"]) == ("SB-", False)

    asyncio.run(played())
