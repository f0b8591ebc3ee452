"""All findings of all files at once, each cause once."""

from __future__ import annotations

import pytest
from tests.compiler.conftest import SMALL, Load


def codes(load: Load, changes: dict[str, str | None]) -> list[str]:
    return [item.code for item in load(changes).diagnostics]


def test_findings_of_all_files_come_together(load: Load) -> None:
    compiled = load(
        {
            "handlers.yaml": SMALL["handlers.yaml"].replace("trigger: offer", "trigger: ofer"),
            "rules/forms.yaml": SMALL["rules/forms.yaml"].replace("confirm: confirm", "confirm: confirn"),
            "states.yaml": SMALL["states.yaml"].replace("dest: closed", "dest: clsed"),
        }
    )
    found = {(item.place.file, item.code) for item in compiled.diagnostics if item.severity == "error"}
    assert {
        ("handlers.yaml", "unknown-trigger"),
        ("rules/forms.yaml", "unknown-response"),
        ("states.yaml", "unknown-state"),
    } <= found
    assert compiled.bot is None


def test_a_duplicate_names_the_other_place(load: Load) -> None:
    other = "category: printing\ntitle: Other\n"
    compiled = load({"rules/categories/paper.yaml": other})
    [found] = [item for item in compiled.diagnostics if item.code == "duplicate-id"]
    assert (found.place.file, found.place.line, found.place.column) == ("rules/categories/printing.yaml", 1, 11)
    [related] = found.related
    assert (related.place.file, related.place.line, related.place.column) == ("rules/categories/paper.yaml", 1, 11)


def test_warnings_leave_the_bot_usable(load: Load) -> None:
    compiled = load({"rules/responses.yaml": SMALL["rules/responses.yaml"] + "  spare: Spare\n"})
    assert [(item.code, item.severity) for item in compiled.diagnostics] == [("unused-response", "warning")]
    assert compiled.bot is not None


@pytest.mark.parametrize("name", ["states.yaml", "rules/responses.yaml", "rules/forms.yaml", "handlers.yaml"])
def test_a_file_that_cannot_be_read_is_the_only_finding(load: Load, name: str) -> None:
    compiled = load({name: SMALL[name] + "\n  - [\n"})
    assert {item.place.file for item in compiled.diagnostics} == {name}
    assert compiled.bot is None


def test_a_missing_required_file_is_the_only_finding(load: Load) -> None:
    assert codes(load, {"states.yaml": None}) == ["missing-file"]
    assert codes(load, {"supportbot.yaml": None}) == ["missing-file"]


def test_something_must_answer_when_no_rule_fits(load: Load) -> None:
    rules = SMALL["handlers.yaml"].replace("{llm: true}", "{reply: welcome}")
    quiet = SMALL["supportbot.yaml"].replace("fallback: no_answer\n", "")
    responses = SMALL["rules/responses.yaml"].replace("  no_answer: I do not know.\n", "")
    compiled = load({"handlers.yaml": rules, "supportbot.yaml": quiet, "rules/responses.yaml": responses})
    [found] = compiled.diagnostics
    assert (found.code, found.severity) == ("missing-fallback", "error")
    assert (found.place.file, found.place.line) == ("handlers.yaml", 2)


def test_a_model_that_no_rule_asks_is_a_warning(load: Load) -> None:
    rules = SMALL["handlers.yaml"].replace("{llm: true}", "{reply: welcome}")
    [found] = load({"handlers.yaml": rules}).diagnostics
    assert (found.code, found.severity) == ("missing-fallback", "warning")


def test_a_guide_and_a_handler_may_not_share_an_id(load: Load) -> None:
    rules = SMALL["handlers.yaml"].replace("id: callback\n", "id: printer_offline\n")
    assert codes(load, {"handlers.yaml": rules}) == ["duplicate-id"]


def test_the_shape_is_not_reported_twice(load: Load) -> None:
    changed = SMALL["supportbot.yaml"].replace("deadline: 8s", "deadline: soon").replace("09:00-12:00", "9-12")
    assert sorted(codes(load, {"supportbot.yaml": changed})) == ["bad-duration", "bad-time"]


def test_many_unknown_names_stay_quick_to_explain(load: Load) -> None:
    spare = "".join(f"  spare_{number}: Spare\n" for number in range(300))
    steps = ", ".join(f"{{reply: spre_{number}}}" for number in range(300))
    rules = SMALL["handlers.yaml"].replace("{llm: true}", f"{{llm: true}}, {steps}")
    found = load({"handlers.yaml": rules, "rules/responses.yaml": SMALL["rules/responses.yaml"] + spare}).diagnostics
    unknown = [item for item in found if item.code == "unknown-response"]
    assert len(unknown) == 300
    assert 0 < sum(bool(item.hint) for item in unknown) <= 50
