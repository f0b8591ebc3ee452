"""Where a phrase must stand and how long a message may be: both can save a rule, and both can be proved not to."""

from __future__ import annotations

import pytest
from tests.proofs.worlds import compiled

from supportbot.proofs.ground import Ground
from supportbot.proofs.prove import prove
from supportbot.proofs.shadows import find_shadows

START = "[{phrase: alpha, at: start}]"
END = "[{phrase: alpha, at: end}]"
WHOLE = "[{phrase: alpha, at: whole}]"
LAST = "  - {id: llm_fallback, priority: 100, do: [{llm: true}]}\n"


def sources(first: str, second: str, priority: int) -> dict[str, str]:
    line = "  - {id: %s, priority: %d, when: {message: %s}, do: [{reply: r}]}\n"
    return {"handlers.yaml": "handlers:\n" + line % ("one", 1, first) + line % ("two", priority, second) + LAST}


@pytest.mark.parametrize("priority", [1, 2])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (END, START),
        (START, END),
        (WHOLE, START),
        ("[{regex: 'alpha$'}]", START),
        ("{any: [alpha], max_words: 1}", "{any: [alpha], max_words: 2}"),
        (
            "{any: [{phrase: alpha, at: start}], max_words: 3}",
            "{any: [{phrase: alpha, at: end}], max_words: 3}",
        ),
        ("{any: [{phrase: alpha, at: start}], max_words: 2}", "{any: [alpha], max_words: 2}"),
    ],
)
def test_another_position_or_length_saves_a_rule(first: str, second: str, priority: int) -> None:
    bot = compiled(sources(first, second, priority))
    assert [item.diagnostic.code for item in find_shadows(Ground(bot))] == []


def test_another_position_saves_a_guide() -> None:
    guides = "category: k\nguides:\n" + "".join(
        f"  - {{id: {name}, match: {match}, steps: [r]}}\n" for name, match in (("one", END), ("two", START))
    )
    bot = compiled({"handlers.yaml": "handlers:\n" + LAST, "rules/categories/k.yaml": guides})
    assert [item.diagnostic.code for item in find_shadows(Ground(bot))] == []


@pytest.mark.parametrize("priority", [1, 2])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("[{phrase: (alpha|beta), at: whole}]", WHOLE),
        (START, WHOLE),
        (END, WHOLE),
        ("[alpha]", START),
        ("{any: [alpha], max_words: 3}", "{any: [alpha], max_words: 2}"),
        ("[alpha]", "{any: [alpha], max_words: 2}"),
    ],
)
def test_what_is_covered_in_every_position_is_proved_and_said_once(first: str, second: str, priority: int) -> None:
    bot = compiled(sources(first, second, priority))
    [found] = [item for item in prove(bot) if item.code in ("never-wins", "order-decides")]
    assert (found.code, found.severity, "most likely" in found.message) == ("never-wins", "error", False)
