"""The one Jinja2 environment: what templates and expressions may use, and how they are run.

Compiling a template runs nothing and folds nothing (``optimized=False``: constant folding would let
``{{ 'a' * 10**9 }}`` hang the compiler). Names that are not given are errors, not empty text.
"""

from __future__ import annotations

import html
from datetime import UTC, date, datetime
from functools import cache
from zoneinfo import ZoneInfo

from jinja2 import StrictUndefined, Undefined, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

_JINJA_FILTERS = ("lower", "upper", "title", "trim", "truncate", "replace", "join", "length", "round", "int")
FILTERS = (*_JINJA_FILTERS, "default", "spoken", "utc", "html")
OUTPUT_CHARS = 8_000


def or_default(value: object, other: object = "") -> object:
    """The value, or the other one where it is not known: every slot is in scope, as empty text until it is filled."""
    return other if isinstance(value, Undefined) or value is None or value == "" else value


@pass_context
def spoken(context: Context, value: object, zone: object = "") -> str:
    """``2026-11-24T16:00`` or ``2026-11-24`` as people say it; anything else as it is.

    A time is told in the visitor's time zone, which is then named when clocks there show something else than the
    bot's; ``zone`` asks for another one: ``spoken(bot.time_zone)``.
    """
    text = str(value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    named = ""
    if "T" in text and not zone:
        moment, named = _there(moment, _part(context, "bot"), _part(context, "visitor"))
    day = f"{moment:%A} {moment.day} {moment:%B}{_year(moment, context)}"
    return f"{day} at {moment:%H:%M}{named}" if "T" in text else day


def _year(moment: datetime, context: Context) -> str:
    """The year, where a moment is so far from today that its day alone would mislead."""
    now = context.get("now")
    today = str(now.get("date", "")) if isinstance(now, dict) else ""
    try:
        days = abs((moment.date() - date.fromisoformat(today)).days)
    except ValueError:
        return ""
    return f" {moment.year}" if days > 300 else ""


def _part(context: Context, name: str) -> str:
    """The time zone of ``bot`` or ``visitor``, empty where it is not known."""
    found = context.get(name)
    return str(found.get("time_zone") or "") if isinstance(found, dict) else ""


def _there(moment: datetime, here: str, there: str) -> tuple[datetime, str]:
    if not there or not here or there == here or moment.tzinfo is not None:
        return moment, ""
    try:
        home, zone = ZoneInfo(here), ZoneInfo(there)
        local = moment.replace(tzinfo=home).astimezone(zone)
    except (ValueError, LookupError, OverflowError, OSError):
        return moment, ""
    if local.replace(tzinfo=None) == moment:
        return moment, ""
    return local, f" {there.rpartition('/')[2].replace('_', ' ')} time"


def utc(value: object, zone: object = "UTC") -> str:
    """``2026-11-24T16:00`` in a time zone as ``2026-11-24T16:00:00.000Z``; empty when it is no date and time."""
    try:
        moment = datetime.fromisoformat(str(value))
        local = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(str(zone)))
        return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    except (ValueError, LookupError, OverflowError, OSError):
        return ""


def as_html(value: object) -> str:
    """Text that a page shows as it was typed, for services that take what they get for HTML."""
    return html.escape(str(value), quote=False).replace("\n", "<br>")


@cache
def environment() -> ImmutableSandboxedEnvironment:
    """The sandbox, with only the filters and tests of the language and no globals at all."""
    sandbox = ImmutableSandboxedEnvironment(
        optimized=False, undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
    )
    sandbox.globals = {}
    sandbox.filters = {name: sandbox.filters[name] for name in _JINJA_FILTERS} | {
        "default": or_default,
        "spoken": spoken,
        "utc": utc,
        "html": as_html,
    }
    sandbox.tests = {name: sandbox.tests[name] for name in ("defined", "none", "undefined")}
    return sandbox
