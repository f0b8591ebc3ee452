"""Counters that a decision record adds to: kept in the store with it, so that they survive a restart and a purge."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from supportbot.runtime.ports import Record

Tallies = Mapping[tuple[str, str], float]  # (name, labels joined by LABELS_END) -> value

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
    added: dict[tuple[str, str], float] = {}
    if record.result:
        added[CLOSED, labels(record.result, record.category)] = 1
    if record.state != record.next_state or record.opening:
        added[STATES, record.next_state] = 1
    if not is_message(record):
        return added
    outcome = outcome_of(record)
    added[MESSAGES, labels(record.channel, outcome)] = 1
    added[HITS, labels(record.handler, record.category)] = 1
    added[TURN_BUCKET, labels(outcome, bucket_of(record.elapsed))] = 1
    added[TURN_SECONDS, outcome] = record.elapsed
    if record.opening:
        added[OPENED, record.channel] = 1
    if record.saved:
        added[SAVED, ""] = record.saved
    if record.model:
        added[CALLS, labels(record.model, record.error or "ok")] = 1
    if tokens := record.tokens_in + record.tokens_out:
        added[TOKENS_IN, record.model] = record.tokens_in
        added[TOKENS_OUT, record.model] = record.tokens_out
        added[DAY_TOKENS, record.day] = tokens
    if record.cost:
        added[COST, record.model] = record.cost
        added[DAY_COST, record.day] = record.cost
    return added


def bucket_of(seconds: float) -> str:
    """The smallest upper bound that holds ``seconds``."""
    at = bisect_left(SECONDS, seconds)
    return BUCKETS[at] if at < len(BUCKETS) else OVER
