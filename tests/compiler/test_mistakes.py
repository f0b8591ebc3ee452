"""Every mistake has a stable code and the exact place of what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.compiler.conftest import SMALL, Load


@dataclass(frozen=True)
class Case:
    """``old`` in a file of the small bot becomes ``new``; the finding must point at ``at`` (its last place)."""

    code: str
    file: str
    old: str
    new: str
    at: str
    hint: str = ""


HANDLERS, STATES, SETTINGS = "handlers.yaml", "states.yaml", "supportbot.yaml"
PRINTING, RESPONSES = "rules/categories/printing.yaml", "rules/responses.yaml"
FORMS, ACTIONS, LISTS = "rules/forms.yaml", "rules/actions.yaml", "rules/lists.yaml"

CASES = [
    Case("unknown-state", HANDLERS, "[working, offered]", "[workin, offered]", "workin", "'working'"),
    Case("unknown-state", STATES, "initial: greeting", "initial: greting", "greting", "'greeting'"),
    Case("unknown-state", STATES, "[greeting, offered]", "[greeting, ofered]", "ofered", "'offered'"),
    Case("unknown-state", STATES, "dest: closed", "dest: close", "close", "'closed'"),
    Case("unknown-trigger", HANDLERS, "{trigger: offer}", "{trigger: ofer}", "ofer", "'offer'"),
    Case("unknown-trigger", SETTINGS, "start: begin", "start: beginn", "beginn", "'begin'"),
    Case("unknown-trigger", STATES, "{trigger: finish}]", "{trigger: finis}]", "finis", "'finish'"),
    Case("unknown-category", HANDLERS, "category: printing", "category: printin", "printin", "'printing'"),
    Case("unknown-category", SETTINGS, "default_category: other", "default_category: othr", "othr", "'other'"),
    Case(
        "unknown-response", HANDLERS, "{reply: offer_person}", "{reply: offer_perso}", "offer_perso", "'offer_person'"
    ),
    Case("unknown-response", PRINTING, "step_2]", "step_3]", "step_3", "'step_"),
    Case(
        "unknown-response", FORMS, "confirm: confirm_phone", "confirm: confirm_fone", "confirm_fone", "'confirm_phone'"
    ),
    Case("unknown-response", SETTINGS, "greeting: welcome", "greeting: welcom", "welcom", "'welcome'"),
    Case("unknown-form", HANDLERS, "{form: callback}", "{form: calback}", "calback", "'callback'"),
    Case("unknown-action", FORMS, "{action: create_call}", "{action: creat_call}", "creat_call", "'create_call'"),
    Case(
        "unknown-guide", HANDLERS, "{form: callback}", "{guide: printer_ofline}", "printer_ofline", "'printer_offline'"
    ),
    Case("unknown-condition", STATES, "conditions: [open]", "conditions: [opn]", "opn", "'open'"),
    Case(
        "unknown-prompt",
        PRINTING,
        "categories/printing.md",
        "categories/printng.md",
        "categories/printng.md",
        "printing",
    ),
    Case("unknown-prompt", SETTINGS, "system: system.md.j2", "system: system.j2", "system.j2", "system.md.j2"),
    Case("unknown-connection", ACTIONS, "connection: desk", "connection: dsk", "dsk", "'desk'"),
    Case("unknown-language", RESPONSES, "languages: {fr:", "languages: {de:", "de", "languages"),
    Case("unknown-list", FORMS, "<yes>", "<yess>", "<yess>", "'yes'"),
    Case("unknown-slot", RESPONSES, "{{ slots.phone }}", "{{ slots.fone }}", "fone", "'phone'"),
    Case("undefined-variable", RESPONSES, "{{ slots.phone }}", "{{ slotz.phone }}", "slotz", "'slots'"),
    Case("undefined-variable", HANDLERS, "session.attempts >= 2", "session.attemps >= 2", "attemps", "'attempts'"),
    Case("undefined-variable", HANDLERS, "{{ session.category }}", "{{ result.id }}", "result", "known"),
    Case("undefined-variable", "prompts/system.md.j2", "{{ knowledge }}", "{{ knowlege }}", "knowlege", "'knowledge'"),
    Case(
        "undefined-variable",
        FORMS,
        "[visitor.phone, message]",
        "[visitor.fone, message]",
        "visitor.fone",
        "'visitor.phone'",
    ),
    Case("undefined-variable", ACTIONS, "{{ result.ticket }}", "{{ result.id }}", "id", "ticket"),
    Case("unknown-filter", RESPONSES, "| default('printer')", "| defualt('printer')", "defualt", "'default'"),
    Case("template-syntax", STATES, "{open: hours.open}", "{open: hours.open and}", "hours.open and"),
    Case("template-syntax", RESPONSES, "{% endif %}?", "?", '"Still there{% if visitor.name %}, {{ visitor.name }}?"'),
    Case(
        "template-forbidden",
        HANDLERS,
        "session.attempts >= 2",
        "slots.topic.upper() == 'X'",
        "slots.topic.upper() == 'X'",
    ),
    Case("duplicate-id", STATES, "  - {id: offered}", "  - {id: offered}\n  - {id: working}", "working}"[:-1]),
    Case("duplicate-id", HANDLERS, "callback\n    priority: 5", "person\n    priority: 5", "person"),
    Case("duplicate-id", PRINTING, "id: hello_printer", "id:  printer_offline", "printer_offline"),
    Case("invalid-id", STATES, "{id: offered}", "{id: offered}\n  - {id: Os-path}", "Os-path", "try 'os_path'"),
    Case("invalid-id", STATES, "finish, source", "machine, source", "machine"),
    Case("invalid-id", STATES, "{open: hours.open}", "{open: hours.open, os.system: hours.open}", "os.system"),
    Case("invalid-id", ACTIONS, "{ticket: /id}", "{ticket: /id, __class__: /x}", "__class__"),
    Case("unreachable-state", STATES, "{id: offered}", "{id: offered}\n  - {id: island, final: true}", "island"),
    Case("final-with-exit", STATES, "source: [greeting, offered]", "source: [greeting, closed]", "closed"),
    Case("illegal-trigger", PRINTING, "state: greeting", "state: closed", "begin", "it leaves"),
    Case(
        "illegal-trigger",
        HANDLERS,
        "{form: callback}]",
        "{trigger: finish}, {trigger: begin}]",
        "begin",
        "greeting, offered, working",
    ),
    Case(
        "illegal-trigger",
        PRINTING,
        'match: ["printer',
        'when: {state: closed}\n    title: ["printer',
        "printer_offline",
    ),
    Case("bad-duration", SETTINGS, "deadline: 8s", "deadline: 8 sec", "8 sec", "8s"),
    Case("bad-duration", STATES, "after: 30m", "after: soon", "soon"),
    Case("bad-time", SETTINGS, "13:00-17:30", "17:30-13:00", '"17:30-13:00"'),
    Case("bad-date", SETTINGS, "2026-12-25", "2026-02-30", '"2026-02-30"'),
    Case("bad-time-zone", SETTINGS, "Europe/London", "London", "London", "'Europe/London'"),
    Case("bad-pointer", ACTIONS, "{ticket: /id}", "{ticket: id}", "id", "/"),
    Case("empty-response", RESPONSES, "  failed: That failed.", "  failed: {suggestions: [x]}", "failed"),
    Case("conflicting-keys", RESPONSES, "    text: Hello", "    text: Hello\n    variants: [Hi]", "variants"),
    Case("conflicting-keys", PRINTING, "steps: [step_1", "do: [{reply: welcome}]\n    steps: [step_1", "do"),
    Case("conflicting-keys", PRINTING, 'match: ["printer', 'when: {state: greeting}\n    match: ["printer', "when"),
    Case("empty-guide", PRINTING, "do: [{trigger: begin}, {reply: welcome}]", "title: Hello", "hello_printer"),
    Case("unused-connection", ACTIONS, "actions:", "  spare: {base_url: https://x.example}\nactions:", "spare"),
    Case("unused-action", ACTIONS, "actions:", "actions:\n  - {id: spare, connection: desk, path: /x}", "spare"),
    Case("bad-variable", ACTIONS, '"${DESK_ORG_ID}"', '"${DESK-ORG}"', '"${DESK-ORG}"', "${NAME}"),
    Case("bad-variable", SETTINGS, '"${SUPPORTBOT_LLM_MODEL:-}"', '"${MODEL"', '"${MODEL"', "${NAME}"),
    Case("bad-variable", HANDLERS, "{form: callback}", '{handoff: {department: "${}"}}', '"${}"', "${NAME}"),
    Case("secret-in-file", ACTIONS, '"${DESK_ACCESS_TOKEN}"', "abcdef", "abcdef", "${NAME}"),
    Case("secret-in-file", ACTIONS, "headers: {orgId:", "headers: {Authorization: abcdef, orgId:", "abcdef", "${NAME}"),
    Case("missing-choices", FORMS, ', choices: {high: [urgent], low: ["no rush"]}', "", "urgency"),
    Case("missing-words", FORMS, ", cancel: [cancel]", "", "callback"),
    Case("unused-response", RESPONSES, "  failed:", "  spare: Spare\n  failed:", "spare"),
    Case("unused-form", HANDLERS, "{form: callback}", "{reply: welcome}", ""),
    Case("unused-list", LISTS, 'no: ["no"]', 'no: ["no"], maybe: [maybe]', "maybe: "[:-2]),
]


def change(case: Case) -> str:
    text = SMALL[case.file]
    assert case.old in text
    return text.replace(case.old, case.new, 1)


@pytest.mark.parametrize("case", [case for case in CASES if case.at], ids=lambda case: f"{case.code}-{case.at}")
def test_code_and_place(load: Load, case: Case) -> None:
    text = change(case)
    findings = load({case.file: text}).diagnostics
    same = [item for item in findings if item.code == case.code]
    assert len(same) == 1, [str(item) for item in findings]
    start = text.index(case.new) if case.at in case.new else 0
    inside = text.index(case.at, start) if start else text.index(case.at)
    line = text.count("\n", 0, inside) + 1
    column = inside - text.rfind("\n", 0, inside)
    place = same[0].place
    assert (place.file, place.line, place.column) == (case.file, line, column), str(same[0])
    assert (place.end_line, place.end_column) == (line, column + len(case.at))
    assert case.hint in same[0].hint
