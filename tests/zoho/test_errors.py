"""Each row of Desk's and SalesIQ's error tables, and each fault of one request: what is sent, what is said."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.zoho.fake_zoho import AFTER, BEFORE, LATE, FakeZoho
from tests.zoho.world import QUICK, starter, world

from supportbot.runtime.queued import QueuedCall

OPEN = "Your ticket is open, its number is 101."
FAILED = "the ticket could not be opened"
PENDING = "I'm opening your ticket now"


def answer(status: int, code: str, **headers: str) -> str:
    return json.dumps({"status": status, "body": {"errorCode": code, "message": "no"}, "headers": headers})


class Once:
    """The first write of a ticket gets these faults, one after the other; everything else is fine."""

    def __init__(self, *faults: str, method: str = "POST", path: str = "/api/v1/tickets") -> None:
        self.faults = list(faults)
        self.method, self.path = method, path
        self.seen = 0

    def __call__(self, method: str, path: str) -> str:
        if (method, path) != (self.method, self.path):
            return ""
        self.seen += 1
        return self.faults.pop(0) if self.faults else ""


def ticket(folder: Path, plan: Once, wait: float = 2.5, slow: float = 0.8) -> tuple[FakeZoho, list[str], QueuedCall]:
    """One ticket: what Zoho has, what was said (in the reply, and first in the next turn), how the call ended."""

    async def played() -> tuple[FakeZoho, list[str], QueuedCall]:
        async with FakeZoho(plan=plan, slow=slow).running() as zoho, world(zoho, folder, wait) as the_world:
            first = await the_world.ticket()
            await the_world.settled()
            await asyncio.sleep(0.05)
            after = await the_world.say("hello")
            (call,) = await the_world.store.outbox.listed(("waiting", "done", "dead"), 10)
            if call.state == "dead":
                assert len(the_world.alerts) == 1
            return zoho, [first.reply.text, after.reply.text], call

    return asyncio.run(played())


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "BAD_REQUEST"),
        (400, "EMPTY_PAYLOAD"),
        (422, "INVALID_DATA"),
        (422, "UNPROCESSABLE_ENTITY"),
        (401, "UNAUTHORIZED"),
        (401, "SCOPE_MISMATCH"),
        (403, "OAUTH_ORG_MISMATCH"),
        (403, "FORBIDDEN"),
        (403, "LICENSE_ACCESS_LIMITED"),
        (404, "URL_NOT_FOUND"),
        (405, "METHOD_NOT_ALLOWED"),
        (413, "RESOURCE_SIZE_EXCEEDED"),
        (415, "UNSUPPORTED_MEDIA_TYPE"),
    ],
)
def test_what_was_refused_is_not_sent_again(tmp_path: Path, status: int, code: str) -> None:
    plan = Once(answer(status, code))
    zoho, said, call = ticket(tmp_path, plan)
    assert plan.seen == 1
    assert zoho.writes("ticket") == []
    assert FAILED in said[0]
    assert (call.state, call.error) == ("dead", "auth" if status in (401, 403) else "rejected")
    assert len(zoho.refreshes) == 1


def test_a_token_that_ends_during_a_call_is_renewed_once_and_the_call_sent_once_more(tmp_path: Path) -> None:
    plan = Once("401")
    zoho, said, _ = ticket(tmp_path, plan)
    assert (plan.seen, len(zoho.refreshes), len(zoho.writes("ticket"))) == (2, 2, 1)
    assert OPEN in said[0]


def test_too_many_calls_at_once_are_sent_again_in_a_moment(tmp_path: Path) -> None:
    plan = Once("429", "429")
    zoho, said, call = ticket(tmp_path, plan, wait=6)
    assert (plan.seen, len(zoho.writes("ticket"))) == (3, 1)
    assert OPEN in said[0]
    assert call.state == "done"


def test_credits_that_are_used_up_are_waited_for(tmp_path: Path) -> None:
    plan = Once(answer(429, "THRESHOLD_EXCEEDED", **{"Retry-After": "1"}))
    zoho, said, _ = ticket(tmp_path, plan, wait=0.3)
    assert PENDING in said[0]
    assert said[1].startswith(OPEN)
    assert len(zoho.writes("ticket")) == 1


def test_a_long_wait_holds_the_whole_connection_and_the_visitor_hears_only_what_is_so(tmp_path: Path) -> None:
    async def played() -> None:
        plan = Once(answer(429, "THRESHOLD_EXCEEDED", **{"Retry-After": "3600"}))
        async with FakeZoho(plan=plan).running() as zoho, world(zoho, tmp_path, wait=0.3) as the_world:
            assert PENDING in (await the_world.ticket("s1")).reply.text
            before = len(zoho.requests)
            assert PENDING in (await the_world.ticket("s2")).reply.text
            assert len(zoho.requests) == before
            first, second = await the_world.store.outbox.listed(("waiting",), 10)
            now = the_world.clock.now().timestamp()
            assert all(3500 < call.due_at - now < 3700 for call in (first, second))
            the_world.clock.skip(3700)
            await the_world.settled()
            assert (await the_world.say("hello", "s1")).reply.text.startswith("Your ticket is open")
            assert len(zoho.writes("ticket")) == 2

    asyncio.run(played())


@pytest.mark.parametrize("fault", [*BEFORE[:2], *AFTER, *LATE])
@pytest.mark.parametrize("wait", [0.05, 8.0])
def test_an_answer_that_was_lost_makes_neither_two_tickets_nor_none(tmp_path: Path, fault: str, wait: float) -> None:
    zoho, said, call = ticket(tmp_path, Once(fault), wait)
    assert len(zoho.writes("ticket")) == 1
    assert call.state == "done"
    assert OPEN in said[0] if wait > 1 else (PENDING in said[0] and said[1].startswith(OPEN))
    assert zoho.violations == []


@pytest.mark.parametrize("fault", ["500_before", "drop_before", "html_after", "slow_after", "429"])
def test_reads_are_tried_three_times(tmp_path: Path, fault: str) -> None:
    plan = Once(fault, method="GET", path="/api/v1/contacts/search")
    zoho, said, call = ticket(tmp_path, plan, wait=8)
    assert OPEN in said[0]
    assert (len(zoho.writes("contact")), len(zoho.writes("ticket")), call.state) == (1, 1, "done")


@pytest.mark.parametrize("fault", ["500_after", "drop_after", "late"])
def test_a_contact_whose_answer_was_lost_is_looked_for(tmp_path: Path, fault: str) -> None:
    zoho, said, _ = ticket(tmp_path, Once(fault, path="/api/v1/contacts"), wait=8)
    assert OPEN in said[0]
    assert (len(zoho.writes("contact")), len(zoho.writes("ticket"))) == (1, 1)


def test_twenty_seconds_of_silence_are_not_waited_for(tmp_path: Path) -> None:
    zoho, said, _ = ticket(tmp_path, Once("slow_after"), wait=0.3, slow=20.0)
    assert PENDING in said[0]
    assert said[1].startswith(OPEN)
    assert len(zoho.writes("ticket")) == 1


def test_a_write_that_nothing_can_look_for_is_never_repeated(tmp_path: Path) -> None:
    bot = starter()
    actions = {**bot.actions, "create_ticket": replace(bot.actions["create_ticket"], reconcile=None)}

    async def played() -> None:
        plan = Once("500_after")
        blind = replace(bot, actions=actions)
        async with FakeZoho(plan=plan).running() as zoho, world(zoho, tmp_path, wait=4, bot=blind) as the_world:
            result = await the_world.ticket()
            assert "did not tell me whether your ticket is open" in result.reply.text
            assert (plan.seen, len(zoho.writes("ticket"))) == (1, 1)
            (call,) = await the_world.store.outbox.listed(("dead",), 10)
            assert call.error == "timeout"


def test_a_list_that_is_cut_off_proves_nothing(tmp_path: Path) -> None:
    async def played() -> None:
        plan = Once("500_before")
        async with FakeZoho(plan=plan).running() as zoho, world(zoho, tmp_path, wait=6) as the_world:
            zoho.contacts.append({"id": "2", "lastName": "Roe", "email": "jane@example.com", "at": 0.0})
            zoho.tickets += [{"contactId": "2", "subject": f"older {number}"} for number in range(50)]
            result = await the_world.ticket()
            assert "did not tell me whether your ticket is open" in result.reply.text
            assert plan.seen == 1

    asyncio.run(played())

    asyncio.run(played())


def test_a_call_that_outlives_its_lease_is_not_started_twice(tmp_path: Path) -> None:
    async def played() -> None:
        plan = Once("slow_after", method="GET", path="/api/v1/contacts/search")
        bot = starter(timeout=5.0)
        narrow = {name: replace(item, concurrency=1) for name, item in bot.connections.items()}
        zoho, patience = FakeZoho(plan=plan, slow=1.0), replace(QUICK, lease=0.1)
        bot = replace(bot, connections=narrow)
        async with zoho.running(), world(zoho, tmp_path, wait=6, patience=patience, bot=bot) as the_world:
            results = await asyncio.gather(*(the_world.ticket(f"s{number}") for number in range(3)))
            assert all("Your ticket is open" in result.reply.text for result in results)
            await the_world.settled()
            await asyncio.sleep(0.3)
            assert (len(zoho.writes("ticket")), plan.seen) == (3, 3)

    asyncio.run(played())
