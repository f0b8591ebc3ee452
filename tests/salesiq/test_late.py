"""Answers that take longer than SalesIQ waits: none is lost, none comes twice, and there is always a valid body."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector, web
from tests.runtime.fakes import FakeModel
from tests.salesiq.test_payloads import assert_valid
from tests.salesiq.world import World, changed, message, run
from tests.serving import serving

from supportbot.adapters.memory_store import MemoryStore
from supportbot.adapters.salesiq_push import SalesIQPush, bearer, portal
from supportbot.errors import StoreError
from supportbot.model.session import Session
from supportbot.runtime.ports import ModelAnswer

LATE = {
    "action": "reply",
    "replies": ["That takes a while."],
    "suggestions": ["Show me the answer", "Talk to a person"],
}
PENDING = {"action": "pending", "replies": ["One moment please, I am looking into it."]}
ANSWER = {"action": "reply", "replies": ["Blue is a color."]}
QUESTION = "what is the meaning of blue"


class GatedModel(FakeModel):
    """Answers when its gate is opened."""

    def __init__(self) -> None:
        super().__init__(ModelAnswer("Blue is a color."))
        self.gate = asyncio.Event()

    async def answer(self, messages: Any) -> ModelAnswer:
        await self.gate.wait()
        return await super().answer(messages)


class FakePush:
    """Takes answers, or refuses them."""

    def __init__(self, takes: bool = True) -> None:
        self.takes = takes
        self.sent: list[tuple[str, dict[str, object]]] = []

    async def respond(self, request_id: str, body: dict[str, object]) -> bool:
        self.sent.append((request_id, body))
        return self.takes

    async def close(self) -> None:
        return None


SHORT = changed(reply_deadline=0.4, pending_after=0.1)


async def settled(world: World) -> None:
    """Until no turn is in work any more."""
    while len(world.talks._locks):
        await asyncio.sleep(0.01)


def test_a_late_answer_begins_the_next_reply() -> None:
    model = GatedModel()

    async def test(world: World) -> None:
        assert await world.post(message(QUESTION)) == LATE
        model.gate.set()
        await settled(world)
        answer = await world.post(message("printer offline"))
        assert answer["replies"] == ["Blue is a color.", "Is it switched on?"]
        assert (await world.post(message("Still offline")))["replies"] == ["Restart it."]

    run(test, SHORT, model)


@pytest.mark.parametrize("word", ["Show me the answer", "1", "show me the answer!"])
def test_the_late_answer_can_be_asked_for(word: str) -> None:
    model = GatedModel()

    async def test(world: World) -> None:
        await world.post(message(QUESTION))
        model.gate.set()
        await settled(world)
        assert await world.post(message(word)) == ANSWER
        assert len(model.asked) == 1

    run(test, SHORT, model)


def test_who_asks_before_it_is_there_waits_and_gets_it() -> None:
    model = GatedModel()

    async def test(world: World) -> None:
        await world.post(message(QUESTION))
        second = asyncio.create_task(world.post(message("printer offline")))
        await asyncio.sleep(0.05)
        model.gate.set()
        assert (await second)["replies"] == ["Blue is a color.", "Is it switched on?"]

    run(test, SHORT, model)


def test_a_person_can_be_asked_for_instead() -> None:
    model = GatedModel()

    async def test(world: World) -> None:
        await world.post(message(QUESTION))
        model.gate.set()
        await settled(world)
        answer = await world.post(message("2"))
        assert (answer["action"], answer["replies"][0]) == ("forward", "Blue is a color.")

    run(test, SHORT, model)


def test_a_slow_turn_is_pending_and_delivered_once() -> None:
    model, push = GatedModel(), FakePush()

    async def test(world: World) -> None:
        assert await world.post(message(QUESTION, request="call-1")) == PENDING
        assert push.sent == []
        model.gate.set()
        await settled(world)
        assert push.sent == [("call-1", ANSWER)]
        assert (await world.post(message("printer offline")))["replies"] == ["Is it switched on?"]
        assert len(push.sent) == 1

    run(test, SHORT, model, push=push)


def test_what_could_not_be_delivered_is_owed() -> None:
    model, push = GatedModel(), FakePush(takes=False)

    async def test(world: World) -> None:
        assert await world.post(message(QUESTION)) == PENDING
        model.gate.set()
        await settled(world)
        assert len(push.sent) == 1
        answer = await world.post(message("printer offline"))
        assert answer["replies"] == ["Blue is a color.", "Is it switched on?"]

    run(test, SHORT, model, push=push)


@pytest.mark.parametrize(
    "more",
    [{"conversation": "botpreview_9"}, {"channel": "Instagram"}, {"request": "x" * 300}],
    ids=["preview", "instagram", "no usable id"],
)
def test_where_nothing_can_be_delivered_nobody_is_told_to_wait(more: dict[str, Any]) -> None:
    model, push = GatedModel(), FakePush()

    async def test(world: World) -> None:
        answer = await world.post(message(QUESTION, **more))
        assert answer["replies"] == LATE["replies"]
        model.gate.set()
        await settled(world)
        assert push.sent == []

    run(test, SHORT, model, push=push)


def test_a_turn_that_fails_after_pending_says_so() -> None:
    push = FakePush()

    class Breaking(MemoryStore):
        async def load(self, session_id: str) -> Session | None:
            await asyncio.sleep(0.2)
            raise StoreError("disk gone")

    async def test(world: World) -> None:
        assert await world.post(message(QUESTION)) == PENDING
        await settled(world)
        ((_, body),) = push.sent
        assert body["action"] == "reply"
        assert "went wrong" in str(body["replies"])

    run(test, SHORT, store=Breaking(), push=push)


class SlowCommit(MemoryStore):
    """The first commit takes longer than anybody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = True

    async def commit(self, *arguments: Any, **more: Any) -> None:
        if self.slow:
            self.slow = False
            await asyncio.sleep(0.8)
        await super().commit(*arguments, **more)


def test_a_commit_that_takes_too_long_loses_nothing() -> None:
    async def test(world: World) -> None:
        assert await world.post(message("printer offline")) == LATE
        await settled(world)
        assert (await world.post(message("Show me the answer")))["replies"] == ["Is it switched on?"]

    run(test, SHORT, store=SlowCommit())


class Stuck(MemoryStore):
    async def load(self, session_id: str) -> Session | None:
        await asyncio.sleep(60)
        return None


def test_a_store_that_hangs_is_not_waited_for() -> None:
    async def test(world: World) -> None:
        assert await world.post(message("printer offline")) == LATE

    async def inside(world: World) -> None:
        await test(world)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            if "_work" in repr(task):
                task.cancel()

    run(inside, SHORT, store=Stuck())


class SlowModel(FakeModel):
    """Six seconds for every answer."""

    def __init__(self) -> None:
        super().__init__(ModelAnswer("Blue is a color."))
        self.done = 0

    async def answer(self, messages: Any) -> ModelAnswer:
        await asyncio.sleep(6)
        self.done += 1
        return await super().answer(messages)


CONVERSATIONS = 200


@pytest.mark.parametrize("pushes", [False, True], ids=["owed", "pushed"])
def test_many_conversations_with_a_slow_model(pushes: bool) -> None:
    """Every call gets a valid 200 in time, and every answer reaches its visitor exactly once."""
    model, push = SlowModel(), FakePush()
    heard: dict[str, int] = {}

    async def one(world: World, number: int) -> None:
        answer = await world.post(message(f"{QUESTION} {number}", f"c{number}", f"q{number}"))
        assert_valid(answer)
        assert answer["action"] == ("pending" if pushes else "reply")

    async def after(world: World, number: int) -> None:
        answer = await world.post(message("printer offline", f"c{number}", f"p{number}"))
        assert_valid(answer)
        assert answer["replies"][-1] == "Is it switched on?"
        heard[f"q{number}"] = answer["replies"].count("Blue is a color.")

    async def test(world: World) -> None:
        async with ClientSession(connector=TCPConnector(limit=0)) as world.client:
            await asyncio.gather(*(one(world, number) for number in range(CONVERSATIONS)))
            assert model.done == 0  # all were answered before the first answer was there
            await settled(world)
            await asyncio.gather(*(after(world, number) for number in range(CONVERSATIONS)))

    run(test, None, model, push=push if pushes else None)
    for request_id, _ in push.sent:
        heard[request_id] += 1
    assert set(heard.values()) == {1}
    assert len(heard) == len(model.asked) == CONVERSATIONS


class Flaky(MemoryStore):
    """Fails, hangs for longer than anybody waits, or works; always the same way for a seed."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = random.Random(seed)

    async def _trouble(self) -> None:
        what = self.chance.random()
        if what < 0.2:
            raise StoreError("disk gone")
        if what < 0.3:
            await asyncio.sleep(0.7)

    async def load(self, session_id: str) -> Session | None:
        await self._trouble()
        return await super().load(session_id)

    async def commit(self, *arguments: Any, **more: Any) -> None:
        await self._trouble()
        await super().commit(*arguments, **more)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("pushes", [None, True, False])
def test_whatever_fails_there_is_a_valid_answer(seed: int, pushes: bool | None) -> None:
    texts = ("printer offline", "call me", QUESTION, "talk to a person", "goodbye")
    answers: list[dict[str, Any]] = []

    async def one(world: World, number: int) -> None:
        for text in texts:
            answers.append(await world.post(message(text, f"c{number}", f"{text[:4].strip()}-{number}")))
            assert_valid(answers[-1])

    async def test(world: World) -> None:
        await asyncio.gather(*(one(world, number) for number in range(20)))
        await settled(world)

    model = FakeModel(ModelAnswer("Blue."), RuntimeError("no model"), 0.7, ModelAnswer(error="timeout"))
    push = None if pushes is None else FakePush(pushes)
    run(test, SHORT, model, Flaky(seed), push)
    assert len(answers) == 100
    assert len({answer["action"] for answer in answers}) > 1


# --- the adapter --------------------------------------------------------------------------------


@asynccontextmanager
async def callbacks(answer: web.Response | str) -> AsyncIterator[tuple[str, list[tuple[str, str, Any]]]]:
    """A SalesIQ that takes callbacks: its base URL, and what it got."""
    got: list[tuple[str, str, Any]] = []

    async def view(request: web.Request) -> web.Response:
        got.append((request.path, request.headers.get("Authorization", ""), json.loads(await request.read())))
        if answer == "drop":
            assert request.transport is not None
            request.transport.abort()
        return answer if isinstance(answer, web.Response) else web.Response(text=answer)

    async with serving(web.post("/{path:.*}", view)) as url:
        yield url, got


CASES: list[tuple[Any, bool]] = [
    ({"status": 204}, True),
    ({"text": '{"url": "x", "object": "callbacks", "data": {}}'}, True),
    ({"text": ""}, True),
    ({"text": '{"error": {"code": 1002, "message": "Invalid authorization header."}}'}, False),
    ({"text": "<html>maintenance</html>"}, False),
    ({"text": "[]"}, True),
    ({"status": 401, "text": "{}"}, False),
    ({"status": 500}, False),
    ({"status": 302, "headers": {"Location": "http://example.com/"}}, False),
    ("drop", False),
]


@pytest.mark.parametrize(("case", "taken"), CASES, ids=[str(case)[:40] for case, _ in CASES])
def test_the_callbacks_api(case: Any, taken: bool) -> None:
    async def test() -> None:
        async with callbacks("drop" if case == "drop" else web.Response(**case)) as (base, got):
            push = SalesIQPush(portal(base, "acme corp"), bearer("t0ken"))
            try:
                assert await push.respond("7c02/1", {"action": "reply", "replies": ["x"]}) is taken
            finally:
                await push.close()
            sent = ("/api/v2/acme corp/callbacks/7c02/1/response", "Zoho-oauthtoken t0ken")
            assert [(path, header) for path, header, _ in got] == [sent]
            assert got[0][2] == {"action": "reply", "replies": ["x"]}

    asyncio.run(test())


def test_nobody_there_and_nobody_signed_in() -> None:
    async def nobody() -> None:
        return None

    async def test() -> None:
        for push in (
            SalesIQPush(portal("http://127.0.0.1:9", "acme"), bearer("t")),
            SalesIQPush(portal("http://127.0.0.1:9", "acme"), nobody),
        ):
            assert await push.respond("1", {}) is False
            await push.close()

    asyncio.run(test())


def test_a_server_is_a_host_or_a_url() -> None:
    assert portal("salesiq.zoho.eu", "acme") == "https://salesiq.zoho.eu/api/v2/acme"
    assert portal("http://127.0.0.1:1/", "a/b") == "http://127.0.0.1:1/api/v2/a%2Fb"
