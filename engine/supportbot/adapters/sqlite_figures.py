"""The figures, counted by SQLite itself: it lets other threads run while it counts."""

from __future__ import annotations

import sqlite3
from typing import Any

from supportbot.runtime.figures import EndLine, Figures, Miss, ModelLine, TurnLine
from supportbot.runtime.statistics import MISSES
from supportbot.runtime.tallies import SECONDS

_BOUNDS = (-1.0, *SECONDS)
_BUCKETS = ", ".join(
    f"sum(elapsed > {low!r} AND elapsed <= {high!r})" for low, high in zip(_BOUNDS, SECONDS, strict=False)
)
_ASKED = "kind NOT IN ('greeting', 'timeout')"
_TURNS = f"""
SELECT day, channel, category, handler, kind, kind <> 'llm' OR (error = '' AND model <> '') AS answered, next_state,
    count(*), sum(opening), sum(model <> ''), sum(tokens_in + tokens_out), sum(cost), sum(saved), sum(elapsed),
    {_BUCKETS}, sum(elapsed > {SECONDS[-1]!r})
FROM records WHERE at >= ? AND {_ASKED} GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
"""
_ENDS = """
SELECT day, category, result, count(*) FROM records WHERE at >= ? AND result <> '' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_MODELS = """
SELECT model, count(*), sum(error <> ''), sum(tokens_in), sum(tokens_out), sum(cost)
FROM records WHERE at >= ? AND model <> '' GROUP BY 1 ORDER BY 1
"""
_MISSES = """
SELECT min(text), count(*), min(category) FROM records WHERE at >= ? AND kind = 'llm'
GROUP BY lowered(text) ORDER BY 2 DESC, 1 LIMIT ?
"""
_KEYS = 14  # columns before the buckets


def read_figures(connection: sqlite3.Connection, since: float) -> Figures:
    """``since``: seconds of the epoch. All of it is read in one transaction, so the parts fit together."""
    connection.create_function("lowered", 1, str.lower, deterministic=True)  # SQLite's own one knows a to z only
    connection.execute("BEGIN")
    turns = connection.execute(_TURNS, (since,)).fetchall()
    ends = connection.execute(_ENDS, (since,)).fetchall()
    models = connection.execute(_MODELS, (since,)).fetchall()
    misses = connection.execute(_MISSES, (since, MISSES)).fetchall()
    connection.execute("ROLLBACK")
    return Figures(
        tuple(_turn_line(row) for row in turns),
        tuple(EndLine(*row) for row in ends),
        tuple(ModelLine(*row) for row in models),
        tuple(Miss(*row) for row in misses),
    )


def _turn_line(row: tuple[Any, ...]) -> TurnLine:
    values: list[Any] = [*row[:5], bool(row[5]), *row[6:_KEYS], row[_KEYS:]]
    return TurnLine(*values)
