"""Admin views of single conversations: who is there, what was decided, starting again, erasing."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from aiohttp import web

from supportbot.server import chat, logs
from supportbot.server.admin import admin
from supportbot.server.problems import Problem, json_response
from supportbot.server.service import SERVICE

NOT_THERE = "There is no conversation with this session id."
LISTED = 1_000


@admin
async def reset(request: web.Request) -> web.Response:
    """POST /reset/{session_id}: the next message of that session meets a new conversation."""
    session_id = _session_id(request)
    if not await request.app[SERVICE].conversations.reset(session_id):
        raise Problem(404, NOT_THERE)
    return json_response({"session_id": session_id, "reset": True, "request_id": logs.REQUEST_ID.get()})


@admin
async def list_sessions(request: web.Request) -> web.Response:
    """GET /sessions: the active ones, the newest first."""
    service = request.app[SERVICE]
    since = service.now() - timedelta(minutes=service.bot.settings.limits.session_minutes)
    store = service.conversations.store
    lines = await store.sessions(since, LISTED)
    total = len(lines) if len(lines) < LISTED else await store.active(since)
    return json_response({"active": total, "sessions": msgspec.to_builtins(lines)})


@admin
async def show_session(request: web.Request) -> web.Response:
    """GET /sessions/{session_id}: the conversation as it stands, and its decision records."""
    session_id = _session_id(request)
    store = request.app[SERVICE].conversations.store
    session, records = await store.load(session_id), await store.records(session_id)
    if session is None and not records:
        raise Problem(404, NOT_THERE)
    shown = None if session is None else msgspec.structs.asdict(session)  # whole: stored ones leave out what is usual
    return json_response({"session": shown, "records": msgspec.to_builtins(records)})


@admin
async def erase_session(request: web.Request) -> web.Response:
    """DELETE /sessions/{session_id}: conversation, records and stored replies are gone from the file itself."""
    session_id = _session_id(request)
    if not await request.app[SERVICE].conversations.erase(session_id):
        raise Problem(404, NOT_THERE)
    return json_response({"session_id": session_id, "erased": True, "request_id": logs.REQUEST_ID.get()})


def _session_id(request: web.Request) -> str:
    session_id = chat.check_session_id(request.match_info["session_id"])
    logs.SESSION_ID.set(session_id)
    return session_id
