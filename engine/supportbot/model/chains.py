"""The order in which an action and the actions before it run."""

from __future__ import annotations

from collections.abc import Mapping

from supportbot.model.bot import Action


def chain_of(action: Action, actions: Mapping[str, Action]) -> tuple[str, ...] | None:
    """The ids of all calls that an action makes, in order, itself last; None when they go round in a circle."""
    order: list[str] = []
    open_: set[str] = set()

    def visit(name: str) -> bool:
        if name in order:
            return True
        if name in open_:
            return False
        open_.add(name)
        known = actions.get(name)
        if known is not None and not all(visit(earlier) for earlier in known.before):
            return False
        order.append(name)
        return True

    return tuple(order) if visit(action.id) else None
