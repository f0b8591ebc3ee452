"""A real HTTP server that speaks the OpenAI protocol on loopback, well or badly, as ``mode`` says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from tests.serving import serving


class OpenAIServer:
    """``modes`` are used up one a request; the last one stays. ``asked`` keeps the requests' bodies."""

    def __init__(self, *modes: str) -> None:
        self.modes = list(modes) or ["ok"]
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.base = ""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[OpenAIServer]:
        async with serving(web.post("/v1/chat/completions", self._view)) as url:
            self.base = f"{url}/v1"
            yield self

    async def _view(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("Authorization", ""))
        mode = self.modes.pop(0) if len(self.modes) > 1 else self.modes[0]
        answer: web.StreamResponse = await getattr(self, f"_{mode}")(request)
        return answer

    async def _ok(self, _: web.Request) -> web.Response:
        return web.json_response(_completion("Restart the printer."))

    async def _hang(self, _: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(1200):
                await response.write(b" ")
                await asyncio.sleep(0.05)
        return response

    async def _rate_limited(self, _: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "30"})

    async def _broken(self, _: web.Request) -> web.Response:
        return web.Response(status=500, text="boom")

    async def _unauthorized(self, request: web.Request) -> web.Response:
        quoted = request.headers.get("Authorization", "")
        return web.json_response({"error": {"message": f"wrong key {quoted}"}}, status=401)

    async def _garbage(self, _: web.Request) -> web.Response:
        return web.Response(text='{"choices": [{{{', content_type="application/json")

    async def _html(self, _: web.Request) -> web.Response:
        return web.Response(text="<html><body>Maintenance</body></html>", content_type="text/html")

    async def _wrong_types(self, _: web.Request) -> web.Response:
        return web.json_response({"choices": "yes", "usage": "much"})

    async def _no_choices(self, _: web.Request) -> web.Response:
        return web.json_response(_completion("") | {"choices": []})

    async def _null_content(self, _: web.Request) -> web.Response:
        return web.json_response(_completion(None))

    async def _blank(self, _: web.Request) -> web.Response:
        return web.json_response(_completion(" \u202e\u200b\n "))

    async def _huge(self, _: web.Request) -> web.Response:
        return web.json_response(_completion("word " * 1_000_000))

    async def _tricky(self, _: web.Request) -> web.Response:
        return web.json_response(_completion("Go\u202e on\x07\x1b[31m \U000e0041now\r\nplease \ud800!"))


def _completion(content: str | None) -> dict[str, Any]:
    return {
        "id": "answer-1",
        "object": "chat.completion",
        "created": 1,
        "model": "test",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17},
    }
