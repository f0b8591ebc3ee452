"""The table that decisions read agrees with the state machine that it was read from."""

from __future__ import annotations

from itertools import product

import pytest
from transitions import MachineError

from supportbot.compiler.graph import Cursor, machine_of
from supportbot.model.bot import Bot

HOLDING = [frozenset[str](), frozenset(["open"])]


def by_machine(bot: Bot, state: str, trigger: str, holding: frozenset[str]) -> str | None:
    cursor = Cursor(state, holding)
    try:
        fired = machine_of(bot.graph).events[trigger].trigger(cursor)
    except MachineError:
        return None
    return cursor.state if fired else None


def by_table(bot: Bot, state: str, trigger: str, holding: frozenset[str]) -> str | None:
    ways = bot.graph.table.get((state, trigger), ())
    return next((way.dest for way in ways if holding.issuperset(way.conditions)), None)


@pytest.mark.parametrize("holding", HOLDING)
def test_the_table_agrees_with_the_machine(bot: Bot, holding: frozenset[str]) -> None:
    triggers = {transition.trigger for transition in bot.graph.transitions}
    ways = {
        (state, trigger): (by_machine(bot, state, trigger, holding), by_table(bot, state, trigger, holding))
        for state, trigger in product(bot.graph.states, triggers)
    }
    assert {key: pair for key, pair in ways.items() if pair[0] != pair[1]} == {}
    assert ways["working", "solve"][1] == "idle"
    assert ways["idle", "connect"][1] == ("offered" if holding else None)
    assert not any(pair[1] for (state, _), pair in ways.items() if state == "over")
