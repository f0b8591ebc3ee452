"""Reloading: all or nothing, while turns go on."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.desk_bot import desk_bot
from tests.runtime.fakes import conversations, message

from supportbot.adapters.memory_store import MemoryStore
from supportbot.compiler.compile import load_bot
from supportbot.diagnostics import Diagnostic
from supportbot.model.bot import Bot
from supportbot.model.operations import Alerts
from supportbot.runtime.alerts import Alert, Alerting, Delivery
from supportbot.runtime.aside import Aside, try_aside
from supportbot.runtime.conversation import Conversations
from supportbot.runtime.metrics import Metrics
from supportbot.runtime.reload import Reloader, state_of
from supportbot.runtime.snapshots import unpack
from supportbot.runtime.trial import Tried, try_bot

GOOD = "Is it switched on?"


class Kept:
    """Alerts that would be sent."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    async def send(self, alert: Alert, settings: Alerts) -> Delivery:
        self.alerts.append(alert)
        return "sent"


class Scene:
    def __init__(self, root: Path, trial: object = None) -> None:
        self.root = root
        bot = desk_bot(root)
        self.store, self.metrics, self.kept = MemoryStore(), Metrics(), Kept()
        self.talks: Conversations = conversations(bot, self.store)
        self.alerting = Alerting(self.kept, Alerts, lambda: self.talks.bot.revision, self.metrics)
        self.reloader = Reloader(root, self.talks, self.metrics, self.alerting, trial or self.in_process)  # type: ignore[arg-type]

    @staticmethod
    async def in_process(root: Path, passed: str) -> Tried:
        return await asyncio.to_thread(try_bot, root, passed)

    def write(self, text: str) -> None:
        """Another wording of the first step."""
        for path in self.root.rglob("*.yaml"):
            source = path.read_text("utf-8")
            if "offline_1:" in source:
                lines = source.splitlines()
                at = next(number for number, line in enumerate(lines) if "offline_1:" in line)
                lines[at] = f'  offline_1: "{text}"'
                path.write_text("\n".join(lines) + "\n", "utf-8")

    def spoil(self) -> None:
        path = self.root / "handlers.yaml"
        path.write_text(path.read_text("utf-8") + "\n  - {id: wrong, do: [{reply: not_there}]}\n", "utf-8")

    @contextlib.contextmanager
    def spoiled(self) -> Iterator[None]:
        path = self.root / "handlers.yaml"
        source = path.read_text("utf-8")
        self.spoil()
        try:
            yield
        finally:
            path.write_text(source, "utf-8")


@pytest.fixture
def it(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "bot")


def test_a_good_change_is_taken_over(it: Scene) -> None:
    async def run() -> None:
        before = it.talks.bot.revision
        it.write("Is the plug in?")
        reloaded = await it.reloader.reload()
        assert (reloaded.ok, reloaded.changed) == (True, True)
        assert reloaded.revision == it.talks.bot.revision != before
        result = await it.talks.take(message("printer offline"))
        assert (result.reply.text, result.revision) == ("Is the plug in?", reloaded.revision)
        assert not (await it.reloader.reload()).changed
        assert dict(it.metrics.reloads) == {"taken_over": 1, "unchanged": 1}

    asyncio.run(run())


def test_a_wrong_bot_stays_aside_and_is_seen_everywhere(it: Scene) -> None:
    async def run() -> None:
        before = it.talks.bot
        with it.spoiled():
            reloaded = await it.reloader.reload()
        assert not reloaded.ok
        assert it.talks.bot is before
        assert [(item.code, item.place.file) for item in reloaded.diagnostics] == [
            ("unknown-response", "handlers.yaml")
        ]
        assert not it.metrics.last_reload_ok
        assert it.reloader.last == reloaded
        assert (await it.talks.take(message("printer offline"))).reply.text == GOOD
        assert (await it.reloader.reload()).ok
        assert it.metrics.last_reload_ok
        await it.alerting.flush()
        assert [alert.state for alert in it.kept.alerts] == ["failing", "recovered"]
        assert "handlers.yaml" in it.kept.alerts[0].detail

    asyncio.run(run())


def test_an_example_that_fails_keeps_a_bot_out(it: Scene) -> None:
    async def run() -> None:
        path = it.root / "handlers.yaml"
        path.write_text(
            path.read_text("utf-8").replace('match: ["please open a ticket"]', 'match: ["my dog"]'), "utf-8"
        )
        reloaded = await it.reloader.reload()
        assert [item.code for item in reloaded.diagnostics] == ["failing-example"]

    asyncio.run(run())


def test_the_trial_runs_in_another_process(tmp_path: Path) -> None:
    async def run() -> None:
        it = Scene(tmp_path / "bot", try_aside)
        it.write("Is the plug in?")
        assert (await it.reloader.reload()).changed
        with it.spoiled():
            assert not (await it.reloader.reload()).ok

    asyncio.run(run())


def test_a_trial_that_hangs_keeps_the_bot_out(it: Scene) -> None:
    async def run() -> None:
        tried = await Aside(seconds=0.0).tried(it.root)
        assert [item.code for item in tried.errors] == ["trial-failed"]

    asyncio.run(run())


def test_files_that_keep_changing_are_not_taken_over(it: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers afterwards is what was tried, never something newer."""
    tries = 0

    def moving(bot: Bot) -> tuple[Diagnostic, ...]:
        nonlocal tries
        tries += 1
        it.write(f"Text {tries}")
        return ()

    monkeypatch.setattr("supportbot.runtime.trial.failing_examples", moving)

    async def run() -> None:
        before = it.talks.bot
        it.write("Text 0")
        reloaded = await it.reloader.reload()
        assert [item.code for item in reloaded.diagnostics] == ["files-changing"]
        assert it.talks.bot is before
        assert tries == 3

    asyncio.run(run())


def test_files_that_changed_once_while_they_were_tried_are_tried_again(
    it: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["Text 2"]

    def moving(bot: Bot) -> tuple[Diagnostic, ...]:
        if texts:
            it.write(texts.pop())
        return ()

    monkeypatch.setattr("supportbot.runtime.trial.failing_examples", moving)

    async def run() -> None:
        it.write("Text 1")
        assert (await it.reloader.reload()).changed
        assert (await it.talks.take(message("printer offline"))).reply.text == "Text 2"

    asyncio.run(run())


def test_those_who_ask_during_a_reload_share_the_next_one(tmp_path: Path) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    trials = 0

    async def slow(root: Path, passed: str) -> Tried:
        nonlocal trials
        trials += 1
        tried = await asyncio.to_thread(try_bot, root, passed)
        began.set()
        await go_on.wait()
        return tried

    it = Scene(tmp_path / "bot", slow)

    async def run() -> None:
        it.write("Text 1")
        first = asyncio.create_task(it.reloader.reload())
        await began.wait()
        it.write("Text 2")  # too late for the first
        later = [asyncio.create_task(it.reloader.reload()) for _ in range(5)]
        await asyncio.sleep(0)
        go_on.set()
        found = await asyncio.gather(first, *later)
        assert trials == 2
        assert len({reloaded.revision for reloaded in found[1:]}) == 1
        assert found[0].revision != found[1].revision == it.talks.bot.revision
        assert (await it.talks.take(message("printer offline"))).reply.text == "Text 2"

    asyncio.run(run())


def test_who_gives_up_waiting_stops_no_reload(it: Scene) -> None:
    async def run() -> None:
        it.write("Text 1")
        first, second = (asyncio.create_task(it.reloader.reload()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).changed

    asyncio.run(run())


def test_a_bot_that_passed_is_not_tried_twice(it: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        assert not (await it.reloader.reload()).changed  # tried all the same: a start only compiles
        monkeypatch.setattr("supportbot.runtime.trial.compile_bot", None)
        assert (await it.reloader.reload()).ok

    asyncio.run(run())


def test_one_process_tries_one_bot_after_the_other_and_is_replaced_when_it_dies(it: Scene) -> None:
    async def run() -> None:
        aside = Aside()
        first = await aside.tried(it.root)
        process = aside._process
        assert process is not None
        with it.spoiled():
            assert (await aside.tried(it.root)).errors
        assert aside._process is process
        process.kill()
        await process.wait()
        assert (await aside.tried(it.root)).revision == first.revision
        await aside.close()

    asyncio.run(run())


def test_the_process_ends_when_nobody_reloads_any_more(it: Scene) -> None:
    async def run() -> None:
        aside = Aside(kept=0.0)
        await aside.tried(it.root)
        process = aside._process
        assert process is not None
        async with asyncio.timeout(20):
            assert await process.wait() == 0
        assert not (await aside.tried(it.root)).errors
        await aside.close()

    asyncio.run(run())


def test_a_trial_that_is_given_up_leaves_no_answer_to_the_next(it: Scene) -> None:
    async def run() -> None:
        aside = Aside()
        with it.spoiled():
            given_up = asyncio.create_task(aside.tried(it.root))
            await asyncio.sleep(0.05)
            given_up.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await given_up
        assert not (await aside.tried(it.root)).errors
        await aside.close()

    asyncio.run(run())


def test_a_trial_by_another_version_of_the_engine_takes_nothing_over(
    it: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        monkeypatch.setattr("supportbot.runtime.aside.__version__", "0.0.1")
        tried = await try_aside(it.root)
        assert [item.code for item in tried.errors] == ["trial-failed"]
        assert "restart" in tried.errors[0].hint

    asyncio.run(run())


def test_a_turn_ends_on_the_bot_it_began_with(it: Scene) -> None:
    class Slow(MemoryStore):
        async def load(self, session_id: str) -> None:
            await asyncio.sleep(0.05)

    async def run() -> None:
        it.talks.store = Slow()
        old = it.talks.bot.revision
        turn = asyncio.create_task(it.talks.take(message("printer offline")))
        await asyncio.sleep(0.01)
        it.write("Is the plug in?")
        loaded = load_bot(it.root).bot
        assert loaded is not None
        it.talks.bot = loaded
        result = await turn
        assert (result.reply.text, result.revision) == (GOOD, old)
        assert result.record is not None
        assert result.record.revision == old

    asyncio.run(run())


def test_a_conversation_in_a_state_that_is_gone_goes_on_in_the_initial_one(it: Scene) -> None:
    async def run() -> None:
        first = await it.talks.take(message("printer offline", "s1"))
        assert first.session.state == "troubleshooting"
        for path in it.root.rglob("*.yaml"):
            path.write_text(re.sub(r"\btroubleshooting\b", "working", path.read_text("utf-8")), "utf-8")
        assert (await it.reloader.reload()).changed
        result = await it.talks.take(message("my details", "s1"))
        assert result.record is not None
        assert (result.record.state, result.record.next_state) == ("troubleshooting", "greeting")

    asyncio.run(run())


def test_every_answer_is_wholly_of_one_revision_while_the_bot_is_reloaded_again_and_again(it: Scene) -> None:
    async def run() -> None:
        said: dict[str, set[str]] = {}
        texts = {it.talks.bot.revision: GOOD}
        stop = asyncio.Event()

        async def visitor(number: int) -> None:
            turn = 0
            while not stop.is_set():
                turn += 1
                result = await it.talks.take(message("printer offline", f"v{number}-{turn}"))
                said.setdefault(result.revision, set()).add(result.reply.text)
                await asyncio.sleep(0.005)

        visitors = [asyncio.create_task(visitor(number)) for number in range(5)]
        for number in range(9):
            if number % 3 == 2:
                with it.spoiled():
                    assert not (await it.reloader.reload()).ok
            else:
                it.write(f"Text {number}")
                reloaded = await it.reloader.reload()
                assert reloaded.changed
                texts[reloaded.revision] = f"Text {number}"
            await asyncio.sleep(0.03)
        stop.set()
        await asyncio.gather(*visitors)
        assert set(said) <= set(texts)
        assert len(said) >= 5
        assert all(found == {texts[revision]} for revision, found in said.items())

    asyncio.run(run())


def test_a_change_is_seen_once_it_has_settled(it: Scene) -> None:
    async def run() -> None:
        seen = state_of(it.root)
        it.write("Is the plug in?")  # before the first look
        task = asyncio.create_task(it.reloader.watch(seen, 0.02))
        async with asyncio.timeout(10):
            while it.metrics.reloads["taken_over"] == 0:
                await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(run())


def test_the_files_that_work_are_kept_and_come_back_the_same(it: Scene, tmp_path: Path) -> None:
    async def run() -> None:
        it.write("Is the plug in?")
        assert (await it.reloader.reload()).changed
        packed = await it.store.last_snapshot()
        assert packed is not None
        unpack(packed, tmp_path / "again")
        again = load_bot(tmp_path / "again").bot
        assert again is not None
        assert again.revision == it.talks.bot.revision
        with it.spoiled():
            assert not (await it.reloader.reload()).ok
        assert await it.store.last_snapshot() == packed

    asyncio.run(run())


def test_findings_travel_between_processes_as_they_are(it: Scene) -> None:
    async def run() -> None:
        it.spoil()
        apart, here = await try_aside(it.root), try_bot(it.root)
        assert (apart.revision, apart.diagnostics) == (here.revision, here.diagnostics)
        assert all(isinstance(item, Diagnostic) for item in apart.diagnostics)

    asyncio.run(run())
