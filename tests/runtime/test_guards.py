"""What protects the server and its model: breaker, budget, rates."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.runtime.desk_bot import desk_bot
from tests.runtime.fakes import FakeClock, FakeModel, conversations, message

from supportbot.adapters.memory_store import MemoryStore
from supportbot.model.bot import Bot
from supportbot.model.operations import Budget, Operations, Rate
from supportbot.model.steps import SayResponse
from supportbot.runtime import breaker
from supportbot.runtime.breaker import Breaker, GuardedModel
from supportbot.runtime.ports import ModelAnswer
from supportbot.runtime.rates import Rates


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    return desk_bot(tmp_path_factory.mktemp("bot"))


def with_operations(bot: Bot, **changes: object) -> Bot:
    operations = replace(Operations(), **changes)  # type: ignore[arg-type]
    llm = replace(bot.settings.llm, spent=(SayResponse("no_answer"),))
    return replace(bot, settings=replace(bot.settings, operations=operations, llm=llm))


def test_after_five_failures_the_model_is_left_alone_and_probed_every_thirty_seconds() -> None:
    async def run() -> None:
        seconds, model = Seconds(), FakeModel(ModelAnswer(error="timeout"))
        guarded = GuardedModel(model, 8, Breaker(seconds=seconds))
        errors = [(await guarded.answer(())).error for _ in range(8)]
        assert errors == ["timeout"] * 5 + ["paused"] * 3
        seconds.now += 29.9
        assert (await guarded.answer(())).error == "paused"
        seconds.now += 0.2
        assert (await guarded.answer(())).error == "timeout"
        assert (await guarded.answer(())).error == "paused"
        seconds.now += 30.1
        model.answers = [ModelAnswer("back", "m")]
        assert (await guarded.answer(())).text == "back"
        assert (await guarded.answer(())).text == "back"
        assert not guarded.breaker.is_open

    asyncio.run(run())


def test_only_one_question_is_the_probe() -> None:
    async def run() -> None:
        seconds, model = Seconds(), FakeModel(ModelAnswer(error="failed"))
        guarded = GuardedModel(model, 8, Breaker(seconds=seconds))
        for _ in range(5):
            await guarded.answer(())
        seconds.now += 31
        answers = await asyncio.gather(*(guarded.answer(()) for _ in range(20)))
        assert [answer.error for answer in answers].count("paused") == 19

    asyncio.run(run())


def test_a_reload_may_allow_more_calls_at_once() -> None:
    async def run() -> None:
        model = FakeModel(60.0)
        guarded = GuardedModel(model, 1)
        first = asyncio.create_task(guarded.answer(()))
        await asyncio.sleep(0)
        guarded.allow(2)
        calls = [first, *(asyncio.create_task(guarded.answer(())) for _ in range(2))]
        await asyncio.sleep(0.01)
        assert len(model.asked) == 3
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(run())


def test_a_call_that_was_cut_off_is_a_failure_and_gives_its_place_back() -> None:
    async def run() -> None:
        guarded = GuardedModel(FakeModel(60.0), 1)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await guarded.answer(())
        assert guarded.breaker.is_open

    asyncio.run(run())


def test_what_was_never_asked_says_nothing_about_the_model() -> None:
    async def run() -> None:
        guarded = GuardedModel(FakeModel(ModelAnswer(error="off")), 1)
        for _ in range(8):
            assert (await guarded.answer(())).error == "off"
        assert not guarded.breaker.is_open

    asyncio.run(run())


def test_not_more_calls_at_once_than_allowed() -> None:
    class Counting(FakeModel):
        busy = most = 0

        async def answer(self, messages: object) -> ModelAnswer:
            self.busy += 1
            self.most = max(self.most, self.busy)
            await asyncio.sleep(0.001)
            self.busy -= 1
            return ModelAnswer("fine", "m")

    async def run() -> None:
        model = Counting(ModelAnswer("x"))
        guarded = GuardedModel(model, 3)
        await asyncio.gather(*(guarded.answer(()) for _ in range(30)))
        assert model.most == 3

    asyncio.run(run())


@pytest.mark.parametrize(("ready", "error"), [(True, "busy"), (False, "off")])
def test_without_a_place_the_model_is_busy_but_not_before_it_can_be_asked(
    ready: bool, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "WAIT_SECONDS", 0.01)
    asked, free = asyncio.Event(), asyncio.Event()

    class Hanging(FakeModel):
        async def answer(self, messages: object) -> ModelAnswer:
            asked.set()
            await free.wait()
            return ModelAnswer("fine", "m")

    async def run() -> None:
        guarded = GuardedModel(Hanging(ModelAnswer("x")), 1, ready=lambda: ready)
        first = asyncio.create_task(guarded.answer(()))
        await asked.wait()
        assert (await guarded.answer(())).error == error
        free.set()
        assert (await first).text == "fine"

    asyncio.run(run())


@pytest.mark.parametrize("budget", [Budget(session_tokens=50), Budget(session_cost=0.5)])
def test_a_spent_session_gets_the_declared_text_and_others_go_on(bot: Bot, budget: Budget) -> None:
    async def run() -> None:
        model = FakeModel(ModelAnswer("An answer.", "m", 40, 10, cost=0.5))
        talks = conversations(with_operations(bot, budget=budget), MemoryStore(), model)
        first = await talks.take(message("what is this"))
        assert first.reply.text == "An answer."
        second = await talks.take(message("what is this"))
        assert second.outcomes[0].error == "spent"
        assert [part.response for part in second.reply.texts] == ["no_answer"]
        other = await talks.take(message("what is this", "s2"))
        assert other.reply.text == "An answer."
        assert len(model.asked) == 2

    asyncio.run(run())


@pytest.mark.parametrize("budget", [Budget(day_tokens=100), Budget(day_cost=1.0)])
def test_a_day_s_budget_counts_all_sessions_and_begins_anew_the_next_day(bot: Bot, budget: Budget) -> None:
    async def run() -> None:
        clock = FakeClock()
        model = FakeModel(ModelAnswer("An answer.", "m", 40, 10, cost=0.5))
        talks = conversations(with_operations(bot, budget=budget), MemoryStore(), model, clock=clock)
        errors = [(await talks.take(message("what is this", f"s{n}"))).outcomes[0].error for n in range(3)]
        assert errors == ["", "", "spent"]
        clock.wait(days=1)
        assert (await talks.take(message("what is this", "s9"))).outcomes[0].error == ""

    asyncio.run(run())


def test_a_burst_then_the_rate() -> None:
    seconds = Seconds()
    rates, rate = Rates(seconds=seconds), Rate(per_minute=60, burst=3)
    assert [rates.wait("a", rate) for _ in range(3)] == [0, 0, 0]
    assert rates.wait("a", rate) == pytest.approx(1.0)
    assert rates.wait("b", rate) == 0
    seconds.now += 1.01
    assert rates.wait("a", rate) == 0
    assert rates.wait("a", rate) > 0


def test_names_are_bounded() -> None:
    rates = Rates(names=100, seconds=Seconds())
    for number in range(10_000):
        rates.wait(str(number), Rate(60, 3))
    assert len(rates) == 100
