"""The page to try the bot in a browser, with its script, style and icon: package data, read once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent / "pages"

WIDGET_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)


@dataclass(frozen=True, slots=True)
class Page:
    """A file of the page. ``etag`` lets a browser keep it until it changes."""

    body: bytes
    content_type: str
    etag: str

    async def view(self, request: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": WIDGET_POLICY, "Cache-Control": "no-cache", "ETag": f'"{self.etag}"'}
        if any(tag.value == self.etag for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        charset = "utf-8" if self.content_type.startswith("text/") else None
        return web.Response(body=self.body, content_type=self.content_type, charset=charset, headers=headers)


def widget_routes() -> list[web.RouteDef]:
    return [
        web.get("/widget", page("widget.html", "text/html").view),
        web.get("/widget/app.js", page("widget.js", "text/javascript").view),
        web.get("/widget/style.css", page("widget.css", "text/css").view),
        web.get("/widget/icon.svg", page("icon.svg", "image/svg+xml").view),
    ]


def page(name: str, content_type: str) -> Page:
    """A file of the folder pages. Raises OSError."""
    body = (FOLDER / name).read_bytes()
    return Page(body, content_type, hashlib.sha256(body).hexdigest()[:32])
