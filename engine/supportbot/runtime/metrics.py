"""Figures for monitoring: what one process counted itself, and the store's counters, in Prometheus' words.

What says something about conversations comes from the store, so that it survives a restart and is the same in
every process. What says something about this process (stages, requests, refusals) begins at zero with it.
No label holds anything that a visitor can choose.
"""

from __future__ import annotations

import platform
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from supportbot.runtime import tallies as t
from supportbot.runtime.tallies import BUCKETS, LABELS_END, OVER, SECONDS, Tallies

MOST_LABELS = 2_000  # label sets of one metric; what comes after is counted under OTHER
OTHER = "other"


class Durations:
    """A histogram for each label, in the buckets of tallies.SECONDS."""

    def __init__(self) -> None:
        self.by_label: dict[str, tuple[list[int], list[float]]] = {}

    def add(self, label: str, seconds: float) -> None:
        found = self.by_label.get(label)
        if found is None:
            if len(self.by_label) >= MOST_LABELS:
                label = OTHER
            found = self.by_label.setdefault(label, ([0] * (len(SECONDS) + 1), [0.0]))
        found[0][bisect_left(SECONDS, seconds)] += 1
        found[1][0] += seconds


@dataclass(slots=True)
class Metrics:
    """What this process counts. Only the event loop's thread may write to it."""

    stages: Durations = field(default_factory=Durations)  # stage
    requests: Durations = field(default_factory=Durations)  # route, method, status
    upstream: Durations = field(default_factory=Durations)  # service, outcome
    refused: Counter[str] = field(default_factory=Counter)  # reason
    failed: Counter[str] = field(default_factory=Counter)  # channel
    repeated: Counter[str] = field(default_factory=Counter)  # channel
    late: Counter[str] = field(default_factory=Counter)  # channel
    reloads: Counter[str] = field(default_factory=Counter)  # result
    alerts: Counter[str] = field(default_factory=Counter)  # kind, result
    lines: Counter[str] = field(default_factory=Counter)  # level
    store_failures: int = 0
    last_reload_ok: bool = True
    last_reload_at: float = field(default_factory=time.time)  # the last successful one, seconds of the epoch
    longest_pause: float = 0.0  # of the event loop in the last minute, seconds

    def count(self, counter: Counter[str], *labels: str) -> None:
        name = LABELS_END.join(labels)
        if name not in counter and len(counter) >= MOST_LABELS:
            name = LABELS_END.join([OTHER] * len(labels))
        counter[name] += 1


@dataclass(frozen=True, slots=True)
class Now:
    """What is so at this moment."""

    version: str
    revision: str
    sessions: int | None  # active; None when the store does not answer
    turns: int  # in work
    breaker_open: bool
    tallies: Tallies


class _Once(Collector):
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(metrics: Metrics, now: Now) -> bytes:
    """All metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once([*_stored(now.tallies), *_own(metrics), *_moment(metrics, now)]))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def summary(metrics: Metrics, now: Now) -> dict[str, object]:
    """The same values for programs that read JSON: name -> value, or name -> labels -> value; histograms in short."""
    found: dict[str, object] = {}
    for family in [*_stored(now.tallies), *_own(metrics), *_moment(metrics, now)]:
        values = {}
        for sample in family.samples:
            if not sample.name.endswith("_bucket"):
                part = sample.name.removeprefix(family.name).removeprefix("_total").strip("_")
                values[",".join([*sample.labels.values(), *([part] if part else [])])] = sample.value
        name = family.name + ("_total" if family.type == "counter" else "")
        found[name] = values[""] if list(values) == [""] else values
    return found


# --- from the store -------------------------------------------------------------------------------


def _stored(tallies: Tallies) -> Iterator[Metric]:
    by_name: dict[str, dict[tuple[str, ...], float]] = {}
    for (name, labels), value in sorted(tallies.items()):
        own = by_name.setdefault(name, {})
        values = tuple(labels.split(LABELS_END))
        if len(own) >= MOST_LABELS:
            values = (OTHER,) * len(values)
        own[values] = own.get(values, 0.0) + value

    def counter(name: str, text: str, labels: Sequence[str], *sources: str) -> Metric:
        family = CounterMetricFamily(f"supportbot_{name}", text, labels=labels)
        for source in sources:
            more = (source.removeprefix("tokens_") + "put",) if len(sources) > 1 else ()
            for values, value in by_name.get(source, {}).items():
                family.add_metric([*(values if labels else ()), *more], value)
        return family

    yield counter("messages", "Messages of visitors that were answered.", ["channel", "outcome"], t.MESSAGES)
    yield counter("rule_hits", "Messages by the rule that answered.", ["rule", "category"], t.HITS)
    yield counter("state_entries", "How often a state was entered.", ["state"], t.STATES)
    yield counter("conversations_opened", "Conversations that began.", ["channel"], t.OPENED)
    yield counter("conversations_closed", "Conversations that ended.", ["result", "category"], t.CLOSED)
    yield counter("llm_requests", "Turns that asked a model.", ["model", "outcome"], t.CALLS)
    yield counter("llm_tokens", "Tokens that models took.", ["model", "type"], t.TOKENS_IN, t.TOKENS_OUT)
    yield counter("llm_cost", "Money that models took.", ["model"], t.COST)
    yield counter("tokens_saved", "Tokens not sent, against all knowledge with each message.", [], t.SAVED)
    turns = HistogramMetricFamily(
        "supportbot_turn_duration_seconds", "From a message to its reply.", labels=["outcome"]
    )
    seconds = by_name.get(t.TURN_SECONDS, {})
    buckets = by_name.get(t.TURN_BUCKET, {})
    for (outcome, *_), total in seconds.items():
        counts = [buckets.get((outcome, bound), 0.0) for bound in (*BUCKETS, OVER)]
        turns.add_metric([outcome], _cumulated(counts), total)
    yield turns


# --- of this process ------------------------------------------------------------------------------


def _own(metrics: Metrics) -> Iterator[Metric]:
    yield _histogram("stage_duration", "Parts of a turn.", ["stage"], metrics.stages)
    yield _histogram("http_request_duration", "HTTP requests.", ["route", "method", "status"], metrics.requests)
    yield _histogram("upstream_request_duration", "Calls of services.", ["service", "outcome"], metrics.upstream)
    yield _counter("requests_refused", "Requests beyond a limit.", ["reason"], metrics.refused)
    yield _counter("turns_failed", "Turns that could not be concluded.", ["channel"], metrics.failed)
    yield _counter("turns_repeated", "Repeated deliveries that got their stored reply.", ["channel"], metrics.repeated)
    yield _counter("turns_late", "Webhooks answered at their deadline.", ["channel"], metrics.late)
    yield _counter("rules_reloads", "Reloads of the bot.", ["result"], metrics.reloads)
    yield _counter("alerts", "Alerts.", ["kind", "result"], metrics.alerts)
    yield _counter("log_messages", "Lines of the log.", ["level"], metrics.lines)
    text = "Reads and writes that the store refused, and seconds without an answer."
    store = CounterMetricFamily("supportbot_store_failures", text)
    store.add_metric([], metrics.store_failures)
    yield store


def _moment(metrics: Metrics, now: Now) -> Iterator[Metric]:
    def gauge(name: str, text: str, value: float) -> Metric:
        return GaugeMetricFamily(f"supportbot_{name}", text, value=value)

    if now.sessions is not None:
        yield gauge("sessions_active", "Conversations with a turn in the last minutes.", now.sessions)
    yield gauge("turns_in_work", "Turns that are being worked on.", now.turns)
    yield gauge("model_paused", "1 while the model is left alone after failures.", now.breaker_open)
    yield gauge("rules_last_reload_successful", "1 when the last reload went well.", metrics.last_reload_ok)
    yield gauge(
        "rules_last_reload_success_timestamp_seconds", "When rules were taken over last.", metrics.last_reload_at
    )
    yield gauge("event_loop_pause_seconds", "The longest pause in the last minute.", metrics.longest_pause)
    info = GaugeMetricFamily("supportbot_build_info", "What runs.", labels=["version", "python", "revision"])
    info.add_metric([now.version, platform.python_version(), now.revision], 1)
    yield info


def _histogram(name: str, text: str, labels: Sequence[str], durations: Durations) -> Metric:
    family = HistogramMetricFamily(f"supportbot_{name}_seconds", text, labels=labels)
    for label, (counts, total) in durations.by_label.items():
        values = label.split(LABELS_END)
        family.add_metric(values if len(values) == len(labels) else [OTHER] * len(labels), _cumulated(counts), total[0])
    return family


def _counter(name: str, text: str, labels: Sequence[str], counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"supportbot_{name}", text, labels=labels)
    for label, value in counts.items():
        family.add_metric(label.split(LABELS_END), value)
    return family


def _cumulated(counts: Sequence[float]) -> list[tuple[str, float]]:
    total, buckets = 0.0, []
    for bound, count in zip((*BUCKETS, OVER), counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets
