"""The adapters of channels, made from the bot's settings and the environment."""

from __future__ import annotations

from collections.abc import Mapping

from supportbot.adapters.salesiq_push import SalesIQPush, bearer
from supportbot.config.environment import Environment
from supportbot.model.bot import Bot


def salesiq_push(bot: Bot, variables: Mapping[str, str]) -> SalesIQPush | None:
    """Delivers late answers; None while the settings do not say where and as whom."""
    settings, environment = bot.settings.salesiq, Environment(variables)
    texts = (settings.server, settings.screenname, settings.access_token)
    if environment.missing(*texts):
        return None
    server, screenname, token = (environment.expand(text).strip() for text in texts)
    if not (server and screenname and token):
        return None
    return SalesIQPush(server, screenname, bearer(token))
