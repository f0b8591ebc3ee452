"""The proofs about guides and categories, exact phrases, regexes and forms: each against what the bot answers."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.proofs.worlds import FRESH, STATES, WORDS, answer, compiled, messages, phrases, written

from supportbot.decision.conclude import start_session
from supportbot.decision.decide import decide
from supportbot.diagnostics import Diagnostic
from supportbot.model.bot import Bot
from supportbot.model.session import FormState, Message, Turn
from supportbot.proofs.ground import SAID, Ground
from supportbot.proofs.shadows import find_shadows


@dataclass(frozen=True, slots=True)
class Guide:
    any: tuple[str, ...]
    none: tuple[str, ...]
    steps: bool


@dataclass(frozen=True, slots=True)
class Category:
    priority: int
    match: tuple[str, ...]
    guides: tuple[Guide, ...]


few = st.lists(phrases(), min_size=1, max_size=2, unique=True).map(tuple)
guides = st.builds(
    Guide, any=few, none=st.one_of(st.just(()), st.just(()), few), steps=st.sampled_from((True, True, False))
)
categories = st.builds(
    Category,
    priority=st.sampled_from((1, 2)),
    match=st.one_of(st.just(()), few),
    guides=st.lists(guides, min_size=1, max_size=2).map(tuple),
)
RULE = "  - {id: first, priority: 1, when: {message: [%s]}, do: [{reply: r}]}\n"
LAST = "  - {id: llm_fallback, priority: 100, do: [{llm: true}]}\n"


def files(made: list[Category], rule: tuple[str, ...]) -> dict[str, str]:
    sources = {"handlers.yaml": "handlers:\n" + RULE % ", ".join(map(written, rule)) + LAST}
    for number, category in enumerate(made):
        lines = [f"category: k{number}", f"priority: {category.priority}"]
        if category.match:
            lines.append(f"match: [{', '.join(map(written, category.match))}]")
        lines.append("guides:")
        for at, guide in enumerate(category.guides):
            none = f", none: [{', '.join(map(written, guide.none))}]" if guide.none else ""
            what = "steps: [r]" if guide.steps else "do: [{reply: r}]"
            lines.append(
                f"  - {{id: g{number}{at}, match: {{any: [{', '.join(map(written, guide.any))}]{none}}}, {what}}}"
            )
        sources[f"rules/categories/k{number}.yaml"] = "\n".join(lines) + "\n"
    return sources


def never(bot: Bot) -> list[Diagnostic]:
    return [item.diagnostic for item in find_shadows(Ground(bot)) if item.diagnostic.code == "never-wins"]


@settings(max_examples=40, deadline=None)
@given(st.lists(categories, min_size=1, max_size=3), few)
def test_a_guide_that_never_wins_never_wins(made: list[Category], rule: tuple[str, ...]) -> None:
    bot = compiled(files(made, rule))
    findings = find_shadows(Ground(bot))
    claimed = {
        item.diagnostic.message.split("'")[1]
        for item in findings
        if item.diagnostic.code == "never-wins"  # also what is called likely
    }
    for finding in findings:
        assert answer(bot, finding.witness.text, finding.witness.state) == finding.witness.winner
    if claimed:
        assert claimed.isdisjoint({answer(bot, text, STATES[0]) for text in messages()})


def two(first: str, second: str, more: str = "") -> Bot:
    """Two handlers, of which the first is asked first."""
    line = "  - {id: %s, priority: %d, when: {message: %s}, do: [{reply: r}]}\n"
    return compiled(
        {
            "handlers.yaml": "handlers:\n" + line % ("one", 1, first) + line % ("two", 2, second) + LAST,
            **({"rules/forms.yaml": more} if more else {}),
        }
    )


def test_a_misspelt_word_passes_an_exact_phrase() -> None:
    assert never(two("[{phrase: printer, typos: false}]", "[printer]")) == []
    assert len(never(two("[printer]", "[{phrase: printer, typos: false}]"))) == 1


def test_a_regex_that_is_bound_to_the_ends_is_no_proof() -> None:
    assert never(two("[{regex: '^printer$'}]", "[printer]")) == []
    [found] = never(two("[{regex: 'print'}]", "[printer]"))
    assert (found.severity, "most likely" in found.message) == ("warning", True)


def test_a_regex_of_its_own_may_win() -> None:
    assert never(two("[printer]", "[printer, {regex: 'p.*r'}]")) == []


def test_a_captured_value_is_a_sample_only() -> None:
    [found] = never(two('["call {n:phone}"]', '["call 02071234567"]'))
    assert found.severity == "warning"


def test_an_exception_of_the_winner_saves_the_loser() -> None:
    assert never(two("{any: [printer], none: [red]}", "[printer]")) == []
    assert len(never(two("{any: [printer], none: [red]}", "{any: [printer], none: [red]}"))) == 1
    assert len(never(two("{any: [printer], none: [red]}", "{any: [printer], none: [re*, red]}"))) == 1


def test_a_rule_that_answers_only_inside_a_form() -> None:
    forms = (
        'words: {"yes": [yep], "no": [nope], cancel: [stop]}\n'
        "forms: [{id: f, slots: [{name: p, type: phone, ask: r}], done: [{reply: r}], cancelled: [{reply: r}], gave_up: [{reply: r}]}]\n"
    )
    rules = (
        "handlers:\n  - {id: one, priority: 1, when: {message: [call]}, do: [{form: f}]}\n"
        "  - {id: two, priority: 2, when: {message: [call later]}, do: [{reply: r}]}\n" + LAST
    )
    bot = compiled({"handlers.yaml": rules, "rules/forms.yaml": forms})
    [found] = never(bot)
    assert found.severity == "warning"
    assert "outside the form 'f'" in found.message
    session = replace(start_session(bot, "s", SAID), form=FormState("f", "p"))
    assert decide(bot, Turn(session, Message("m", "s", "call later", "chat", SAID), SAID)).handler == "two"


def test_the_words_of_the_law_are_strange_to_no_rule() -> None:
    assert FRESH not in WORDS
