"""supportbot.yaml, ``channels``: how each channel is served, and what happens when nobody takes a hand-over."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from supportbot.compiler.context import Context
from supportbot.compiler.graph import duration
from supportbot.compiler.nodes import flag, named, section, text, texts, value_place, whole
from supportbot.compiler.steps import compile_steps
from supportbot.compiler.variables import secret_text, variable_text
from supportbot.config.yaml_nodes import YamlMap
from supportbot.model.channels import SERVER_TEXTS, OutsideHours, SalesIQ
from supportbot.model.steps import Step

_OUTSIDE: dict[str, OutsideHours] = {"auto": "auto", "reply": "reply", "operator_busy": "operator_busy"}


def compile_salesiq(settings: YamlMap, context: Context) -> tuple[SalesIQ, tuple[Step, ...]]:
    """The channel, and the steps after a hand-over that nobody took."""
    node = section(section(settings, "channels"), "salesiq")
    if node is None:
        return SalesIQ(), ()
    usual = SalesIQ()
    deadline = duration(node, "reply_deadline", usual.reply_deadline, context)
    made = SalesIQ(
        public_keys=tuple(variable_text(key, place, context) for key, place in texts(node, "public_keys")),
        token=secret_text(text(node, "token"), value_place(node, "token"), context),
        reply_deadline=deadline,
        pending_after=_pending_after(node, deadline, context),
        server=_text(node, "server", context) or usual.server,
        screenname=_text(node, "screenname", context),
        access_token=secret_text(text(node, "access_token"), value_place(node, "access_token"), context),
        connection=_connection(node, context),
        department=_text(node, "department", context),
        departments=MappingProxyType(dict(_departments(node, context))),
        outside_hours=_OUTSIDE.get(text(node, "outside_hours"), usual.outside_hours),
        end_delay=0.0 if node.get("end_delay") in (0, "0s") else duration(node, "end_delay", usual.end_delay, context),
        cards=flag(node, "cards", True),
        collect=frozenset(name for name, place in texts(node, "collect") if context.refs.use("form", name, place)),
        reply_chars=whole(node, "reply_chars", usual.reply_chars),
        texts=MappingProxyType(dict(_texts(section(node, "texts"), context))),
    )
    return made, compile_steps(node, "handover_failed", context)


def _text(node: YamlMap, key: str, context: Context) -> str:
    return variable_text(text(node, key), value_place(node, key), context)


def _connection(node: YamlMap, context: Context) -> str:
    found = next(texts(node, "connection"), None)
    return found[0] if found and context.refs.use("connection", *found) else ""


def _pending_after(node: YamlMap, deadline: float, context: Context) -> float:
    length = duration(node, "pending_after", deadline / 2, context)
    if length >= deadline:
        message = "`pending_after` is not shorter than `reply_deadline`: nobody would ever be asked to wait"
        hint = "SalesIQ waits for about five seconds: pending_after: 2s and reply_deadline: 4s leave room"
        context.refs.error("bad-duration", value_place(node, "pending_after"), message, hint)
    return length


def _departments(node: YamlMap, context: Context) -> Iterator[tuple[str, str]]:
    found = section(node, "departments")
    for name, value, place in named(found):
        if isinstance(value, str):
            yield name, variable_text(value, place, context)


def _texts(node: YamlMap | None, context: Context) -> Iterator[tuple[str, str]]:
    for name, response, _ in named(node):
        if node is None or name not in SERVER_TEXTS or not isinstance(response, str):
            continue
        if context.refs.use("response", response, value_place(node, name)):
            yield name, response
