"""Cost of one decided message, stage by stage, against the number of rules and against bare ahocorasick_rs.

python benchmarks/decide.py            about a minute; compares everything in one run
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from world import generated_bot, messages

from supportbot.decision import conclude, decide, start_session
from supportbot.decision.entities import Reading
from supportbot.decision.matcher import find
from supportbot.model.bot import Bot
from supportbot.model.session import Message, Turn
from supportbot.model.text import tokens

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ROUNDS = 15
MESSAGES = 1_500


Work = Callable[[str], object]


def per_item(works: Mapping[str, Work], items: Sequence[str]) -> dict[str, float]:
    """Microseconds of CPU an item: the median of several rounds, in which the works take turns.

    So a machine that becomes busy for a while does so for all of them.
    """
    rounds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = time.process_time()
            for item in items:
                work(item)
            rounds[name].append((time.process_time() - start) / len(items) * 1e6)
    return {name: statistics.median(found) for name, found in rounds.items()}


def stages(bot: Bot) -> dict[str, Work]:
    reading = Reading(NOW)
    session = start_session(bot, "s", NOW)

    def turn(text: str) -> Turn:
        return Turn(session, Message("m", "s", text, "chat", NOW), NOW)

    def whole(text: str) -> object:
        return decide(bot, turn(text))

    def concluded(text: str) -> object:
        now = turn(text)
        return conclude(bot, now, decide(bot, now), ())

    return {
        "normalise": tokens,
        "find": lambda text: find(bot.index, text, reading),
        "decide": whole,
        "decide + conclude": concluded,
    }


def ahocorasick(pool: list[str]) -> dict[str, Work]:
    """The same messages through ahocorasick_rs: its search alone, and the job that matching has to do.

    The job is to find whole words whatever the spelling, so its text is brought into the normal form first.
    Both know no typing mistakes, gaps or lists, and decide nothing.
    """
    import ahocorasick_rs

    automaton = ahocorasick_rs.AhoCorasick([f" {phrase} " for phrase in pool])

    def search(text: str) -> object:
        return automaton.find_matches_as_indexes(text, overlapping=True)

    def job(text: str) -> object:
        return {
            found[0] for found in automaton.find_matches_as_indexes(f" {' '.join(tokens(text))} ", overlapping=True)
        }

    return {"ahocorasick_rs search": search, "its whole job": job}


def main() -> None:
    rows: dict[int, dict[str, float]] = {}
    for rules in (20, 1_000, 10_000, 20_000):
        bot, pool = generated_bot(rules, 5)
        rows[len(pool)] = per_item(stages(bot) | ahocorasick(pool), messages(pool, MESSAGES))
        shown = "  ".join(f"{name} {value:.1f}" for name, value in rows[len(pool)].items())
        print(f"{rules:6d} rules {len(pool):7d} phrases   {shown}   (microseconds a message)")
    small, large = rows[min(rows)], rows[max(rows)]
    print(f"decide, {max(rows)} against {min(rows)} phrases: {large['decide'] / small['decide']:.2f} times (at most 4)")
    ten = rows[50_000]
    for name in ("its whole job", "ahocorasick_rs search"):
        print(f"decide at 10,000 rules against {name}: {ten['decide'] / ten[name]:.1f} times")


if __name__ == "__main__":
    main()
