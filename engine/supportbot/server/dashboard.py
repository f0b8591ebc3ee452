"""The manager's page. It holds no figures: its script asks /dashboard/figures for them, with the token.

A browser that follows a link cannot send the token. So whoever may not see the figures gets 401 or 403 like on every
admin path, and, when the caller shows pages, with the page itself as the body: its form asks for the token.
"""

from __future__ import annotations

from aiohttp import web

from supportbot.server.admin import check_admin
from supportbot.server.figure_views import figures
from supportbot.server.page_views import WIDGET_POLICY, page
from supportbot.server.problems import Problem

POLICY = WIDGET_POLICY
_PAGE = page("dashboard.html", "text/html")


async def dashboard(request: web.Request) -> web.Response:
    """GET /dashboard."""
    status, headers = 200, {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "Vary": "Accept"}
    try:
        check_admin(request)
    except Problem as problem:
        if "text/html" not in request.headers.get("Accept", ""):
            raise
        status = problem.status
        headers |= problem.headers
    return web.Response(
        status=status, body=_PAGE.body, content_type=_PAGE.content_type, charset="utf-8", headers=headers
    )


def dashboard_routes() -> list[web.RouteDef]:
    return [
        web.get("/dashboard", dashboard),
        web.get("/dashboard/figures", figures),
        web.get("/dashboard/app.js", page("dashboard.js", "text/javascript").view),
        web.get("/dashboard/charts.js", page("charts.js", "text/javascript").view),
        web.get("/dashboard/numbers.js", page("numbers.js", "text/javascript").view),
        web.get("/dashboard/style.css", page("dashboard.css", "text/css").view),
        web.get("/dashboard/icon.svg", page("icon.svg", "image/svg+xml").view),
    ]
