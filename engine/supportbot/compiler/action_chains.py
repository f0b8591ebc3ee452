"""What actions expect of each other: chains that end, reads that can answer, words while a call is under way."""

from __future__ import annotations

from collections.abc import Mapping

from supportbot.compiler.context import Context
from supportbot.compiler.nodes import section, value_place
from supportbot.config.yaml_nodes import YamlMap
from supportbot.model.bot import Action
from supportbot.model.chains import chain_of


def check_chains(actions: Mapping[str, Action], nodes: Mapping[str, YamlMap], context: Context) -> None:
    """Report what is wrong between the actions of a bot; ``nodes`` has the YAML of each."""
    first = {name for action in actions.values() for name in action.before}
    reads = {action.reconcile.action for action in actions.values() if action.reconcile}
    for action in actions.values():
        node = nodes[action.id]
        _check_before(action, actions, node, context)
        _check_reconcile(action, actions, node, context)
        says = node.get("on_success") or node.get("on_failure")
        if says and node.get("while_pending") is None and action.id not in first | reads:
            message = f"nothing is said while '{action.id}' is under way, when the service needs longer than a moment"
            hint = "add while_pending: [{reply: ...}] with a response that promises nothing yet"
            context.refs.warn("missing-pending", action.place, message, hint)


def _check_before(action: Action, actions: Mapping[str, Action], node: YamlMap, context: Context) -> None:
    if chain_of(action, actions) is None:
        message = f"'{action.id}' would have to run before itself"
        hint = "take one of the actions out of before: so that the chain has a beginning"
        context.refs.error("action-cycle", value_place(node, "before"), message, hint)


def _check_reconcile(action: Action, actions: Mapping[str, Action], node: YamlMap, context: Context) -> None:
    read = actions.get(action.reconcile.action) if action.reconcile else None
    if read is None:
        return
    found = section(node, "reconcile")
    place = value_place(found, "action") if found is not None else value_place(node, "reconcile")
    if read.writes or read.find is None:
        message = f"'{read.id}' cannot tell whether '{action.id}' happened"
        hint = f"give '{read.id}' method: GET and find: {{in: ..., where: ...}}, which picks what was written"
        context.refs.error("bad-reconcile", place, message, hint)
    elif missing := sorted({slot for slot, _ in action.save} - {slot for slot, _ in read.save}):
        message = f"'{read.id}' does not save {', '.join(missing)}, which '{action.id}' would have saved"
        context.refs.error("bad-reconcile", place, message, f"add to save: of '{read.id}': {', '.join(missing)}")
