"""Forms as visitors meet them: questions in between, corrections, and a way out of everything."""

from __future__ import annotations

import itertools
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.runtime.fakes import FakeModel
from tests.salesiq.world import World, message, run

from supportbot.runtime.ports import ModelAnswer

NUMBERS = itertools.count()
CONVERSATION = "siq_430872000002553007"


async def says(world: World, *texts: str, **visitor: object) -> list[str]:
    """What the last of the texts is answered with."""
    replies: list[str] = []
    for text in texts:
        answer = await world.post(message(text, request=f"r{next(NUMBERS)}", **visitor))
        replies = answer["replies"]
    return replies


def test_a_question_is_answered_by_the_model_and_the_form_goes_on() -> None:
    model = FakeModel(ModelAnswer("So that we can call you."))

    async def test(world: World) -> None:
        asked = await says(world, "call me", "why do you need my number?", name="Jo")
        assert asked == ["So that we can call you.", "Which number?"]
        assert (await says(world, "07911 123456"))[0] == "When suits you?"
        session = await world.talks.store.load(CONVERSATION)
        assert session is not None
        assert session.state == "working"

    run(test, model=model)


def test_what_the_model_wants_instead_ends_the_form() -> None:
    async def test(world: World) -> None:
        assert await says(world, "call me", "what else can you do?", name="Jo") == ["One moment.", "Which number?"]

    run(test, model=FakeModel(ModelAnswer("One moment.\nREQUEST: nonsense")))


def test_questions_that_nobody_answers_end_with_a_person() -> None:
    async def test(world: World) -> None:
        await says(world, "call me", name="Jo")
        for number, expected in enumerate(
            ("That is no phone number.", "That is no phone number.", "Shall I get somebody?")
        ):
            assert await says(world, f"why do you need that, number {number}?") == [expected]

    run(test)


@pytest.mark.parametrize(
    ("texts", "reply"),
    [
        (["call me on 07911 123456", "tomorrow at 3, and use 020 7946 0999 instead"], "Jo, +442079460999, Tuesday 24 November at 15:00. Right?"),
        (["call me tomorrow at 3", "it's 07911 123456"], "Jo, +447911123456, Tuesday 24 November at 15:00. Right?"),
        (["call me on 07911 123456 tomorrow at 3", "wrong number"], "Which number?"),
        (["call me on 07911 123456 tomorrow at 3", "no", "the time"], "When suits you?"),
        (["call me on 07911 123456 tomorrow at 3", "no"], "What should be different?"),
        (["call me on 07911 123456 tomorrow at 3", "yes, the number is right"], "We call you on Tuesday 24 November at 15:00."),
        (["call me on 07911 123456 tomorrow at 3", "no, sunday at 3"], "Nobody is in on Sunday 29 November at 15:00. Possible: Monday 30 November between 09:00 and 17:00."),
        (["call me on 07911 123456 sunday at 3"], "Nobody is in on Sunday 29 November at 15:00. Possible: Monday 30 November between 09:00 and 17:00."),
        (["call me on 07911 123456 tomorrow at 3", "the name is Jane Roe"], "Jane Roe, +447911123456, Tuesday 24 November at 15:00. Right?"),
        (["call me on 07911 123456", "asap"], "Jo, +447911123456, Monday 23 November at 10:15. Right?"),
        (["call me on 07911 123456", "friday at 12:30"], "Nobody is in on Friday 27 November at 12:30. Possible: Friday 27 November between 09:00 and 12:00, or 13:00 and 17:00."),
        (["call me", "never mind, forget it"], "All right, dropped."),
        (["call me on 07911 123456 tomorrow at 3", "no", "my name is wrong"], "Your name?"),
        (["call me on 07911 123456 tomorrow at 3", "what time is it now"], "Jo, +447911123456, Tuesday 24 November at 15:00. Right?"),
        (["call me on 07911 123456", "later"], "Jo, +447911123456, Monday 23 November at 12:15. Right?"),
    ],
)  # fmt: skip
def test_talks(texts: list[str], reply: str) -> None:
    async def test(world: World) -> None:
        assert await says(world, *texts, name="Jo") == [reply]

    run(test)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("call me on 07911 123456 tomorrow at 3, I'm Jane", "Jane"),
        ("My name is Jane Roe, call me tomorrow at 3 on 07911 123456", "Jane Roe"),
        ("I am O'Brien. call me tomorrow at 3 on 07911 123456", "O'Brien"),
    ],
)
def test_who_says_a_name_is_not_asked_for_it(text: str, name: str) -> None:
    async def test(world: World) -> None:
        assert await says(world, text) == [f"{name}, +447911123456, Tuesday 24 November at 15:00. Right?"]

    run(test)


@pytest.mark.parametrize(
    "text", ["call me, I am Locked out", "call me, I'm IT", "call me, it's URGENT", "call me, i'm jane"]
)
def test_what_is_no_introduction(text: str) -> None:
    async def test(world: World) -> None:
        assert await says(world, text) == ["Your name?"]

    run(test)


def test_a_refusal_is_no_name() -> None:
    async def test(world: World) -> None:
        assert await says(world, "call me", "no") == ["Your name?"]
        assert await says(world, "yes") == ["Your name?"]

    run(test)


def test_the_hours_are_told_in_the_time_of_the_visitor() -> None:
    async def test(world: World) -> None:
        answer = await world.post(message("talk to a person", time_zone="Asia/Kolkata"))
        assert answer["replies"] == ["Nobody is in before tomorrow at 14:30 Kolkata time. Please leave a message."]

    run(test, at=datetime(2026, 11, 23, 17, 30, tzinfo=UTC))


def test_a_name_is_never_a_question() -> None:
    async def test(world: World) -> None:
        assert (await says(world, "call me", "why do you want to know my name"))[-1] == "Your name?"
        assert await says(world, "Jo Lane") == ["Which number?"]

    run(test)


LAZY = """
import sys
from pathlib import Path
from datetime import datetime, UTC
from supportbot.compiler.compile import load_bot
from supportbot.decision.conclude import start_session
from supportbot.decision.decide import decide
from supportbot.model.session import Message, Turn
bot = load_bot(Path(sys.argv[1])).bot
now = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
session = start_session(bot, "s", now)
loaded = []
for text in ("printer offline, my number is 020 7946 0123, tomorrow at 3", "open a ticket", "the scale broke"):
    session = decide(bot, Turn(session, Message("1", "s", text, "chat", now), now)).session
    loaded.append(sorted({"phonenumbers", "email_validator", "dateparser"} & set(sys.modules)))
session = decide(bot, Turn(session, Message("1", "s", "jane@example.com", "chat", now), now)).session
loaded.append(sorted({"phonenumbers", "email_validator", "dateparser"} & set(sys.modules)))
print(loaded)
"""


def test_libraries_are_loaded_by_the_first_answer_that_needs_them() -> None:
    folder = Path(__file__).parent / "bot"
    done = subprocess.run([sys.executable, "-c", LAZY, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[[], [], [], ['email_validator']]"
