"""What the store counts by SQL is what plain Python counts. Whole servers are compared in tests/harness."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.runtime.desk_bot import desk_bot
from tests.runtime.fakes import FakeClock, FakeModel, conversations

from supportbot.adapters.memory_store import MemoryStore
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.cli.stats import STYLES
from supportbot.model.bot import Bot
from supportbot.model.operations import Operations
from supportbot.model.session import Message
from supportbot.runtime.housekeeping import sweep
from supportbot.runtime.ports import ModelAnswer, Record, Store
from supportbot.runtime.statistics import figures_of, report_of

SAID = (
    "my printer is offline", "still not working", "please open a ticket", "what is the meaning of life",
    "goodbye", "my details", "jane", "what does blinking mean", "",
)  # fmt: skip


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    made = desk_bot(tmp_path_factory.mktemp("bot"))
    operations = replace(Operations(), person=frozenset({"escalation_offered"}), resolved=frozenset({"closed"}))
    return replace(made, settings=replace(made.settings, operations=operations))


class MoodyModel(FakeModel):
    """Answers twice, then fails."""

    def __init__(self) -> None:
        super().__init__(ModelAnswer("x"))
        self.turn = 0

    async def answer(self, messages: object) -> ModelAnswer:
        self.turn += 1
        if self.turn % 3 == 0:
            return ModelAnswer(model="openai/test", error="timeout")
        return ModelAnswer("An answer.", "openai/test", 300 + self.turn % 7, 20, cost=0.25)


async def talk(bot: Bot, store: Store, turns: int, seed: int = 5) -> FakeClock:
    """Mixed turns of many sessions over some days, with silences, sweeps and resets between them."""
    chance, clock = random.Random(seed), FakeClock()
    talks = conversations(bot, store, MoodyModel(), clock=clock)
    for number in range(0, turns, 50):
        batch = []
        for item in range(number, number + 50):
            text, channel = chance.choice(SAID), chance.choice(("chat", "salesiq"))
            message = Message(f"m{item}", f"s{chance.randrange(150)}", text, channel, clock.now())
            batch.append(talks.answer(message, f"r{item}", lambda _: b"{}", greets=not text))
        await asyncio.gather(*batch)
        clock.wait(minutes=chance.choice((0, 1, 5, 12)))
        if number % 1000 == 0:
            clock.wait(hours=5)
            await sweep(talks)
    clock.wait(hours=1)
    await sweep(talks)
    return clock


@pytest.mark.parametrize("make", [MemoryStore, None])
def test_the_store_counts_as_plain_python_does(bot: Bot, tmp_path: Path, make: type[MemoryStore] | None) -> None:
    async def run() -> None:
        store = MemoryStore() if make else SQLiteStore(tmp_path / "s.db", keep=50)
        clock = await talk(bot, store, 1_000)
        records = await all_records(store)
        assert len(records) > 1_000
        for since in (None, clock.now().replace(hour=0)):
            kept = [record for record in records if since is None or record.at >= since]
            assert rounded(report_of(await store.figures(since))) == rounded(report_of(figures_of(kept)))
        await store.close()

    asyncio.run(run())


def rounded(report: object) -> str:
    """Sums of floats depend on their order in the last digits."""
    return json.dumps(json.loads(json.dumps(STYLES["json"](report))))  # type: ignore[arg-type]


async def all_records(store: Store) -> list[Record]:
    return [record for number in range(150) for record in await store.records(f"s{number}")]
