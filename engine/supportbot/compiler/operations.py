"""The parts of supportbot.yaml that say how the bot is run: alerts, budgets, rates, what counts in reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from supportbot.compiler.context import Context
from supportbot.compiler.graph import duration
from supportbot.compiler.nodes import named, number, section, text, texts, value_place, whole
from supportbot.compiler.templates import Roots
from supportbot.compiler.variables import variable_text
from supportbot.config.yaml_nodes import YamlList, YamlMap
from supportbot.diagnostics import Place
from supportbot.model.bot import BodyMap
from supportbot.model.operations import Alerts, Budget, Operations, Price, Rate

ALERT_EXTRAS: Final[Roots] = {
    "alert": frozenset({"kind", "state", "text", "count", "minutes", "detail", "revision", "host", "time"})
}


def compile_operations(node: YamlMap, context: Context) -> Operations:
    usual = Operations()
    llm, server = section(node, "llm"), section(node, "server")
    statistics = section(node, "statistics")
    rates = section(server, "rates")
    return Operations(
        person=frozenset(_states(statistics, "person", context)),
        resolved=frozenset(_states(statistics, "resolved", context)),
        retention=usual.retention if server is None else duration(server, "retention", usual.retention, context),
        session_rate=_rate(section(rates, "session"), usual.session_rate),
        address_rate=_rate(section(rates, "address"), usual.address_rate),
        turns=usual.turns if server is None else whole(server, "turns", usual.turns),
        connections=usual.connections if server is None else whole(server, "connections", usual.connections),
        model_calls=usual.model_calls if llm is None else whole(llm, "calls", usual.model_calls),
        budget=_budget(section(llm, "budget")),
        price=_price(section(llm, "price")),
        alerts=_alerts(section(node, "alerts"), context),
    )


def _states(node: YamlMap | None, key: str, context: Context) -> Iterator[str]:
    for name, place in texts(node, key):
        if context.refs.use("state", name, place):
            yield name


def _rate(node: YamlMap | None, usual: Rate) -> Rate:
    if node is None:
        return usual
    return Rate(number(node, "per_minute", usual.per_minute), whole(node, "burst", usual.burst))


def _budget(node: YamlMap | None) -> Budget:
    if node is None:
        return Budget()
    return Budget(
        session_tokens=whole(node, "session_tokens", 0),
        day_tokens=whole(node, "day_tokens", 0),
        session_cost=number(node, "session_cost", 0.0),
        day_cost=number(node, "day_cost", 0.0),
    )


def _price(node: YamlMap | None) -> Price | None:
    return None if node is None else Price(number(node, "input", 0.0), number(node, "output", 0.0))


def _alerts(node: YamlMap | None, context: Context) -> Alerts:
    usual = Alerts()
    if node is None:
        return usual
    webhook = text(node, "webhook", usual.webhook)
    return Alerts(
        webhook=variable_text(webhook, value_place(node, "webhook"), context),
        threshold=whole(node, "threshold", usual.threshold),
        window=duration(node, "window", usual.window, context),
        cooldown=duration(node, "cooldown", usual.cooldown, context),
        body=_tree(node.get("body"), value_place(node, "body"), context) if "body" in node else None,
    )


def _tree(value: Any, place: Place, context: Context) -> object:
    """A body whose texts are templates over ``alert``; numbers, flags and null stay what they are."""
    if isinstance(value, YamlMap):
        return BodyMap(tuple((key, _tree(item, value_place(value, key), context)) for key, item, _ in named(value)))
    if isinstance(value, YamlList):
        return tuple(_tree(item, where, context) for item, where in zip(value, value.items_at, strict=False))
    return context.template(value, place, ALERT_EXTRAS) if isinstance(value, str) else value
