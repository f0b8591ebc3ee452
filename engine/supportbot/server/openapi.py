"""GET /openapi.json: every route, described by hand; a test compares it with the routes."""

from __future__ import annotations

from functools import cache
from typing import Any

from aiohttp import web

from supportbot import __version__
from supportbot.server.problems import encode

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 0}
AMOUNT: Json = {"type": "number", "minimum": 0}
RATE: Json = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
MOMENT: Json = {"type": "string", "format": "date-time"}
SESSION_ID: Json = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
SALESIQ_NOTE = "The Zoho SalesIQ Zobot webhook. Answered with an action whatever is sent."


async def description(request: web.Request) -> web.Response:
    return web.Response(body=_encoded(), content_type="application/json")


@cache
def _encoded() -> bytes:
    return encode(document())


def document() -> Json:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "supportbot",
            "version": __version__,
            "description": "A support chatbot over HTTP. Paths that need the admin token answer without one to "
            "programs on the same machine, when the server listens on loopback and no token is set.",
        },
        "paths": _bot_paths() | _state_paths() | _admin_paths() | _page_paths(),
        "components": {
            "securitySchemes": {"admin": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


# --- building blocks ------------------------------------------------------------------------------


def _object(required: tuple[str, ...] = (), **properties: Json) -> Json:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def _list(item: Json) -> Json:
    return {"type": "array", "items": item}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(text: str, schema: Json, kind: str = "application/json") -> Json:
    return {"description": text, "content": {kind: {"schema": schema}}}


def _problems(*codes: str) -> Json:
    return {
        code: _answer("What is wrong and how to mend it.", _ref("Problem"), "application/problem+json")
        for code in codes
    }


def _operation(summary: str, answers: Json, *problems: str, admin: bool = False, **more: Any) -> Json:
    codes = (*problems, *(("401", "403") if admin else ()))
    operation: Json = {"summary": summary, "responses": answers | _problems(*codes, "429", "500", "503"), **more}
    if admin:
        operation["security"] = [{"admin": []}]
    return operation


def _body(schema: Json, required: bool = True) -> Json:
    return {"required": required, "content": {"application/json": {"schema": schema}}}


SESSION_PARAMETER: Json = {"name": "session_id", "in": "path", "required": True, "schema": SESSION_ID}
SINCE_PARAMETER: Json = {
    "name": "since",
    "in": "query",
    "description": "Only what happened since then, e.g. 7d. Empty: all that is kept.",
    "schema": {"type": "string", "pattern": "^([1-9][0-9]{0,4}[mhdw])?$"},
}


# --- paths ----------------------------------------------------------------------------------------


def _bot_paths() -> Json:
    return {
        "/": {"get": _operation("The service and its bot.", {"200": _answer("Names.", _ref("Service"))})},
        "/chat": {
            "post": _operation(
                "One message, one reply. The same message_id of a session gets the same answer again.",
                {"200": _answer("The reply.", _ref("Reply"))},
                *("400", "408", "413", "415"),
                requestBody=_body(_ref("Message")),
            )
        },
        "/webhook/salesiq": {
            "get": _operation(SALESIQ_NOTE, {"200": _answer("It is there.", _object())}),
            "post": _operation(
                SALESIQ_NOTE,
                {"200": _answer("An action.", _ref("Action"))},
                *("401", "413"),
                requestBody=_body({}, required=False),
            ),
        },
    }


def _state_paths() -> Json:
    status = _object(("status",), status=TEXT)
    health = {code: _answer("How the parts are doing.", _ref("Health")) for code in ("200", "503")}
    operation = _operation("How the parts are doing, by their last outcomes.", {})
    operation["responses"] = {**operation["responses"], **health}
    return {
        "/health": {"get": operation},
        "/livez": {"get": _operation("The process answers.", {"200": _answer("It does.", status)})},
        "/readyz": {"get": _operation("New requests are welcome.", {"200": _answer("They are.", status)})},
        "/openapi.json": {"get": _operation("This description.", {"200": _answer("OpenAPI 3.1.", _object())})},
    }


def _admin_paths() -> Json:
    on_session = {"parameters": [SESSION_PARAMETER]}
    reloaded = _ref("Reloaded")
    texts = {"content": {"text/plain": {"schema": TEXT}, "application/json": {"schema": _object()}}}
    return {
        "/reset/{session_id}": {
            "post": _operation(
                "Start that conversation again.",
                {
                    "200": _answer(
                        "Done.", _object(("session_id", "reset"), session_id=SESSION_ID, reset={"const": True})
                    )
                },
                *("400", "404"),
                admin=True,
                **on_session,
            )
        },
        "/sessions": {
            "get": _operation("Active sessions.", {"200": _answer("Newest first.", _ref("Sessions"))}, admin=True)
        },
        "/sessions/{session_id}": {
            "get": _operation(
                "A conversation and its decision records.",
                {"200": _answer("As it stands.", _object(("session", "records"), records=_list(_object())))},
                *("400", "404"),
                admin=True,
                **on_session,
            ),
            "delete": _operation(
                "Erase everything of that session.",
                {
                    "200": _answer(
                        "Gone.", _object(("session_id", "erased"), session_id=SESSION_ID, erased={"const": True})
                    )
                },
                *("400", "404"),
                admin=True,
                **on_session,
            ),
        },
        "/stats": {
            "get": _operation(
                "What was asked and what answered.",
                {"200": _answer("Counts with percentages.", _ref("Stats"))},
                "400",
                admin=True,
                parameters=[SINCE_PARAMETER],
            )
        },
        "/dashboard/figures": {
            "get": _operation(
                "The figures of the manager's page: /stats and /metrics/report, counted once.",
                {"200": _answer("Both.", _object(("stats", "report"), stats=_ref("Stats"), report=_ref("Report")))},
                "400",
                admin=True,
                parameters=[SINCE_PARAMETER],
            )
        },
        "/metrics": {
            "get": _operation(
                "For Prometheus; JSON with Accept: application/json.",
                {"200": {"description": "All metrics.", **texts}},
                admin=True,
            )
        },
        "/metrics/report": {
            "get": _operation(
                "Automation, tokens and money, by day and category.",
                {"200": _answer("The report.", _ref("Report"))},
                "400",
                admin=True,
                parameters=[SINCE_PARAMETER],
            )
        },
        "/reload": {
            "post": _operation(
                "Take changed files over; wrong ones leave the old bot.",
                {"200": _answer("The folder's bot answers.", reloaded), "422": _answer("It is wrong.", reloaded)},
                "409",
                admin=True,
            )
        },
    }


def _page_paths() -> Json:
    kinds = {
        "/widget": "text/html",
        "/widget/app.js": "text/javascript",
        "/widget/style.css": "text/css",
        "/widget/icon.svg": "image/svg+xml",
        "/dashboard/app.js": "text/javascript",
        "/dashboard/charts.js": "text/javascript",
        "/dashboard/numbers.js": "text/javascript",
        "/dashboard/style.css": "text/css",
        "/dashboard/icon.svg": "image/svg+xml",
    }
    unchanged = {"304": {"description": "As it was."}}
    files: Json = {
        path: {"get": _operation("A part of a page.", {"200": _answer("A file.", TEXT, kind), **unchanged})}
        for path, kind in kinds.items()
    }
    shown = {"200": _answer("The page; it asks /dashboard/figures for its figures.", TEXT, "text/html")}
    note = "Without the token a browser gets 401 or 403 with the page, whose form asks for the token."
    return files | {"/dashboard": {"get": _operation("The manager's page.", shown, admin=True, description=note)}}


# --- schemas --------------------------------------------------------------------------------------


def _schemas() -> Json:
    shares = {"type": "object", "additionalProperties": _object(("count", "percent"), count=COUNT, percent=AMOUNT)}
    seconds = {"type": ["number", "null"], "minimum": 0}
    latency = _object(("mean", "p50", "p95"), mean=seconds, p50=seconds, p95=seconds)
    group = _object(
        (
            "id",
            "messages",
            "conversations",
            "ended",
            "automated",
            "automation_rate",
            "tokens",
            "cost",
            "saved",
            "latency",
        ),
        id=TEXT,
        messages=COUNT,
        conversations=COUNT,
        ended=COUNT,
        automated=COUNT,
        automation_rate=RATE,
        tokens=COUNT,
        cost=AMOUNT,
        saved=COUNT,
        model_turns=COUNT,
        latency=latency,
    )
    visitor = {
        "type": "object",
        "maxProperties": 16,
        "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,39}$"},
        "additionalProperties": {"type": ["string", "null"], "maxLength": 320},
    }
    suggestion = _object(("text",), text=TEXT, suggestions=_list(TEXT))
    return {
        "Problem": _object(
            ("type", "title", "status", "detail", "request_id"),
            type=TEXT,
            title=TEXT,
            status=COUNT,
            detail=TEXT,
            request_id=TEXT,
        ),
        "Service": _object(
            ("service", "version", "bot", "revision"), service=TEXT, version=TEXT, bot=TEXT, revision=TEXT
        ),
        "Message": _object(
            ("message",),
            session_id={
                "oneOf": [{**SESSION_ID, "not": {"pattern": "^siq_"}}, {"type": "null"}],
                "description": "Without one a conversation begins.",
            },
            message={"type": "string", "description": "Empty: the greeting."},
            message_id={"type": ["string", "null"], "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"},
            visitor={"oneOf": [visitor, {"type": "null"}]},
        ),
        "Reply": _object(
            ("session_id", "replies", "state", "category", "handler", "llm", "actions", "revision", "request_id"),
            session_id=SESSION_ID,
            replies=_list(suggestion),
            llm=_object(("used",), used={"type": "boolean"}, model=TEXT, tokens=COUNT),
            actions=_list(TEXT),
            **dict.fromkeys(("state", "category", "handler", "revision", "request_id"), TEXT),
        ),
        "Action": _object(("action",), action=TEXT, replies=_list({"type": ["string", "object"]})),
        "Health": _object(
            ("status", "reasons", "active_sessions", "store", "model", "connections", "revision"),
            status={"enum": ["healthy", "degraded", "unhealthy"]},
            reasons=_list(TEXT),
            active_sessions={"type": ["integer", "null"], "minimum": 0},
            reload=_object(
                ("ok", "codes"),
                ok={"type": "boolean"},
                codes={"type": "object", "additionalProperties": COUNT, "description": "Errors by code."},
                diagnostics={**_list(TEXT), "description": "With their places; only for who may use admin paths."},
            ),
        ),
        "Sessions": _object(
            ("active", "sessions"),
            active=COUNT,
            sessions=_list(_object(("id", "state", "updated_at"), id=TEXT, state=TEXT, turns=COUNT, updated_at=MOMENT)),
        ),
        "Stats": _object(
            ("messages", "conversations", "ended", "resolution", "categories", "handlers", "guides", "states"),
            **dict.fromkeys(("messages", "conversations", "ended"), COUNT),
            **dict.fromkeys(("outcomes", "categories", "handlers", "guides", "states", "channels"), shares),
            resolution=_object(("rate", "results"), rate=RATE, results=shares),
            latency_seconds=latency,
        ),
        "Report": _object(
            ("messages", "ended", "automated", "automation_rate", "tokens", "by_day", "by_category", "top_misses"),
            **dict.fromkeys(("messages", "conversations", "ended", "automated", "missed"), COUNT),
            automation_rate=RATE,
            tokens=_object(("spent", "saved", "cost"), spent=COUNT, saved=COUNT, cost=AMOUNT),
            by_day=_list(group),
            by_category=_list(group),
            top_misses=_list(_object(("text", "count", "category"), text=TEXT, count=COUNT, category=TEXT)),
        ),
        "Reloaded": _object(
            ("ok", "changed", "revision", "diagnostics"),
            ok={"type": "boolean"},
            changed={"type": "boolean"},
            revision=TEXT,
            diagnostics=_list(
                _object(("code", "file", "line", "message"), code=TEXT, file=TEXT, line=COUNT, message=TEXT)
            ),
        ),
    }
