"""The composition of the server: routes, middlewares, shutdown."""

from __future__ import annotations

from aiohttp import web

from supportbot.runtime.delivery import Push
from supportbot.server import dashboard, figure_views, openapi, page_views, session_views, views, webhook
from supportbot.server.middlewares import border
from supportbot.server.observing import Beside
from supportbot.server.options import ServerOptions
from supportbot.server.responses import seal
from supportbot.server.service import SERVICE, Conversing, Service

SALESIQ = "/webhook/salesiq"


def create_app(
    conversations: Conversing, options: ServerOptions, push: Push | None = None, beside: Beside | None = None
) -> web.Application:
    """The application, ready for a Runner (protocol.py). Whoever made the conversations' adapters closes them.

    ``push`` delivers answers that SalesIQ did not wait for; None: they begin the next reply. ``beside``: what was made
    for metrics, alerts and reloading. Raises SettingsError.
    """
    app = web.Application(middlewares=[border], client_max_size=options.limits.body_bytes)
    app[SERVICE] = Service(conversations, options, push, beside)
    app.add_routes(routes())
    app.on_response_prepare.append(seal)
    app.on_shutdown.append(_stop_taking)
    app.on_cleanup.append(_finish_work)
    return app


def routes() -> list[web.RouteDef]:
    return [
        web.get("/", views.root),
        web.post(views.CHAT, views.take_message),
        web.post("/reset/{session_id}", session_views.reset),
        web.get("/sessions", session_views.list_sessions),
        web.get("/sessions/{session_id}", session_views.show_session),
        web.delete("/sessions/{session_id}", session_views.erase_session),
        web.get("/stats", figure_views.stats),
        web.get("/metrics", figure_views.metrics),
        web.get("/metrics/report", figure_views.report),
        web.post("/reload", figure_views.reload),
        web.get("/openapi.json", openapi.description),
        web.get("/health", views.health),
        web.get("/livez", views.livez),
        web.get("/readyz", views.readyz),
        web.get(SALESIQ, webhook.salesiq_ping),
        web.post(SALESIQ, webhook.salesiq_event),
        *page_views.widget_routes(),
        *dashboard.dashboard_routes(),
    ]


async def _stop_taking(app: web.Application) -> None:
    app[SERVICE].draining = True


async def _finish_work(app: web.Application) -> None:
    await app[SERVICE].finish_work()
