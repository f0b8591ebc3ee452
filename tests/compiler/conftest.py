"""A small bot without any finding, and a way to break one thing in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from supportbot.compiler.compile import Compiled, load_bot

SMALL: Mapping[str, str] = {
    "supportbot.yaml": """\
name: Small bot
language: en
languages: [en, fr]
time_zone: Europe/London
default_category: other
greeting: welcome
fallback: no_answer
hours:
  monday: ["09:00-12:00", "13:00-17:30"]
  holidays: ["2026-12-25"]
guides:
  start: begin
  next: begin
  exhausted: [{trigger: offer}, {reply: offer_person}]
llm:
  model: "${SUPPORTBOT_LLM_MODEL:-}"
  deadline: 8s
  system: system.md.j2
  unavailable: [{reply: offer_person}]
  requests: {person: [{trigger: offer}]}
""",
    "states.yaml": """\
initial: greeting
states:
  - {id: greeting, title: Greeting}
  - id: working
    timeouts:
      - {after: 30m, do: [{trigger: finish}]}
      - {after: 10m, do: [{reply: still_there}]}
  - {id: offered}
  - {id: closed, final: true}
conditions: {open: hours.open}
transitions:
  - {trigger: begin, source: [greeting, offered], dest: working}
  - {trigger: begin, source: working, dest: "="}
  - {trigger: offer, source: working, dest: offered, conditions: [open]}
  - {trigger: offer, source: "*", dest: working}
  - {trigger: finish, source: "*", dest: closed}
""",
    "handlers.yaml": """\
handlers:
  - id: person
    priority: 7
    when:
      - {state: [working, offered], message: ["a person"]}
      - {category: printing, message: ["human"], if: session.attempts >= 2}
    do: [{trigger: offer}, {reply: offer_person}]
    examples: {match: ["a person please"]}
  - id: callback
    priority: 5
    when: {message: {any: ["call me"], none: ["callback"]}}
    do: [{set: {urgent: true, topic: "{{ session.category }}"}}, {form: callback}]
  - id: llm_fallback
    priority: 100
    do: [{llm: true}]
""",
    "rules/categories/printing.yaml": """\
category: printing
title: Printing
match: [print*]
prompt: categories/printing.md
guides:
  - id: printer_offline
    match: ["printer offline"]
    steps: [step_1, step_2]
  - id: hello_printer
    when: {state: greeting, message: ["hello printer {model:text}"]}
    do: [{trigger: begin}, {reply: welcome}]
    examples: {match: [hello printer x]}
""",
    "rules/categories/other.yaml": """\
category: other
title: Other
""",
    "rules/responses.yaml": """\
responses:
  welcome:
    text: Hello
    suggestions: [My printer]
    channels: {salesiq: {text: Hello there}}
    languages: {fr: {text: Bonjour, suggestions: [Imprimante]}}
  no_answer: I do not know.
  offer_person: {variants: [Shall I get a person?, A person?]}
  still_there: "Still there{% if visitor.name %}, {{ visitor.name }}{% endif %}?"
  step_1: Switch it on.
  step_2: |
    Is the {{ slots.model | default('printer') }}
    plugged in?
  ask_phone: Which number?
  calling: One moment, I am asking for the call.
  confirm_phone: "{{ slots.phone }} about {{ slots.topic }}, right?"
  called: "Number {{ slots.ticket }}."
  failed: That failed.
""",
    "rules/lists.yaml": """\
lists: {yes: ["yes"], no: ["no"]}
""",
    "rules/forms.yaml": """\
words: {yes: ["<yes>"], no: ["<no>"], cancel: [cancel]}
forms:
  - id: callback
    slots:
      - {name: phone, type: phone, ask: ask_phone, prefill: [visitor.phone, message]}
      - {name: urgency, type: choice, choices: {high: [urgent], low: ["no rush"]}, ask: ask_phone, optional: true}
    confirm: confirm_phone
    done: [{action: create_call}]
    gave_up: [{reply: offer_person}]
""",
    "rules/actions.yaml": """\
connections:
  desk:
    base_url: "https://desk.example.com"
    bearer: "${DESK_ACCESS_TOKEN}"
    headers: {orgId: "${DESK_ORG_ID}"}
    timeout: 5s
actions:
  - id: create_call
    connection: desk
    path: /calls/{{ slots.topic }}
    json: {phone: "{{ slots.phone }}", tags: [bot, "{{ slots.urgency }}"], priority: 3}
    save: {ticket: /id}
    on_success: [{set: {note: "{{ result.ticket }}"}}, {reply: called}]
    on_failure: [{reply: failed}]
    while_pending: [{reply: calling}]
""",
    "prompts/system.md.j2": "You help with {{ category.title }} in {{ state }}.\n{{ knowledge }}\n",
    "prompts/categories/printing.md": "Printers {{ are }} plain text here.\n",
}

Write = Callable[..., Path]
Load = Callable[..., Compiled]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the small bot; ``changes`` maps a file to its new text, or to None to leave it out."""

    def make(changes: Mapping[str, str | None] | None = None) -> Path:
        for name, text in {**SMALL, **(changes or {})}.items():
            path = tmp_path / name
            if text is None:
                path.unlink(missing_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")
        return tmp_path

    return make


@pytest.fixture
def load(write: Write) -> Load:
    return lambda changes=None: load_bot(write(changes))
