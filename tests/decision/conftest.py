"""The small bot, a way to talk to it, and a way to compile a few rules on the spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from supportbot.compiler.blocks import IndexBuilder, Typos
from supportbot.compiler.compile import load_bot
from supportbot.decision import conclude, decide, elapse, start_session
from supportbot.decision.entities import Reading
from supportbot.decision.matcher import Found, find
from supportbot.diagnostics import Place
from supportbot.model.bot import Bot
from supportbot.model.decision import CallModel, Conclusion, Decision, Effect, Outcome
from supportbot.model.index import Index
from supportbot.model.session import Message, Session, Turn

SMALL = Path(__file__).parents[1] / "bots" / "ok" / "small"
MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # the small bot is open
NOWHERE = Place("handlers.yaml")


def load_small() -> Bot:
    compiled = load_bot(SMALL)
    assert compiled.bot is not None, compiled.diagnostics
    return compiled.bot


@dataclass
class Talk:
    """One conversation. ``script`` gives the outcome of each effect; without an entry it is switched off."""

    bot: Bot
    session: Session
    now: datetime = MONDAY
    script: dict[str, Outcome] = field(default_factory=dict)
    decision: Decision | None = None
    conclusion: Conclusion | None = None

    def say(self, text: str, visitor: Mapping[str, str] | None = None) -> Decision:
        """One whole turn."""
        message = Message("m", self.session.id, text, self.session.channel, self.now, visitor or {})
        turn = Turn(self.session, message, self.now)
        self.decision = decide(self.bot, turn)
        outcomes = [self._outcome(effect) for effect in self.decision.effects]
        self.conclusion = conclude(self.bot, turn, self.decision, outcomes)
        self.session = self.conclusion.session
        return self.decision

    def wait(self, minutes: float) -> Conclusion | None:
        self.now += timedelta(minutes=minutes)
        self.conclusion = elapse(self.bot, self.session, self.now)
        if self.conclusion is not None:
            self.session = self.conclusion.session
        return self.conclusion

    def put(self, **fields: Any) -> Talk:
        """Place the conversation somewhere without talking it there."""
        self.session = replace(self.session, **fields)
        return self

    @property
    def said(self) -> list[str]:
        """Ids of the responses of the last turn; a model's own text stands for itself."""
        assert self.conclusion is not None
        return [part.response or part.text for part in self.conclusion.reply.texts]

    @property
    def text(self) -> str:
        assert self.conclusion is not None
        return self.conclusion.reply.text

    def _outcome(self, effect: Effect) -> Outcome:
        key = "llm" if isinstance(effect, CallModel) else effect.action
        scripted = self.script.get(key)
        return replace(scripted, effect=effect) if scripted else Outcome(effect, ok=False, error="off")


def answers(text: str) -> Outcome:
    """A model that answers."""
    return Outcome(CallModel(""), ok=True, text=text)


@pytest.fixture(scope="session")
def bot() -> Bot:
    return load_small()


@pytest.fixture
def talk(bot: Bot) -> Talk:
    return Talk(bot, start_session(bot, "s1", MONDAY))


@pytest.fixture
def tell(tmp_path: Path) -> Callable[..., Talk]:
    """A conversation with the small bot after some texts in its files were exchanged: (file, old, new)."""

    def start(*changes: tuple[str, str, str]) -> Talk:
        texts = {path.relative_to(SMALL): path.read_text("utf-8") for path in SMALL.rglob("*") if path.is_file()}
        for file, old, new in changes:
            assert old in texts[Path(file)], f"{file} does not hold {old}"
            texts[Path(file)] = texts[Path(file)].replace(old, new, 1)
        for path, text in texts.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text, "utf-8")
        compiled = load_bot(tmp_path)
        assert compiled.bot is not None, compiled.diagnostics
        return Talk(compiled.bot, start_session(compiled.bot, "s1", MONDAY))

    return start


def index_of(*blocks: Any, lists: Mapping[str, list[str]] | None = None, typos: Typos | None = None) -> Index:
    """Blocks numbered in the order given, compiled without a finding."""
    builder = IndexBuilder(typos or Typos())
    builder.add_lists(lists or {}, "")
    for number, block in enumerate(blocks):
        builder.add_block(block, NOWHERE, ("handler", f"h{number}"), 0, "")
    index = builder.build()
    assert [finding for finding in builder.diagnostics if finding.severity == "error"] == []
    return index


def search(index: Index, text: str, now: datetime = MONDAY) -> Found:
    return find(index, text, Reading(now))
