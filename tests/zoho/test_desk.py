"""Tickets and calls on the fake Desk: bodies, contacts, times, truth."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.zoho.fake_zoho import DEPARTMENT, ORG_ID, FakeZoho
from tests.zoho.world import QUICK, World, starter, world

from supportbot.adapters.http_actions import HttpActions
from supportbot.runtime.calls import CallResult, sendable
from supportbot.runtime.outbox import OutboxWorker


def test_a_ticket_is_said_to_be_open_when_it_is(tmp_path: Path) -> None:
    async def played() -> None:
        async with FakeZoho().running() as zoho, world(zoho, tmp_path) as the_world:
            result = await the_world.ticket()
            assert "its number is 101." in result.reply.text
            assert result.session.slots["ticket_number"] == "101"
            (contact,), (ticket,) = zoho.writes("contact"), zoho.writes("ticket")
            assert contact.body == {"lastName": "Jane Roe", "email": "jane@example.com"}
            reference = ticket.body["subject"].rpartition("[")[2].rstrip("]")
            assert ticket.body | {"description": ""} == {
                "departmentId": DEPARTMENT,
                "contactId": zoho.contacts[0]["id"],
                "subject": f"The printer <b>smokes</b> [{reference}]",
                "description": "",
                "email": "jane@example.com",
                "priority": "Medium",
                "status": "Open",
            }
            # The transcript is there, without the card, and the desk does not take it for HTML.
            assert "Visitor: please open a ticket<br>" in ticket.body["description"]
            assert "4111" not in ticket.body["description"]
            assert "&lt;b&gt;" in ticket.body["description"]
            assert {headers.get("orgId") for _, path, headers, _ in zoho.requests if "/api/v1" in path} == {ORG_ID}
            assert zoho.violations == []

    asyncio.run(played())


def test_a_call_is_asked_for_in_utc(tmp_path: Path) -> None:
    async def played() -> None:
        async with FakeZoho().running() as zoho, world(zoho, tmp_path) as the_world:
            the_world.clock.skip(86_400 * 182)  # a Monday in May: London is an hour ahead of UTC
            result = await the_world.callback()
            assert "Your call is noted" in result.reply.text
            (call,) = zoho.writes("call")
            assert call.body["startTime"].endswith("T15:00:00.000Z")
            assert zoho.violations == []

    asyncio.run(played())


def test_a_visitor_is_never_attached_to_a_stranger(tmp_path: Path) -> None:
    async def played() -> None:
        async with FakeZoho().running() as zoho, world(zoho, tmp_path) as the_world:
            stranger = {"id": "1", "lastName": "Roe", "email": "mary.jane@example.com", "at": 0.0}
            own = {"id": "2", "lastName": "Roe", "email": "JANE@example.com", "at": 0.0}
            zoho.contacts += [stranger]
            find = the_world.bot.actions["find_contact"]
            found = await the_world.actions.call(the_world.bot, find, {"slots": {"email": "*jane@example.com"}})
            assert (found.found, found.values) == ("no", {"contact_id": ""})
            zoho.contacts += [own]
            await the_world.ticket("s2", "jane@example.com")
            assert zoho.writes("ticket")[0].body["contactId"] == "2"
            # Another address in the same conversation: the contact of before is forgotten.
            await the_world.ticket("s2", "john@example.com")
            assert zoho.contacts[-1]["email"] == "john@example.com"
            assert zoho.writes("ticket")[1].body["contactId"] == zoho.contacts[-1]["id"]

    asyncio.run(played())


def test_one_contact_for_two_conversations_while_the_search_does_not_know_it_yet(tmp_path: Path) -> None:
    async def played() -> None:
        async with FakeZoho(lag=300).running() as zoho, world(zoho, tmp_path, wait=8) as the_world:
            results = await asyncio.gather(*(the_world.ticket(f"s{number}") for number in range(6)))
            assert all("Your ticket is open" in result.reply.text for result in results)
            assert (len(zoho.writes("contact")), len(zoho.writes("ticket"))) == (1, 6)

    asyncio.run(played())


def test_without_settings_it_says_so_and_writes_nothing_down(tmp_path: Path) -> None:
    def without(environment: dict[str, str]) -> None:
        del environment["ZOHO_REFRESH_TOKEN"]

    async def played() -> None:
        async with FakeZoho().running() as zoho, world(zoho, tmp_path, change=without) as the_world:
            assert "no desk is connected to this chat" in (await the_world.ticket()).reply.text
            assert zoho.requests == []
            assert await the_world.store.outbox.listed(("waiting", "done", "dead"), 10) == ()

    asyncio.run(played())


def test_a_private_address_is_refused_unless_it_is_named(tmp_path: Path) -> None:
    def without(environment: dict[str, str]) -> None:
        del environment["SUPPORTBOT_ALLOW_PRIVATE"]

    async def played() -> None:
        async with FakeZoho().running() as zoho, world(zoho, tmp_path, change=without) as the_world:
            assert "could not be opened" in (await the_world.ticket()).reply.text
            assert zoho.requests == []
            assert "private address" in the_world.alerts[0]

    asyncio.run(played())


def test_what_ended_later_is_said_first_in_the_next_turn_and_once(tmp_path: Path) -> None:
    async def played() -> None:
        async with FakeZoho().running() as zoho, world(zoho, tmp_path, wait=0.0) as the_world:
            first = await the_world.ticket()
            assert "I'm opening your ticket now" in first.reply.text
            assert "open, its number" not in first.reply.text
            await the_world.settled()
            second, third = await the_world.say("hello"), await the_world.say("hello")
            assert second.reply.text.startswith("Your ticket is open, its number is 101.")
            assert "101" not in third.reply.text
            assert second.session.slots["ticket_number"] == "101"

    asyncio.run(played())


def test_the_end_of_a_call_reaches_a_conversation_that_began_anew(tmp_path: Path) -> None:
    async def played() -> None:
        async with FakeZoho().running() as zoho, world(zoho, tmp_path, wait=0.0) as the_world:
            await the_world.ticket()
            await the_world.settled()
            the_world.clock.skip(3 * 3600)
            assert "its number is 101." in (await the_world.say("hello")).reply.text

    asyncio.run(played())


def test_a_dead_call_can_be_tried_again_and_is_then_told(tmp_path: Path) -> None:
    async def played(the_world: World, zoho: FakeZoho) -> None:
        zoho.plan = lambda method, path: (
            '{"status": 403, "body": {"errorCode": "FORBIDDEN"}}' if method == "POST" else ""
        )
        assert "could not be opened" in (await the_world.ticket()).reply.text
        (dead,) = await the_world.store.outbox.listed(("dead",), 10)
        zoho.plan = lambda _method, _path: ""
        assert await the_world.store.outbox.revive(dead.id, the_world.clock.now().timestamp())
        assert not await the_world.store.outbox.revive("SB-NONE", 0.0)
        await the_world.settled()
        assert (await the_world.say("hello")).reply.text.startswith("Your ticket is open, its number is 101.")

    async def outer() -> None:
        async with FakeZoho().running() as zoho, world(zoho, tmp_path) as the_world:
            await played(the_world, zoho)

    asyncio.run(outer())


def test_an_erased_conversation_takes_its_calls_along(tmp_path: Path) -> None:
    async def played() -> None:
        async with FakeZoho().running() as zoho, world(zoho, tmp_path, wait=0.0, works=False) as the_world:
            await the_world.ticket()
            assert len(await the_world.store.outbox.listed(("waiting",), 10)) == 1
            await the_world.conversations.erase("s1")
            assert await the_world.store.outbox.listed(("waiting",), 10) == ()

    asyncio.run(played())


def test_a_call_whose_action_was_taken_out_of_the_bot_is_given_up_and_told(tmp_path: Path) -> None:
    async def played() -> None:
        async with FakeZoho().running() as zoho:
            async with world(zoho, tmp_path, wait=0.0, works=False) as the_world:
                await the_world.ticket()
            kept = {name: action for name, action in starter().actions.items() if name != "create_contact"}
            ticket = replace(kept["create_ticket"], before=("find_contact",))
            changed = replace(starter(), actions={**kept, "create_ticket": ticket})
            async with world(zoho, tmp_path, bot=changed) as the_world:
                await the_world.settled()
                assert "could not be opened" in (await the_world.say("hello")).reply.text
                assert "no action create_contact any more" in the_world.alerts[0]
            assert zoho.writes("ticket") == []

    asyncio.run(played())


def test_a_bug_in_a_call_counts_as_a_try(tmp_path: Path) -> None:
    class Broken(HttpActions):
        async def call(self, *_arguments: Any) -> CallResult:
            raise RuntimeError("jane@example.com")

    async def played() -> None:
        async with FakeZoho().running() as zoho, world(zoho, tmp_path, wait=0.0, works=False) as the_world:
            await the_world.ticket()
            broken, alerts = Broken(zoho.environment()), list[str]()
            patience = replace(QUICK, tries=3)
            outbox = the_world.store.outbox
            worker = OutboxWorker(lambda: the_world.bot, outbox, broken, the_world.clock, alerts.append, patience)
            worker.tell = the_world.conversations.tell
            task = asyncio.create_task(worker.run())
            await the_world.settled()
            task.cancel()
            assert "could not be opened" in (await the_world.say("hello")).reply.text
            assert alerts[0].endswith("was given up: 3 tries, the last one: RuntimeError")

    asyncio.run(played())


def test_a_dropped_call_is_never_tried_and_its_visitor_hears_that_it_failed(tmp_path: Path) -> None:
    async def played() -> None:
        async with FakeZoho().running() as zoho, world(zoho, tmp_path, wait=0.0, works=False) as the_world:
            await the_world.ticket()
            (call,) = await the_world.store.outbox.listed(("waiting",), 10)
            moment = the_world.clock.now().timestamp() - 60
            assert await the_world.store.outbox.drop(call.id, moment)
            assert not await the_world.store.outbox.drop(call.id, moment)
            await the_world.worker.once()
            assert "could not be opened" in (await the_world.say("hello")).reply.text
            assert zoho.writes("ticket") == []

    asyncio.run(played())


def test_what_waits_keeps_no_card_number() -> None:
    kept = sendable({"summary": "my card 4111 1111 1111 1111 fails", "name": "Jo", "age": 3})
    assert "4111" not in str(kept)
    assert (kept["name"], kept["age"]) == ("Jo", 3)
