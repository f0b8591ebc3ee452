"""Counters that a decision record adds to: kept in the store with it, so that they survive a restart and a purge."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from functools import lru_cache

from supportbot.runtime.ports import Record

Key = tuple[str, str]  # (name, labels joined by LABELS_END)
Tallies = Mapping[Key, float]

LABELS_END = "\x1f"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0)
BUCKETS = tuple(f"{bound:g}" for bound in SECONDS)
OVER = "+Inf"
UNASKED = ("greeting", "timeout")  # kinds of records without a visitor's message

MESSAGES = "messages"  # channel, outcome
HITS = "hits"  # rule, category
STATES = "states"  # state entered, by a message or by silence
CLOSED = "closed"  # result, category
OPENED = "opened"  # channel
TOKENS_IN, TOKENS_OUT, COST = "tokens_in", "tokens_out", "cost"  # model
CALLS = "calls"  # model, outcome
SAVED = "saved"  # no label
TURN_BUCKET, TURN_SECONDS = "turn_bucket", "turn_seconds"  # outcome, upper bound; outcome
DAY_TOKENS, DAY_COST = "day_tokens", "day_cost"  # day
_SAVED = (SAVED, "")


def labels(*values: str) -> str:
    return LABELS_END.join(values)


def is_message(record: Record) -> bool:
    """Whether a visitor's message began the turn; greetings and time-outs have none."""
    return record.kind not in UNASKED


def outcome_of(record: Record) -> str:
    """``rule``, ``llm``, or ``fallback``: no rule fitted and no model answered."""
    if record.kind != "llm":
        return "rule"
    return "fallback" if record.error or not record.model else "llm"


def tallies_of(record: Record) -> Tallies:
    """What one record adds."""
    added: dict[Key, float] = {}
    add_tallies(added, record)
    return added


def add_tallies(added: dict[Key, float], record: Record) -> None:
    """Add what one record adds to what others did."""
    if record.result:
        _add(added, CLOSED, labels(record.result, record.category), 1)
    if record.state != record.next_state or record.opening:
        _add(added, STATES, record.next_state, 1)
    if record.kind in UNASKED:
        return
    outcome, seconds = outcome_of(record), record.elapsed
    bucket = bisect_left(SECONDS, seconds)
    timed, counted = _keys_of_message(outcome, record.channel, record.handler, record.category, bucket)
    added[timed] = added.get(timed, 0) + seconds
    for key in counted:
        added[key] = added.get(key, 0) + 1
    if record.saved:
        added[_SAVED] = added.get(_SAVED, 0) + record.saved
    if record.opening:
        _add(added, OPENED, record.channel, 1)
    if record.model:
        _add(added, CALLS, labels(record.model, record.error or "ok"), 1)
    if tokens := record.tokens_in + record.tokens_out:
        _add(added, TOKENS_IN, record.model, record.tokens_in)
        _add(added, TOKENS_OUT, record.model, record.tokens_out)
        _add(added, DAY_TOKENS, record.day, tokens)
    if record.cost:
        _add(added, COST, record.model, record.cost)
        _add(added, DAY_COST, record.day, record.cost)


def _add(added: dict[Key, float], name: str, of: str, value: float) -> None:
    key = (name, of)
    added[key] = added.get(key, 0) + value


@lru_cache(maxsize=4_096)
def _keys_of_message(
    outcome: str, channel: str, handler: str, category: str, bucket: int
) -> tuple[Key, tuple[Key, ...]]:
    """What a message adds its seconds to, and what it adds one to: the same for many messages."""
    counted = (
        (MESSAGES, labels(channel, outcome)),
        (HITS, labels(handler, category)),
        (TURN_BUCKET, labels(outcome, _bound(bucket))),
    )
    return (TURN_SECONDS, outcome), counted


def bucket_of(seconds: float) -> str:
    """The smallest upper bound that holds ``seconds``."""
    return _bound(bisect_left(SECONDS, seconds))


def _bound(bucket: int) -> str:
    return BUCKETS[bucket] if bucket < len(BUCKETS) else OVER
