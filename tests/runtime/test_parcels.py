"""A bot that went from one process to another is the same bot, however its records are made."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from tests.runtime.desk_bot import desk_bot

from supportbot.compiler.compile import load_bot
from supportbot.model.bot import Bot
from supportbot.model.index import Node
from supportbot.runtime.examples import failing_examples
from supportbot.runtime.parcels import let_go, unwrap, wrap

STARTER = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _thaw() -> object:
    yield
    gc.enable()
    gc.unfreeze()


def nodes(bot: Bot) -> list[tuple[object, ...]]:
    """The trie, with numbers in place of nodes."""
    found, numbers = [bot.index.root], {id(bot.index.root): 0}

    def number(node: Node) -> int:
        if id(node) not in numbers:
            numbers[id(node)] = len(found)
            found.append(node)
        return numbers[id(node)]

    flat: list[tuple[object, ...]] = []
    for node in found:
        edges = {symbol: number(to) for symbol, to in node.edges.items()}
        gap = None if node.gap is None else number(node.gap)
        captures = tuple((slot, kind, number(to)) for slot, kind, to in node.captures)
        flat.append((edges, gap, captures, node.patterns, node.symbols))
    return flat


def starter() -> Bot:
    bot = load_bot(STARTER).bot
    assert bot is not None
    return bot


def test_the_starter_bot_arrives_whole() -> None:
    bot = starter()
    again = unwrap(wrap(bot))
    for name in ("revision", "settings", "graph", "categories", "guides", "handlers", "responses", "forms", "actions"):
        assert getattr(again, name) == getattr(bot, name), name
    assert nodes(again) == nodes(bot)
    assert len(nodes(bot)) > 1000
    assert again.index.patterns == bot.index.patterns
    assert not failing_examples(again)


def test_a_phrase_as_long_as_it_may_be_arrives(tmp_path: Path) -> None:
    root = tmp_path / "bot"
    desk_bot(root)
    path = root / "handlers.yaml"
    long = " ".join("abcdefgh"[number % 8] for number in range(500))
    path.write_text(
        path.read_text("utf-8") + f'\n  - {{id: long, when: {{message: ["{long}"]}}, do: [{{reply: farewell}}]}}\n',
        "utf-8",
    )
    loaded = load_bot(root)
    bot = loaded.bot
    assert bot is not None, loaded.diagnostics
    assert nodes(unwrap(wrap(bot))) == nodes(bot)


def test_what_is_let_go_of_is_freed_in_many_steps_and_nothing_else() -> None:
    """Also after turns, whose memos must neither outlive the bot nor need a garbage collector, which never sees them."""
    gc.disable()
    bot = unwrap(wrap(starter()))
    failing_examples(bot)
    kept, trie = bot.responses, len(nodes(bot))
    before = alive()
    steps = let_go(bot)
    del bot
    counts = []
    for _ in steps:
        counts.append(alive())
    assert before - alive() == trie
    assert len([count for count in counts if alive() < count < before]) > 3
    assert kept["welcome"].wordings


def alive() -> int:
    """Nodes of tries."""
    gc.unfreeze()
    return sum(type(item) is Node for item in gc.get_objects())
