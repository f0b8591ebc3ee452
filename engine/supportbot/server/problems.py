"""Errors as the caller sees them: application/problem+json (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web

from supportbot.errors import SupportbotError
from supportbot.server import logs
from supportbot.server.responses import Prepared

NO_HEADERS: Mapping[str, str] = {}


_encode = msgspec.json.Encoder().encode


class Problem(SupportbotError):
    """A request that cannot be answered. ``detail`` is read by the caller: what is wrong and how to mend it.

    ``closes``: the rest of the request is not worth reading, so the connection ends with the response.
    """

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] = NO_HEADERS, *, closes: bool = False
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.closes = closes


def problem_body(status: int, detail: str) -> dict[str, object]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": logs.REQUEST_ID.get(),
    }


def problem_response(problem: Problem) -> Prepared:
    body = encode(problem_body(problem.status, problem.detail))
    kind, headers = "application/problem+json", tuple(problem.headers.items())
    response = Prepared(body, status=problem.status, kind=kind, headers=headers)
    if problem.closes:
        response.force_close()
    return response


def json_response(body: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=encode(body), content_type="application/json")


def encode(body: object) -> bytes:
    """JSON in UTF-8. Lone surrogates, which UTF-8 cannot hold, become question marks."""
    try:
        return _encode(body)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(body), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def from_http_error(failure: web.HTTPException) -> Problem:
    """aiohttp's own refusals (no such route, wrong method, ...) in our form."""
    allowed = failure.headers.get("Allow")
    headers = {"Allow": allowed} if allowed else NO_HEADERS
    if failure.status == 404:
        return Problem(404, "There is nothing at this address.", headers)
    if failure.status == 405:
        methods = allowed.replace(",", ", ") if allowed else "other methods"
        return Problem(405, f"This address answers {methods} only.", headers)
    if failure.status == 413:
        return Problem(413, "The request is larger than this server reads.", headers)
    if failure.status == 417:
        return Problem(417, "Of the header Expect only 100-continue is understood.", headers)
    return Problem(failure.status, failure.reason, headers)
