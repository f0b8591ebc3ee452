"""Actions that call nothing and succeed: for trying a bot without accounts or a network."""

from __future__ import annotations

from collections.abc import Mapping

from supportbot.model.bot import Action, Bot
from supportbot.runtime.ports import ActionResult
from supportbot.runtime.pretend import pretended_values


class LocalActions:
    """Remembers what was asked in ``calls`` and answers with made-up references."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def run(self, bot: Bot, action: Action, scope: Mapping[str, object]) -> ActionResult:
        self.calls.append(action.id)
        return ActionResult(True, pretended_values(action))

    async def close(self) -> None:
        return None
