"""The proofs hold: what they say of small random bots is compared with every answer of those bots."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.proofs.worlds import STATES, Rule, answer, answers, compiled, handlers, messages, rules

from supportbot.decision.matcher import find
from supportbot.diagnostics import Diagnostic
from supportbot.model.bot import Bot
from supportbot.proofs.contest import Lost, Won
from supportbot.proofs.ground import Ground
from supportbot.proofs.phrases import find_idle_phrases
from supportbot.proofs.shadows import Shadows, find_shadows

BOTS = st.lists(rules(), min_size=2, max_size=5)


def named(finding: Diagnostic, bot: Bot) -> str:
    """The handler that a finding is about."""
    found = re.findall(r"'(h\d+)'", finding.message)
    assert found, finding.message
    return str(found[0])


def pattern_at(bot: Bot, finding: Diagnostic) -> int:
    return next(pattern.id for pattern in bot.index.patterns if pattern.place == finding.place)


@settings(max_examples=60, deadline=None)
@given(BOTS)
def test_a_rule_that_never_wins_never_wins(few: list[Rule]) -> None:
    bot = compiled({"handlers.yaml": handlers(few)})
    winners = set(answers(bot).values())
    for finding in find_shadows(Ground(bot)):
        witness = finding.witness
        assert answer(bot, witness.text, witness.state) == witness.winner
        assert f'"{witness.text}"' in finding.diagnostic.message
        if finding.diagnostic.code == "never-wins":  # also what is called likely
            assert named(finding.diagnostic, bot) not in winners


@settings(max_examples=50, deadline=None)
@given(BOTS)
def test_a_rule_that_is_not_reported_wins_its_witness(few: list[Rule]) -> None:
    bot = compiled({"handlers.yaml": handlers(few)})
    ground = Ground(bot)
    shadows = Shadows(ground)
    never = {named(item.diagnostic, bot) for item in find_shadows(ground) if item.diagnostic.code == "never-wins"}
    cancelled = {block for block in range(len(bot.index.blocks)) if not _can_hold(bot, ground, block)}
    for handler in bot.handlers:
        if handler.id in never or handler is bot.fallback_handler or handler.when[0].block in cancelled:
            continue
        if few[int(handler.id[1:])].is_bound:
            continue  # what must stand at an end of the message may stay undecided
        won = [item.verdict for item in shadows.judged(handler, handler.when[0]) if isinstance(item.verdict, Won)]
        assert won
        for verdict in won:
            states = [verdict.witness.state] if verdict.witness.state else STATES
            assert any(answer(bot, verdict.witness.text, state) == handler.id for state in states)


@settings(max_examples=30, deadline=None)
@given(BOTS)
def test_a_phrase_that_never_wins_brings_nothing_up(few: list[Rule]) -> None:
    bot = compiled({"handlers.yaml": handlers(few)})
    shadows = Shadows(Ground(bot))
    before = answers(bot)
    for handler in bot.handlers:
        for item in shadows.judged(handler, handler.when[0]):
            if item.pattern is None or not isinstance(item.verdict, Lost) or not item.verdict.proved:
                continue
            for (text, state), winner in before.items():
                found = find(bot.index, text, shadows.ground.reading)
                held = found.held.get(handler.when[0].block or 0)
                alone = held is not None and [hit.pattern for hit in held.hits if _leads(bot, hit.pattern)] == [
                    item.pattern.id
                ]
                assert not (alone and winner == handler.id), (text, state)


@settings(max_examples=30, deadline=None)
@given(BOTS)
def test_what_cancels_itself_never_holds(few: list[Rule]) -> None:
    bot = compiled({"handlers.yaml": handlers(few)})
    ground = Ground(bot)
    reported = set()
    for finding in find_idle_phrases(ground):
        if finding.code not in ("self-cancelling", "cancelled-phrase"):
            continue
        pattern = bot.index.patterns[pattern_at(bot, finding)]
        reported.add(pattern.use.block)
        for text in messages():
            found = find(bot.index, text, ground.reading)
            assert not (pattern.id in found.hits and pattern.use.block in found.held)
            if finding.code == "self-cancelling":
                assert pattern.use.block not in found.held
    for block in bot.index.blocks:
        free = not few[int(block.owner[1][1:])].is_bound
        assert block.id in reported or not free or _can_hold(bot, ground, block.id)


@settings(max_examples=30, deadline=None)
@given(BOTS)
def test_without_a_covered_phrase_all_answers_are_the_same(few: list[Rule]) -> None:
    bot = compiled({"handlers.yaml": handlers(few)})
    before = answers(bot)
    for finding in find_idle_phrases(Ground(bot)):
        if finding.code not in ("covered-phrase", "phrase-never-matches", "repeated-phrase"):
            continue
        pattern = bot.index.patterns[pattern_at(bot, finding)]
        number = int(bot.index.blocks[pattern.use.block].owner[1][1:])
        if pattern.use.role != "any" or len(few[number].any) < 2:
            continue
        less = compiled({"handlers.yaml": handlers(few, leave_out=(number, pattern.use.position))})
        assert answers(less) == before, str(finding)


@settings(max_examples=30, deadline=None)
@given(BOTS)
def test_where_the_order_decides_another_order_decides_otherwise(few: list[Rule]) -> None:
    bot = compiled({"handlers.yaml": handlers(few)})
    for finding in find_idle_phrases(Ground(bot)):
        if finding.code != "order-decides":
            continue
        later, first = (int(number) for number in re.findall(r"'h(\d+)'", finding.message)[:2])
        [text] = re.findall(r'"([^"]*)"', finding.message)
        swapped = compiled({"handlers.yaml": handlers(few, swap=(first, later))})
        assert any(
            answer(bot, text, state) == f"h{first}" and answer(swapped, text, state) == f"h{later}" for state in STATES
        ), str(finding)


def _leads(bot: Bot, pattern: int) -> bool:
    return bot.index.patterns[pattern].use.role == "any"


def _can_hold(bot: Bot, ground: Ground, block: int) -> bool:
    """Whether any of the shortest messages for a block holds it."""
    shadows = Shadows(ground)
    rule = bot.handler_by_id[bot.index.blocks[block].owner[1]]
    leading = shadows.leading(block)
    return any(
        block in ground.found(text).held for pattern in leading for text in shadows.messages(rule, block, pattern)[0]
    )


@pytest.mark.parametrize("phrase", ["(e) mail", "(wi) fi"])
def test_a_phrase_that_is_read_otherwise_is_never_found(phrase: str) -> None:
    rule = Rule((phrase, "foo"), (), (), 1, ())
    bot = compiled({"handlers.yaml": handlers([rule])})
    found = [item for item in find_idle_phrases(Ground(bot)) if item.code == "phrase-never-matches"]
    assert [pattern_at(bot, item) for item in found] == [0]
