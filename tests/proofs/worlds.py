"""Small random bots, and what they really answer: every message of up to four words, in every state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from supportbot.compiler.compile import compile_bot
from supportbot.config.folder import BotFiles, Document, Kind
from supportbot.config.yaml_reader import read_yaml
from supportbot.decision.conclude import start_session
from supportbot.decision.decide import decide
from supportbot.model.bot import Bot
from supportbot.model.session import Message, Turn
from supportbot.proofs.ground import SAID

WORDS = ("foo", "bar", "baz", "barn")  # `ba*` finds three of them
FRESH = "zzz"
STATES = ("one", "two")
ELEMENTS = ("foo", "bar", "baz", "ba*", "(foo|baz)", "<some>", "(foo bar|baz)")
SETTINGS = "name: Random\ndefault_category: c\nfallback: r\n"
GRAPH = (
    "initial: one\nstates: [{id: one}, {id: two}, {id: over, final: true}]\n"
    "transitions: [{trigger: go, source: one, dest: two}, {trigger: back, source: two, dest: one},"
    " {trigger: end, source: '*', dest: over}]\n"
)
RESPONSES = "responses: {r: Answer}\n"
LISTS = 'lists: {some: [bar, "foo foo", <more>], more: [baz]}\n'


@dataclass(frozen=True, slots=True)
class Rule:
    any: tuple[str, ...]
    all: tuple[str, ...]
    none: tuple[str, ...]
    priority: int
    states: tuple[str, ...]
    max_words: int = 0

    @property
    def is_bound(self) -> bool:
        return self.max_words > 0 or any("@" in phrase for phrase in (*self.any, *self.all, *self.none))


def phrases() -> st.SearchStrategy[str]:
    one = st.sampled_from(ELEMENTS)
    pair = st.tuples(one, st.sampled_from(("", "* ", "[barn] ")), one).map(
        lambda parts: f"{parts[0]} {parts[1]}{parts[2]}"
    )
    bound = st.tuples(one, st.sampled_from(("@start", "@end", "@whole"))).map("".join)
    return st.one_of(one, pair, one, pair, bound)


def written(phrase: str) -> str:
    """A phrase as YAML has it; ``foo@start`` must stand at the start of the message."""
    text, _, at = phrase.partition("@")
    return f'{{phrase: "{text}", at: {at}}}' if at else f'"{text}"'


def rules() -> st.SearchStrategy[Rule]:
    few = st.lists(phrases(), max_size=2, unique=True).map(tuple)
    made = st.builds(
        Rule,
        any=st.lists(phrases(), max_size=3, unique=True).map(tuple),
        all=st.one_of(st.just(()), few),
        none=st.one_of(st.just(()), few),
        priority=st.sampled_from((1, 2, 3)),
        states=st.sampled_from(((), ("one",), ("two",))),
        max_words=st.sampled_from((0, 0, 0, 0, 2)),
    )
    return made.filter(lambda rule: bool(rule.any or rule.all))


def handlers(few: Sequence[Rule], leave_out: tuple[int, int] | None = None, swap: tuple[int, int] | None = None) -> str:
    """handlers.yaml of some rules; without one phrase, or with two rules in each other's place."""
    order = list(range(len(few)))
    if swap is not None:
        order[swap[0]], order[swap[1]] = order[swap[1]], order[swap[0]]
    lines = ["handlers:"]
    for number in order:
        rule = few[number]
        left = tuple(phrase for at, phrase in enumerate(rule.any) if (number, at) != leave_out)
        parts = {"any": left, "all": rule.all, "none": rule.none}
        message = ", ".join(f"{role}: [{', '.join(map(written, texts))}]" for role, texts in parts.items() if texts)
        message += f", max_words: {rule.max_words}" if rule.max_words else ""
        state = f"state: [{', '.join(rule.states)}], " if rule.states else ""
        lines.append(
            f"  - {{id: h{number}, priority: {rule.priority}, when: {{{state}message: {{{message}}}}}, do: [{{reply: r}}]}}"
        )
    lines.append("  - {id: llm_fallback, priority: 100, do: [{llm: true}]}")
    return "\n".join(lines) + "\n"


def compiled(sources: Mapping[str, str]) -> Bot:
    """A bot from files given as texts; fails the test when it has errors."""
    files = {
        "supportbot.yaml": SETTINGS,
        "states.yaml": GRAPH,
        "rules/responses.yaml": RESPONSES,
        "rules/lists.yaml": LISTS,
        "rules/categories/c.yaml": "category: c\n",
        **sources,
    }
    documents = []
    for name, source in files.items():
        data, found = read_yaml(source, name)
        assert not [item for item in found if item.severity == "error"], (source, found)
        documents.append(Document(_kind(name), name, data, source))
    made = compile_bot(BotFiles(Path(), tuple(documents), MappingProxyType({}), (), "", len(documents)))
    assert made.bot is not None, [str(item) for item in made.diagnostics]
    return made.bot


def _kind(name: str) -> Kind:
    if name.startswith("rules/categories/"):
        return "category"
    kinds: dict[str, Any] = {"supportbot.yaml": "settings"}
    return kinds.get(name, Path(name).stem)


def answer(bot: Bot, text: str, state: str) -> str:
    session = replace(start_session(bot, "s", SAID), state=state)
    return decide(bot, Turn(session, Message("m", "s", text, "chat", SAID), SAID)).handler


def messages() -> Iterator[str]:
    for length in range(5):
        for words in product((*WORDS, FRESH), repeat=length):
            yield " ".join(words)


def answers(bot: Bot) -> dict[tuple[str, str], str]:
    """The rule that answers, for every message and state."""
    return {(text, state): answer(bot, text, state) for text in messages() for state in STATES}
