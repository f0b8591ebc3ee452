"""Admin views of the figures, and of reloading."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from typing import Any

import msgspec
from aiohttp import web

from supportbot import __version__
from supportbot.errors import StoreError
from supportbot.runtime.metrics import CONTENT_TYPE, Now, exposition, summary
from supportbot.runtime.statistics import Report, report_of
from supportbot.runtime.summaries import automation_json, stats_json
from supportbot.runtime.tallies import Tallies
from supportbot.server import logs
from supportbot.server.admin import admin
from supportbot.server.problems import Problem, json_response
from supportbot.server.service import SERVICE, Service
from supportbot.server.views import SHOWN, active_sessions

SINCE = re.compile(r"([1-9][0-9]{0,4})(m|h|d|w)", re.ASCII)
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@admin
async def stats(request: web.Request) -> web.Response:
    """GET /stats: categories, handlers, guides, states and how conversations ended; ``?since=7d`` narrows it."""
    service = request.app[SERVICE]
    return json_response(_stats(service, await _counted(request)))


@admin
async def report(request: web.Request) -> web.Response:
    """GET /metrics/report: automation, tokens and money, by day and category."""
    service = request.app[SERVICE]
    return json_response(_report(service, await _counted(request)))


@admin
async def figures(request: web.Request) -> web.Response:
    """GET /dashboard/figures: both of them, counted once, so that they cannot differ by a turn in between."""
    service, counted = request.app[SERVICE], await _counted(request)
    return json_response({"stats": _stats(service, counted), "report": _report(service, counted)})


@admin
async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: Prometheus' text format, or JSON when ``Accept`` says so."""
    service = request.app[SERVICE]
    breaker = service.beside.breaker
    now = Now(
        version=__version__,
        revision=service.bot.revision,
        sessions=await active_sessions(service),
        turns=service.in_work,
        breaker_open=breaker is not None and breaker.is_open,
        tallies=await _tallies(service),
    )
    if "application/json" in request.headers.get("Accept", ""):
        return json_response(summary(service.metrics, now))
    return web.Response(body=exposition(service.metrics, now), headers={"Content-Type": CONTENT_TYPE})


async def _tallies(service: Service) -> Tallies:
    """None when the store does not answer: what this process counted is needed most then."""
    try:
        async with asyncio.timeout(service.options.limits.health_seconds):
            return await service.conversations.store.tallies()
    except (StoreError, TimeoutError):
        return {}


@admin
async def reload(request: web.Request) -> web.Response:
    """POST /reload: 200 when the bot of the folder answers now, 422 with what is wrong with it when it does not."""
    service = request.app[SERVICE]
    if service.beside.reloader is None:
        raise Problem(409, "This server cannot reload its bot.")
    reloaded = await service.beside.reloader.reload()
    service.beside.tell_others()
    body: dict[str, object] = {
        "ok": reloaded.ok,
        "changed": reloaded.changed,
        "revision": reloaded.revision,
        "diagnostics": [_finding(item) for item in msgspec.to_builtins(reloaded.diagnostics[:SHOWN])],
        "request_id": logs.REQUEST_ID.get(),
    }
    return json_response(body, 200 if reloaded.ok else 422)


async def _counted(request: web.Request) -> Report:
    service = request.app[SERVICE]
    return report_of(await service.conversations.store.figures(_since(request, service)))


def _stats(service: Service, counted: Report) -> dict[str, Any]:
    return {"bot": service.bot.settings.name, "revision": service.bot.revision, **stats_json(counted)}


def _report(service: Service, counted: Report) -> dict[str, Any]:
    return {"bot": service.bot.settings.name, **automation_json(counted)}


def _finding(item: dict[str, object]) -> dict[str, object]:
    """In the form of ``supportbot validate --format json``."""
    place = item["place"]
    assert isinstance(place, dict)
    names = ("code", "severity", "message", "hint")
    return {**{name: item[name] for name in names[:2]}, **place, **{name: item[name] for name in names[2:]}}


def _since(request: web.Request, service: Service) -> datetime | None:
    """The moment that ``?since=`` means; None for all that is kept."""
    given = request.query.get("since", "")
    if not given:
        return None
    found = SINCE.fullmatch(given)
    if found is None:
        raise Problem(400, '"since" is a number and m, h, d or w, e.g. 7d.')
    return service.now() - timedelta(**{UNITS[found[2]]: int(found[1])})
