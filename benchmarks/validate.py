"""What ``supportbot validate`` costs: CPU and memory at 1,000 and 10,000 rules of five phrases each.

python benchmarks/validate.py          about twenty seconds; each size in a process of its own
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from world import write_bot

STARTER = Path(__file__).resolve().parents[1]
SIZES = (1_000, 10_000)
PHRASES = 5
MOST_CPU = 5.0  # seconds, with the start of Python
MOST_MEMORY = 1024.0  # MiB
STARTER_CPU = 1.0


@dataclass(frozen=True, slots=True)
class Cost:
    cpu: float  # seconds, user and system
    memory: float  # MiB at most


def cost_of(bot: Path, *options: str) -> Cost:
    """Run the command as people do. Stops when it finds anything in a generated bot, which has no mistakes."""
    command = Path(sys.executable).with_name("supportbot")
    process = subprocess.Popen([command, "validate", *options, bot], stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = process.stdout.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(said[:4000])
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main() -> int:
    costs = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            write_bot(Path(folder), size, PHRASES)
            costs[size] = cost_of(Path(folder), "--strict")
        print(
            f"{size:>6} rules, {size * PHRASES:>6} phrases: {costs[size].cpu:5.2f} s CPU, {costs[size].memory:4.0f} MiB"
        )
    starter = cost_of(STARTER)
    print(f"the starter bot: {starter.cpu:.2f} s CPU (at most {STARTER_CPU:g})")
    few, many = SIZES
    growth = costs[many].cpu / costs[few].cpu
    allowed = many * math.log(many) / (few * math.log(few))
    print(f"growth: {growth:.1f} times for {many // few} times the rules (n log n: {allowed:.1f})")
    fine = (
        costs[many].cpu < MOST_CPU
        and costs[many].memory < MOST_MEMORY
        and growth < allowed
        and starter.cpu < STARTER_CPU
    )
    print(
        "within all limits" if fine else f"OUTSIDE the limits of {MOST_CPU:g} s and {MOST_MEMORY:g} MiB, or of growth"
    )
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
