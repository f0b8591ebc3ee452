"""Reports for people who run a bot: pure functions from figures to frozen reports."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from supportbot.runtime.figures import EndLine, Figures, Miss, ModelLine, TurnLine
from supportbot.runtime.ports import Record
from supportbot.runtime.tallies import BUCKETS, OVER, SECONDS, bucket_of, is_message, outcome_of

MISSES = 20
TOP = 20
RESULTS = ("resolved", "closed", "abandoned", "person")
_ALL_BUCKETS = (*BUCKETS, OVER)

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole; ``percent`` of the whole, with one decimal."""

    id: str
    count: int
    percent: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from reading the session to the reply; ``p50`` and ``p95`` are upper bounds of their bucket."""

    mean: float | None
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """A day or a category. ``automated``: conversations that ended without a person."""

    id: str
    messages: int
    conversations: int
    ended: int
    automated: int
    automation_rate: float | None  # 0 to 1; None when none has ended
    tokens: int
    cost: float
    saved: int
    model_turns: int
    latency: Latency


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the views, the command and the dashboard show."""

    total: Group
    results: tuple[Share, ...]  # how conversations ended
    resolution_rate: float | None  # resolved of those that ended, 0 to 1
    outcomes: tuple[Share, ...]  # of messages: rule, llm, fallback
    categories: tuple[Share, ...]
    handlers: tuple[Share, ...]
    guides: tuple[Share, ...]
    states: tuple[Share, ...]
    channels: tuple[Share, ...]
    by_day: tuple[Group, ...]
    by_category: tuple[Group, ...]
    models: tuple[ModelLine, ...]
    misses: tuple[Miss, ...]
    missed: int  # messages that no rule knew


def report_of(figures: Figures) -> Report:
    turns, ends = figures.turns, figures.ends
    messages = sum(line.turns for line in turns)
    total = _group("total", turns, ends)
    ended = Counter[str]()
    for end in ends:
        ended[end.result] += end.conversations
    return Report(
        total=total,
        results=tuple(_share(name, ended[name], total.ended) for name in RESULTS),
        resolution_rate=ended["resolved"] / total.ended if total.ended else None,
        outcomes=_shares(turns, _outcome, messages),
        categories=_shares(turns, lambda line: line.category, messages),
        handlers=_shares(turns, lambda line: line.handler, messages),
        guides=_shares((line for line in turns if line.kind == "guide"), lambda line: line.handler, messages),
        states=_shares(turns, lambda line: line.state, messages),
        channels=_shares(turns, lambda line: line.channel, messages),
        by_day=_groups(turns, ends, lambda line: line.day),
        by_category=_groups(turns, ends, lambda line: line.category),
        models=figures.models,
        misses=figures.misses,
        missed=sum(line.turns for line in turns if line.kind == "llm"),
    )


def figures_of(records: Iterable[Record]) -> Figures:
    """The same counting as the store's, in plain Python: for a store in memory, and to check the other one."""
    asked: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    ends: Counter[tuple[str, str, str]] = Counter()
    models: dict[str, list[Record]] = defaultdict(list)
    missed: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.result:
            ends[record.day, record.category, record.result] += 1
        if record.model:
            models[record.model].append(record)
        if not is_message(record):
            continue
        answered = "1" if outcome_of(record) != "fallback" else ""
        key = (record.day, record.channel, record.category, record.handler, record.kind, answered, record.next_state)
        asked[key].append(record)
        if record.kind == "llm":
            missed[record.text.lower()].append(record)
    misses = [Miss(min(r.text for r in same), len(same), min(r.category for r in same)) for same in missed.values()]
    return Figures(
        tuple(_turn_line(key, asked[key]) for key in sorted(asked)),
        tuple(EndLine(*key, count) for key, count in sorted(ends.items())),
        tuple(_model_line(name, models[name]) for name in sorted(models)),
        tuple(sorted(misses, key=lambda miss: (-miss.count, miss.text))[:MISSES]),
    )


def _turn_line(key: tuple[str, ...], same: Sequence[Record]) -> TurnLine:
    day, channel, category, handler, kind, answered, state = key
    buckets = Counter(bucket_of(record.elapsed) for record in same)
    return TurnLine(
        day,
        channel,
        category,
        handler,
        kind,
        bool(answered),
        state,
        turns=len(same),
        opened=sum(record.opening for record in same),
        model_turns=sum(record.model != "" for record in same),
        tokens=sum(record.tokens_in + record.tokens_out for record in same),
        cost=sum(record.cost for record in same),
        saved=sum(record.saved for record in same),
        seconds=sum(record.elapsed for record in same),
        buckets=tuple(buckets[bound] for bound in _ALL_BUCKETS),
    )


def _model_line(name: str, same: Sequence[Record]) -> ModelLine:
    return ModelLine(
        name,
        len(same),
        sum(record.error != "" for record in same),
        sum(record.tokens_in for record in same),
        sum(record.tokens_out for record in same),
        sum(record.cost for record in same),
    )


def _outcome(line: TurnLine) -> str:
    if line.kind != "llm":
        return "rule"
    return "llm" if line.answered else "fallback"


def _shares(lines: Iterable[TurnLine], name_of: Callable[[TurnLine], str], whole: int) -> tuple[Share, ...]:
    """The most frequent first."""
    counts: Counter[str] = Counter()
    for line in lines:
        counts[name_of(line)] += line.turns
    found = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(_share(name, count, whole) for name, count in found)


def _share(name: str, count: int, whole: int) -> Share:
    return Share(name, count, round(100 * count / whole, 1) if whole else 0.0)


def _groups(
    turns: Sequence[TurnLine], ends: Sequence[EndLine], name_of: Callable[[TurnLine | EndLine], str]
) -> tuple[Group, ...]:
    own_turns, own_ends = _split(turns, name_of), _split(ends, name_of)
    return tuple(
        _group(name, own_turns.get(name, ()), own_ends.get(name, ())) for name in sorted({*own_turns, *own_ends})
    )


def _split(items: Sequence[Item], name_of: Callable[[Item], str]) -> Mapping[str, Sequence[Item]]:
    found: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        found[name_of(item)].append(item)
    return found


def _group(name: str, turns: Sequence[TurnLine], ends: Sequence[EndLine]) -> Group:
    ended = sum(line.conversations for line in ends)
    automated = sum(line.conversations for line in ends if line.result != "person")
    return Group(
        id=name,
        messages=sum(line.turns for line in turns),
        conversations=sum(line.opened for line in turns),
        ended=ended,
        automated=automated,
        automation_rate=automated / ended if ended else None,
        tokens=sum(line.tokens for line in turns),
        cost=round(sum(line.cost for line in turns), 6),
        saved=sum(line.saved for line in turns),
        model_turns=sum(line.model_turns for line in turns),
        latency=_latency(turns),
    )


def _latency(turns: Sequence[TurnLine]) -> Latency:
    count = sum(line.turns for line in turns)
    if not count:
        return Latency(None, None, None)
    buckets = [sum(counts) for counts in zip(*(line.buckets for line in turns), strict=True)]
    mean = sum(line.seconds for line in turns) / count
    return Latency(round(mean, 6), _quantile(buckets, 0.5), _quantile(buckets, 0.95))


def _quantile(buckets: Sequence[int], part: float) -> float:
    """The upper bound of the bucket that holds that part; the last bound for everything beyond."""
    wanted, seen = part * sum(buckets), 0
    for bound, count in zip(SECONDS, buckets, strict=False):
        seen += count
        if seen >= wanted:
            return bound
    return SECONDS[-1]
