"""The figures of a bot, counted a second time: by plain SQL over the decision records, without the product's code."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ASKED = "kind NOT IN ('greeting', 'timeout')"
OUTCOME = "CASE WHEN kind <> 'llm' THEN 'rule' WHEN error = '' AND model <> '' THEN 'llm' ELSE 'fallback' END"
SHOWN = 20  # misses and handlers in lists of the most frequent ones

Labels = tuple[str, ...]


class Recount:
    """Of the records of a store; ``ever`` has those of erased sessions, too, like counters do.

    ``bounds``: of the histogram's buckets in seconds, without infinity.
    """

    def __init__(self, store: Path, erased: Sequence[tuple[Any, ...]], bounds: Sequence[float], since: float = 0.0):
        self.bounds = bounds
        self.db = sqlite3.connect(":memory:")
        with sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True) as source:
            source.backup(self.db)
        source.close()
        self.db.execute("CREATE TABLE erased AS SELECT * FROM records WHERE 0")
        if erased:
            self.db.executemany(f"INSERT INTO erased VALUES ({', '.join('?' for _ in erased[0])})", erased)
        self.db.execute("CREATE VIEW ever AS SELECT * FROM records UNION ALL SELECT * FROM erased")
        self.db.execute(f"CREATE VIEW kept AS SELECT * FROM records WHERE at >= {since!r}")
        self.db.execute(f"CREATE VIEW asked AS SELECT * FROM kept WHERE {ASKED}")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.db.execute(query).fetchall()

    def one(self, query: str) -> Any:
        return self.rows(query)[0][0]

    def counts(self, query: str) -> dict[str, int]:
        return dict(self.rows(query))  # type: ignore[arg-type]

    # --- reports ------------------------------------------------------------------------------

    def stats(self) -> dict[str, Any]:
        messages = self.one("SELECT count(*) FROM asked")
        results = self.counts("SELECT result, count(*) FROM kept WHERE result <> '' GROUP BY 1")
        ended = sum(results.values())
        by = {
            name: shares(self.counts(f"SELECT {column}, count(*) FROM asked {where} GROUP BY 1"), messages)
            for name, column, where in (
                ("outcomes", OUTCOME, ""),
                ("categories", "category", ""),
                ("handlers", "handler", ""),
                ("guides", "handler", "WHERE kind = 'guide'"),
                ("states", "next_state", ""),
                ("channels", "channel", ""),
            )
        }
        every = {name: results.get(name, 0) for name in ("resolved", "closed", "abandoned", "person")}
        assert set(results) <= set(every)
        return {
            "messages": messages,
            "conversations": self.one("SELECT coalesce(sum(opening), 0) FROM asked"),
            "ended": ended,
            "resolution": {"rate": every["resolved"] / ended, "results": shares(every, ended)},
            "latency_seconds": self.latency(""),
            **by,
        }

    def report(self) -> dict[str, Any]:
        stats, total = self.stats(), self.group("total", "")
        spent, saved = total["tokens"], total["saved"]
        handlers = sorted(stats["handlers"].items(), key=lambda item: (-item[1]["count"], item[0]))
        return {
            **{name: total[name] for name in ("messages", "conversations", "ended", "automated", "automation_rate")},
            "with_person": self.one("SELECT count(*) FROM kept WHERE result = 'person'"),
            "results": stats["resolution"]["results"],
            "tokens": {"spent": spent, "saved": saved, "saved_rate": saved / (spent + saved), "cost": total["cost"]},
            "models": self.models(),
            "by_day": self.groups("day"),
            "by_category": self.groups("category"),
            "top_handlers": dict(handlers[:SHOWN]),
            "missed": self.one("SELECT count(*) FROM asked WHERE kind = 'llm'"),
            "top_misses": self.misses(),
        }

    def groups(self, column: str) -> list[dict[str, Any]]:
        names = self.rows(f"SELECT DISTINCT {column} FROM kept WHERE {ASKED} OR result <> '' ORDER BY 1")
        return [self.group(name, f"AND {column} = '{name}'") for (name,) in names]

    def group(self, name: str, where: str) -> dict[str, Any]:
        messages, opened, tokens, cost, saved, model = self.rows(
            "SELECT count(*), coalesce(sum(opening), 0), coalesce(sum(tokens_in) + sum(tokens_out), 0), "
            "coalesce(sum(cost), 0.0), coalesce(sum(saved), 0), count(CASE WHEN model <> '' THEN 1 END) "
            f"FROM asked WHERE 1 {where}"
        )[0]
        ended = self.one(f"SELECT count(*) FROM kept WHERE result <> '' {where}")
        alone = self.one(f"SELECT count(*) FROM kept WHERE result NOT IN ('', 'person') {where}")
        return {
            "id": name,
            "messages": messages,
            "conversations": opened,
            "ended": ended,
            "automated": alone,
            "automation_rate": alone / ended if ended else None,
            "tokens": tokens,
            "cost": cost,
            "saved": saved,
            "model_turns": model,
            "latency": self.latency(where),
        }

    def latency(self, where: str) -> dict[str, float | None]:
        spans = [span for (span,) in self.rows(f"SELECT elapsed FROM asked WHERE 1 {where} ORDER BY elapsed")]
        if not spans:
            return {"mean": None, "p50": None, "p95": None}
        return {"mean": sum(spans) / len(spans), "p50": self.within(spans, 50), "p95": self.within(spans, 95)}

    def within(self, spans: Sequence[float], percent: int) -> float:
        """The first bound below which so many of the spans are."""
        good = (bound for bound in self.bounds if 100 * sum(span <= bound for span in spans) >= percent * len(spans))
        return next(good, self.bounds[-1])

    def models(self) -> list[dict[str, Any]]:
        names = ("model", "calls", "failures", "tokens_in", "tokens_out", "cost")
        query = (
            "SELECT model, count(*), count(CASE WHEN error <> '' THEN 1 END), sum(tokens_in), sum(tokens_out), "
            "sum(cost) FROM kept WHERE model <> '' GROUP BY model ORDER BY model"
        )
        return [dict(zip(names, row, strict=True)) for row in self.rows(query)]

    def misses(self) -> list[dict[str, Any]]:
        same: dict[str, list[tuple[str, str]]] = {}
        for text, category in self.rows("SELECT text, category FROM asked WHERE kind = 'llm'"):
            same.setdefault(text.lower(), []).append((text, category))
        lines = [(-len(found), min(found)[0], min(category for _, category in found)) for found in same.values()]
        return [{"text": text, "count": -count, "category": topic} for count, text, topic in sorted(lines)[:SHOWN]]

    # --- counters -----------------------------------------------------------------------------

    def counters(self) -> dict[str, dict[Labels, float]]:
        """What /metrics counts from the store: name -> labels in the order of their names -> value."""
        asked = f"FROM ever WHERE {ASKED}"
        moved = "FROM ever WHERE state <> next_state OR opening"
        found = {
            "messages": f"SELECT channel, {OUTCOME}, count(*) {asked} GROUP BY 1, 2",
            "rule_hits": f"SELECT category, handler, count(*) {asked} GROUP BY 1, 2",
            "state_entries": f"SELECT next_state, count(*) {moved} GROUP BY 1",
            "conversations_opened": f"SELECT channel, sum(opening) {asked} GROUP BY 1",
            "conversations_closed": "SELECT category, result, count(*) FROM ever WHERE result <> '' GROUP BY 1, 2",
            "llm_requests": "SELECT model, CASE error WHEN '' THEN 'ok' ELSE error END, count(*) FROM ever "
            "WHERE model <> '' GROUP BY 1, 2",
            "llm_cost": "SELECT model, sum(cost) FROM ever GROUP BY 1 HAVING sum(cost) > 0",
        }
        counted = {name: _labelled(self.rows(query)) for name, query in found.items()}
        query = "SELECT model, '{0}put', sum(tokens_{0}) FROM ever WHERE model <> '' GROUP BY 1"
        counted["llm_tokens"] = _labelled(self.rows(f"{query.format('in')} UNION ALL {query.format('out')}"))
        counted["tokens_saved"] = {(): self.one(f"SELECT sum(saved) {asked}")}
        return counted

    def turns(self) -> dict[str, tuple[float, Counter[float]]]:
        """Outcome -> seconds in all, and turns that took at most each bound; infinity has them all."""
        found = {}
        for (outcome,) in self.rows(f"SELECT DISTINCT {OUTCOME} FROM ever WHERE {ASKED}"):
            query = f"SELECT elapsed FROM ever WHERE {ASKED} AND {OUTCOME} = '{outcome}'"
            spans = [span for (span,) in self.rows(query)]
            below = Counter({bound: sum(span <= bound for span in spans) for bound in (*self.bounds, float("inf"))})
            found[outcome] = (sum(spans), below)
        return found

    # --- conversations ------------------------------------------------------------------------

    def unfinished(self) -> list[tuple[Any, ...]]:
        """Conversations that did not begin once and end once, and what they did instead. Erased ones are left out."""
        return self.rows(
            "SELECT session_id, conversation, sum(opening), count(CASE WHEN result <> '' THEN 1 END) AS ends "
            f"FROM records GROUP BY 1, 2 HAVING count(CASE WHEN {ASKED} THEN 1 END) > 0 "
            "AND (sum(opening) <> 1 OR ends <> 1)"
        )


def shares(counts: dict[str, int], whole: int) -> dict[str, dict[str, float]]:
    return {name: {"count": count, "percent": round(100 * count / whole, 1)} for name, count in counts.items()}


def _labelled(rows: Iterable[tuple[Any, ...]]) -> dict[Labels, float]:
    return {tuple(row[:-1]): row[-1] for row in rows}
