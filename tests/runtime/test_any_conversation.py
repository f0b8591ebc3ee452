"""Whatever is said, in whatever order: a turn never raises, is stored as it is, and is the same every time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.desk_bot import FILES, desk_bot
from tests.runtime.fakes import FakeClock, FakeModel, conversations, message

from supportbot.adapters.memory_store import MemoryStore
from supportbot.model.bot import Bot
from supportbot.model.session import Session
from supportbot.runtime.ports import ModelAnswer
from supportbot.runtime.results import TurnResult

FORMS = """
words: {yes: [yes], no: [no], cancel: [cancel]}
forms:
  - id: details
    slots:
      - {name: summary, type: text, ask: ask_summary, prefill: [message]}
      - {name: count, type: number, ask: ask_summary, prefill: [message]}
      - {name: mail, type: email, ask: ask_summary, optional: true}
      - {name: call, type: phone, ask: ask_summary, prefill: [visitor.phone]}
      - {name: day, type: date, ask: ask_summary}
      - {name: hour, type: time, ask: ask_summary}
    confirm: thanks
    done: [{action: create_ticket}]
    cancelled: [{reply: thanks}]
    gave_up: [{trigger: offer_person}, {reply: offer_person}]
"""


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    folder: Path = tmp_path_factory.mktemp("bot")
    assert "rules/forms.yaml" in FILES
    return desk_bot(folder, {"rules/forms.yaml": FORMS})


_phrases = st.sampled_from(
    ["my printer is offline", "my details", "open a ticket", "goodbye", "yes", "no", "cancel", "nan", "inf", "1e999",
     "9" * 400, "-0.0", "\u0661\u0662", "a@b.co", "+44 20 7946 0958", "tomorrow at 3", "31 february", "25:99", "what",
     "0000-00-00", "in 99999999999 weeks", "9999-12-31", "in 500000 days", "{{ slots.summary }}", "\ud800", "\x00", ""]
)  # fmt: skip
_said = st.lists(st.one_of(_phrases, st.text(max_size=30)), min_size=1, max_size=6)
_answers = st.sampled_from(
    [ModelAnswer("Sure.", "m"), ModelAnswer(error="timeout"), ModelAnswer("REQUEST: offer_person")]
)


def talk(bot: Bot, texts: list[str], answer: ModelAnswer, phone: str) -> list[TurnResult]:
    async def run() -> list[TurnResult]:
        clock = FakeClock()
        going = conversations(bot, MemoryStore(), FakeModel(answer), clock=clock)
        results = []
        for text in texts:
            results.append(await going.take(message(text, phone=phone)))
            clock.wait(minutes=len(text))
        return results

    return asyncio.run(run())


@given(texts=_said, answer=_answers, phone=st.text(max_size=10))
def test_any_conversation(bot: Bot, texts: list[str], answer: ModelAnswer, phone: str) -> None:
    results = talk(bot, texts, answer, phone)
    for result in results:
        assert result.reply.text, "nobody is left without an answer"
        kept = msgspec.json.decode(msgspec.json.encode(result.session), type=Session)
        assert kept == result.session
    again = talk(bot, texts, answer, phone)
    assert [(r.session, r.reply, r.decision) for r in again] == [(r.session, r.reply, r.decision) for r in results]
