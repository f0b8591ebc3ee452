"""Reports as plain values, the way the views and ``supportbot stats`` show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from supportbot.runtime.statistics import TOP, Group, Report, Share


def stats_json(report: Report) -> dict[str, Any]:
    """What was said: messages by everything that decided about them, and how conversations ended."""
    total = report.total
    return {
        "messages": total.messages,
        "conversations": total.conversations,
        "ended": total.ended,
        "resolution": {
            "rate": report.resolution_rate,
            "results": _shares(report.results),
        },
        "outcomes": _shares(report.outcomes),
        "categories": _shares(report.categories),
        "handlers": _shares(report.handlers),
        "guides": _shares(report.guides),
        "states": _shares(report.states),
        "channels": _shares(report.channels),
        "latency_seconds": msgspec.to_builtins(total.latency),
    }


def automation_json(report: Report) -> dict[str, Any]:
    """What the bot is worth: conversations without a person, tokens and money spent, tokens saved."""
    total = report.total
    whole = total.tokens + total.saved
    return {
        "messages": total.messages,
        "conversations": total.conversations,
        "ended": total.ended,
        "automated": total.automated,
        "automation_rate": total.automation_rate,
        "with_person": total.ended - total.automated,
        "results": _shares(report.results),
        "tokens": {
            "spent": total.tokens,
            "saved": total.saved,
            "saved_rate": total.saved / whole if whole else None,
            "cost": total.cost,
        },
        "models": msgspec.to_builtins(report.models),
        "by_day": [_group(group) for group in report.by_day],
        "by_category": [_group(group) for group in report.by_category],
        "top_handlers": _shares(report.handlers[:TOP]),
        "missed": report.missed,
        "top_misses": msgspec.to_builtins(report.misses),
    }


def _shares(shares: Sequence[Share]) -> dict[str, dict[str, float]]:
    return {share.id: {"count": share.count, "percent": share.percent} for share in shares}


def _group(group: Group) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(group)
    return found
