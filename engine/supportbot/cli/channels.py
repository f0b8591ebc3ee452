"""The adapters of channels, made from the bot's settings and the environment."""

from __future__ import annotations

from collections.abc import Mapping

from supportbot.adapters.http_actions import HttpActions
from supportbot.adapters.requests import missing_of_connection
from supportbot.adapters.salesiq_push import SalesIQPush, bearer, portal
from supportbot.config.environment import Environment
from supportbot.model.bot import Bot


def salesiq_push(bot: Bot, variables: Mapping[str, str], actions: HttpActions) -> SalesIQPush | None:
    """Delivers late answers; None while the settings do not say where and as whom.

    A connection says both, and its token is renewed. Without one, a server, a portal and a token do for a while.
    """
    settings, environment = bot.settings.salesiq, Environment(variables)
    connection = bot.connections.get(settings.connection)
    if connection is not None and not missing_of_connection(connection, variables):
        return SalesIQPush(environment.expand(connection.base_url), lambda: actions.sign_in(connection))
    texts = (settings.server, settings.screenname, settings.access_token)
    if environment.missing(*texts):
        return None
    server, screenname, token = (environment.expand(text).strip() for text in texts)
    if not (server and screenname and token):
        return None
    return SalesIQPush(portal(server, screenname), bearer(token))
