"""Generated bots and messages for the benchmarks: always the same for the same numbers."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from supportbot.compiler.compile import load_bot
from supportbot.model.bot import Bot

_SYLLABLES = "ba be bi bo bu da de di do du fa fe fi fo ga ge gi go ka ke ki ko la le li lo ma me mi mo na ne ni no pa pe pi po ra re ri ro sa se si so ta te ti to va ve vi vo".split()
_FILL = "hello my the is it and please help me with this since i have a problem when we try to open that today again our".split()

STATES = """\
initial: open
states: [{id: open, title: Open}, {id: over, title: Over, final: true}]
transitions: [{trigger: answer, source: open, dest: open}, {trigger: finish, source: open, dest: over}]
"""
SETTINGS = """\
name: Generated
time_zone: Europe/London
default_category: c0
fallback: r
"""


def vocabulary(size: int, seed: int = 7) -> list[str]:
    """Made-up words of two to four syllables."""
    chance = random.Random(seed)
    words: dict[str, None] = {}
    while len(words) < size:
        words["".join(chance.choices(_SYLLABLES, k=chance.choice((2, 3, 3, 4))))] = None
    return list(words)


def phrases(count: int, seed: int = 11) -> list[str]:
    """Phrases of two to four words, none of them part of another; the vocabulary grows slowly, as in languages."""
    chance = random.Random(seed)
    words = vocabulary(max(200, int(40 * count**0.5)))
    found: dict[str, None] = {}
    parts: set[str] = set()  # of the phrases that were found
    while len(found) < count:
        phrase = chance.choices(words, k=chance.choice((2, 2, 3, 4)))
        own = {" ".join(phrase[start:end]) for start in range(len(phrase)) for end in range(start + 2, len(phrase) + 1)}
        if " ".join(phrase) not in parts and not any(part in found for part in own):
            found[" ".join(phrase)] = None
            parts |= own
    return list(found)


def messages(pool: list[str], count: int, seed: int = 13) -> list[str]:
    """Support-like messages of 5 to 40 words: fillers, words of the rules, sometimes a whole phrase or a mistake."""
    chance = random.Random(seed)
    words = sorted({word for phrase in pool for word in phrase.split()})
    made = []
    for _ in range(count):
        text = [chance.choice(_FILL if chance.random() < 0.6 else words) for _ in range(chance.randint(5, 36))]
        if chance.random() < 0.6:
            text.insert(chance.randrange(len(text)), chance.choice(pool))
        if chance.random() < 0.3:
            at = chance.randrange(len(text))
            word = text[at]
            text[at] = word[:2] + word[3:]
        made.append(" ".join(text))
    return made


def write_bot(folder: Path, rules: int, phrases_each: int) -> list[str]:
    """A bot of that many handlers; returns its phrases."""
    pool = phrases(rules * phrases_each)
    (folder / "rules" / "categories").mkdir(parents=True)
    (folder / "supportbot.yaml").write_text(SETTINGS)
    (folder / "states.yaml").write_text(STATES)
    (folder / "rules" / "responses.yaml").write_text('responses: {r: "Answer."}\n')
    (folder / "rules" / "categories" / "c0.yaml").write_text("category: c0\ntitle: All\n")
    lines = ["handlers:"]
    for rule in range(rules):
        own = pool[rule * phrases_each : (rule + 1) * phrases_each]
        quoted = ", ".join(f'"{phrase}"' for phrase in own)
        lines.append(f"  - id: h{rule}\n    priority: {10 + rule % 50}\n    when: {{message: [{quoted}]}}")
        trigger = "answer" if rule % 100 else "finish"
        lines.append(f"    do: [{{trigger: {trigger}}}, {{reply: r}}]")
        lines.append(f'    examples: {{match: ["{own[0]}"], no_match: ["nothing of that"]}}')
    lines.append("  - {id: llm_fallback, priority: 100, do: [{llm: true}]}")
    (folder / "handlers.yaml").write_text("\n".join(lines) + "\n")
    return pool


def generated_bot(rules: int, phrases_each: int) -> tuple[Bot, list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        pool = write_bot(Path(folder), rules, phrases_each)
        compiled = load_bot(Path(folder))
    if compiled.bot is None:
        raise SystemExit("\n".join(map(str, compiled.diagnostics[:10])))
    return compiled.bot, pool
