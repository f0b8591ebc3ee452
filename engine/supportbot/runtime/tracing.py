"""What follows requests and their turns for whoever collects traces. It takes no part in them."""

from __future__ import annotations

from typing import Protocol

from supportbot.model.bot import Bot
from supportbot.runtime.results import TurnResult


class Tracing(Protocol):
    """Told of each request, in its own tasks. Never raises, and nobody waits for it."""

    def arrived(self, method: str, route: str, traceparent: str, request_id: str) -> None:
        """``route``: the path as it was declared. ``traceparent``: the caller's W3C header, well-formed or empty."""
        ...

    def responded(self, status: int) -> None: ...

    def took_turn(self, bot: Bot, result: TurnResult) -> None: ...

    def turn_failed(self, channel: str, failure: BaseException) -> None: ...

    async def close(self) -> None:
        """Send what still waits, within two seconds."""
        ...
