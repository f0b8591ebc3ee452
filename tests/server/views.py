"""A view of the smallest bot through the SalesIQ channel, for tests of single replies."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType

from tests.server.world import small_bot

from supportbot.config.environment import Environment
from supportbot.model.session import Session
from supportbot.server.options import Texts
from supportbot.server.salesiq_channel import read_channel
from supportbot.server.salesiq_reply import View

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
SESSION = Session("siq_1", "greeting", NOW, NOW)
NOTHING = Environment(MappingProxyType({}))
BOT = small_bot()
VIEW = View(BOT, read_channel(BOT.settings.salesiq, NOTHING), NOTHING, Texts(), NOW)
