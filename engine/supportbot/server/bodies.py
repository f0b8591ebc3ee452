"""Request bodies: bytes to a JSON object, or a problem that says what is wrong with them."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections import Counter
from typing import Any

from aiohttp import hdrs, web

from supportbot.server.options import ServerLimits
from supportbot.server.problems import Problem

JSON_TYPES = {"application/json"}
SURROGATES = re.compile("[\ud800-\udfff]")


async def read_body(request: web.Request, limits: ServerLimits) -> bytes:
    """The raw body. Raises Problem: 415 encoded, 413 too large, 408 too slow, 400 broken."""
    encoding = request.headers.get(hdrs.CONTENT_ENCODING)
    if encoding is not None and encoding.strip().lower() not in {"", "identity"}:
        raise Problem(415, "Compressed bodies are not read. Send the body without Content-Encoding.")
    if _announced(request) > limits.body_bytes:
        raise too_large(limits)
    try:
        if request.content.is_eof():  # it is all there: nothing to wait for
            return await request.read()
        async with asyncio.timeout(limits.body_seconds):
            return await request.read()
    except TimeoutError:
        seconds = f"{limits.body_seconds:g}"
        raise Problem(408, f"The body did not arrive within {seconds} seconds.", closes=True) from None
    except web.HTTPRequestEntityTooLarge:
        raise too_large(limits) from None
    except (web.RequestPayloadError, ConnectionError) as failure:
        raise Problem(400, "The body ended before it was complete.") from failure


def _announced(request: web.Request) -> int:
    """Bytes by Content-Length. Raises Problem 400 for one of so many digits that Python does not read it."""
    try:
        return request.content_length or 0
    except ValueError:
        raise Problem(400, "The header Content-Length is no sensible number.", closes=True) from None


def too_large(limits: ServerLimits) -> Problem:
    detail = f"The body is larger than {limits.body_bytes // 1024} KiB. Send a shorter message."
    return Problem(413, detail, closes=True)


def require_json_type(request: web.Request) -> None:
    """Only application/json in UTF-8. It also keeps other sites' forms out: browsers ask us first for that type."""
    given = request.headers.get(hdrs.CONTENT_TYPE)
    if given == "application/json":
        return
    if given is None or request.content_type not in JSON_TYPES:
        raise Problem(415, "Send the body as JSON, with the header Content-Type: application/json.")
    charset = request.charset
    if charset is not None and charset.lower() not in {"utf-8", "utf8"}:
        raise Problem(415, "Send the JSON in UTF-8.")


def parse_object(body: bytes, limits: ServerLimits) -> dict[str, Any]:
    """The JSON object in ``body``. Raises Problem 400 for anything else."""
    if not body.strip():
        raise Problem(400, 'The body is empty. Send a JSON object such as {"message": "hello"}.')
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        raise Problem(400, f"The body is not UTF-8: byte {failure.start + 1} fits no character.") from None
    if deeper_than(text, limits.body_depth):
        raise Problem(400, f"The JSON is nested more than {limits.body_depth} levels deep.")
    value = _load(text)
    if not isinstance(value, dict):
        raise Problem(400, f"The body is {kind_of(value)}; a JSON object is expected.")
    return value


def _load(text: str) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float, parse_int=_integer
        )
    except json.JSONDecodeError as failure:
        where = f"line {failure.lineno}, column {failure.colno}"
        raise Problem(400, f"The body is not JSON: {failure.msg} at {where}.") from None
    except (ValueError, RecursionError):
        raise Problem(400, "The body is not JSON that can be read.") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise Problem(400, f"The key {clean(twice)[:40]!r} is there twice in one JSON object.")
    return made


def _constant(name: str) -> Any:
    raise Problem(400, f"{name} is not a JSON value.")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Problem(400, "A number is too large.")
    return number


def _integer(text: str) -> int:
    if len(text) > 64:
        raise Problem(400, "A number has more than 64 digits.")
    return int(text)


def deeper_than(text: str, depth: int) -> bool:
    """Whether arrays and objects nest deeper than that; brackets inside strings do not count."""
    if text.count("[") + text.count("{") <= depth:
        return False
    level = 0
    quoted = escaped = False
    for char in text:
        if quoted:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char in "[{":
            level += 1
            if level > depth:
                return True
        elif char in "]}":
            level -= 1
    return False


def clean(text: str) -> str:
    """Without lone surrogates, which JSON can spell but UTF-8 cannot hold, and without NUL."""
    if text.isascii():
        return text.replace("\x00", "")
    return SURROGATES.sub("\ufffd", text).replace("\x00", "")


def kind_of(value: object) -> str:
    """A JSON type in words, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"
