"""What a bot looks up once, so that a turn need not: the rule that a block brings up, the category it speaks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from supportbot.compiler.compile import load_bot
from supportbot.model.bot import Bot, Guide
from supportbot.resources import starter_bot

BOTS = [starter_bot(), *sorted((Path(__file__).parents[1] / "bots" / "ok").iterdir())]


@pytest.fixture(scope="module", params=BOTS, ids=lambda folder: folder.name)
def bot(request: pytest.FixtureRequest) -> Bot:
    compiled = load_bot(request.param)
    assert compiled.bot is not None, compiled.diagnostics
    return compiled.bot


def test_a_block_finds_its_rule_by_number(bot: Bot) -> None:
    assert len(bot.by_block) == len(bot.index.blocks)
    for block, asked in zip(bot.index.blocks, bot.by_block, strict=True):
        kind, name = block.owner
        if kind not in ("handler", "guide"):
            assert asked is None
            continue
        rule = bot.handler_by_id[name] if kind == "handler" else bot.guides[name]
        assert asked is not None
        assert (asked.rule, asked.when) == (rule, rule.when[block.part])
        assert asked.kind == ("llm" if rule is bot.fallback_handler else kind)


def test_a_block_speaks_for_the_category_of_its_guide_unless_it_is_small_talk(bot: Bot) -> None:
    for block, category in zip(bot.index.blocks, bot.evidence_for, strict=True):
        kind, name = block.owner
        if kind == "category":
            assert category is bot.categories[name]
        elif kind == "guide" and not bot.guides[name].small_talk:
            assert category is bot.categories[bot.guides[name].category]
        else:
            assert category is None


def test_a_rule_that_nothing_has_to_bring_up_is_open(bot: Bot) -> None:
    rules = (*bot.handlers, *bot.guides.values())
    unasked = [
        (rule, when)
        for rule in rules
        for when in rule.when
        if when.block is None or not bot.index.blocks[when.block].positive
    ]
    known = (*bot.open_handlers, *bot.open_guides, *bot.fallback)
    assert {(asked.rule.id, id(asked.when)) for asked in known if bot.is_open(asked)} == {
        (rule.id, id(when)) for rule, when in unasked
    }
    assert all(asked.rule is bot.fallback_handler for asked in bot.fallback)
    assert not any(asked.rule is bot.fallback_handler for asked in bot.open_handlers)
    assert all(isinstance(asked.rule, Guide) for asked in bot.open_guides)
