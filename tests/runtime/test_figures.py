"""All figures agree with each other and with the decision records, after ten thousand turns and a restart."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.runtime.desk_bot import desk_bot
from tests.runtime.fakes import FakeClock, FakeModel, conversations
from tests.server.world import listening

from supportbot.adapters.memory_store import MemoryStore
from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.cli.stats import STYLES
from supportbot.model.bot import Bot
from supportbot.model.operations import Operations
from supportbot.model.session import Message
from supportbot.runtime.conversation import Conversations
from supportbot.runtime.housekeeping import sweep
from supportbot.runtime.ports import ModelAnswer, Record, Store
from supportbot.runtime.statistics import figures_of, report_of
from supportbot.server.app import create_app
from supportbot.server.options import ServerOptions

TURNS = 10_000
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


def test_all_figures_agree_after_a_restart(bot: Bot, tmp_path: Path) -> None:
    async def run() -> None:
        store = SQLiteStore(tmp_path / "s.db", keep=1_000)
        clock = await talk(bot, store, TURNS)
        await store.close()
        store = SQLiteStore(tmp_path / "s.db")
        records = await all_records(store)
        talks = conversations(bot, store, clock=clock)
        shown = await views(talks)
        report = report_of(await store.figures())
        await store.close()
        compare(records, shown, json.loads(STYLES["json"](report)))

    asyncio.run(run())


async def views(talks: Conversations) -> Mapping[str, object]:
    options = ServerOptions()
    async with listening(create_app(talks, options), options) as (port, client):
        shown: dict[str, object] = {}
        for path in ("/stats", "/metrics/report"):
            async with client.get(f"http://127.0.0.1:{port}{path}") as answer:
                assert answer.status == 200
                shown[path] = await answer.json()
        async with client.get(f"http://127.0.0.1:{port}/metrics") as answer:
            shown["/metrics"] = await answer.text()
        return shown


def compare(records: list[Record], shown: Mapping[str, object], printed: Mapping[str, object]) -> None:
    asked = [record for record in records if record.kind not in ("greeting", "timeout")]
    ended = [record for record in records if record.result]
    person = sum(record.result == "person" for record in ended)
    stats, report, metrics = shown["/stats"], shown["/metrics/report"], samples(str(shown["/metrics"]))
    assert isinstance(stats, dict)
    assert isinstance(report, dict)
    assert 0 < person < len(ended)
    assert len(asked) > TURNS * 0.8

    for part in (stats, report):
        assert part["messages"] == len(asked)
        assert part["ended"] == len(ended)
        assert part["conversations"] == sum(record.opening for record in asked)
    assert counts(stats["handlers"]) == Counter(record.handler for record in asked)
    assert counts(stats["categories"]) == Counter(record.category for record in asked)
    assert counts(stats["states"]) == Counter(record.next_state for record in asked)
    assert counts(stats["resolution"]["results"]) == Counter(record.result for record in ended)
    assert report["automation_rate"] == pytest.approx((len(ended) - person) / len(ended))
    tokens = sum(record.tokens_in + record.tokens_out for record in asked)
    assert report["tokens"]["spent"] == tokens > 0
    assert report["tokens"]["saved"] == sum(record.saved for record in asked) > 0
    assert report["tokens"]["cost"] == pytest.approx(sum(record.cost for record in asked))
    for by in ("by_day", "by_category"):
        assert sum(group["messages"] for group in report[by]) == len(asked)
        assert sum(group["automated"] for group in report[by]) == len(ended) - person
    assert len(report["by_day"]) > 2
    assert report["missed"] == sum(record.kind == "llm" for record in asked)

    assert metrics["supportbot_messages_total"] == len(asked)
    assert metrics["supportbot_rule_hits_total"] == len(asked)
    assert metrics["supportbot_conversations_closed_total"] == len(ended)
    assert metrics["supportbot_conversations_opened_total"] == stats["conversations"]
    assert metrics["supportbot_llm_tokens_total"] == tokens
    assert metrics["supportbot_llm_cost_total"] == pytest.approx(report["tokens"]["cost"])
    assert metrics["supportbot_tokens_saved_total"] == report["tokens"]["saved"]
    assert metrics["supportbot_turn_duration_seconds_count"] == len(asked)

    assert {key: value for key, value in stats.items() if key not in ("bot", "revision")} == printed["stats"]
    assert {key: value for key, value in report.items() if key != "bot"} == printed["report"]


def counts(shares: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {name: share["count"] for name, share in shares.items() if share["count"]}


def samples(text: str) -> Counter[str]:
    """The sum of each metric over its labels."""
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] += sample.value  # type: ignore[assignment]
    return found
