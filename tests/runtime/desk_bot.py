"""A small bot with one of everything that a turn can do, written to a folder and compiled for real."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from supportbot.compiler.compile import load_bot
from supportbot.model.bot import Bot

FILES: Mapping[str, str] = {
    "supportbot.yaml": """
name: Desk test
language: en
time_zone: Europe/London
default_category: other
greeting: welcome
fallback: no_answer
hours: {monday: ["09:00-17:30"], tuesday: ["09:00-17:30"], wednesday: ["09:00-17:30"], thursday: ["09:00-17:30"],
        friday: ["09:00-17:30"]}
limits: {attempts: 3, message_chars: 200, history: 6, session_minutes: 30}
guides:
  start: start_troubleshooting
  next: try_next_step
  exhausted: [{trigger: offer_person}, {reply: offer_person}]
llm:
  model: "${SUPPORTBOT_LLM_MODEL:-}"
  api_base: "${SUPPORTBOT_LLM_API_BASE:-}"
  deadline: 2s
  attempts: 2
  max_tokens: 100
  prompt_tokens: 700
  temperature: 0.2
  history: 3
  system: system.md.j2
  answered: [{trigger: answer}]
  unavailable: [{trigger: offer_person}, {reply: model_unavailable}]
  requests: {offer_person: [{trigger: offer_person}, {reply: offer_person}]}
""",
    "states.yaml": """
initial: greeting
states:
  - {id: greeting, title: Greeting}
  - id: troubleshooting
    title: Troubleshooting
    timeouts: [{after: 10m, do: [{reply: still_there}]}, {after: 30m, do: [{trigger: end}]}]
  - {id: escalation_offered, title: A person was offered}
  - {id: closed, title: Closed, final: true}
transitions:
  - {trigger: start_troubleshooting, source: [greeting, troubleshooting, escalation_offered], dest: troubleshooting}
  - {trigger: try_next_step, source: troubleshooting, dest: "="}
  - {trigger: answer, source: [greeting, troubleshooting, escalation_offered], dest: troubleshooting}
  - {trigger: offer_person, source: [greeting, troubleshooting, escalation_offered], dest: escalation_offered}
  - {trigger: end, source: [greeting, troubleshooting, escalation_offered], dest: closed}
""",
    "handlers.yaml": """
handlers:
  - id: ticket
    priority: 10
    when: {message: ["(open|raise) [a] ticket"]}
    do: [{action: create_ticket}]
    examples: {match: ["please open a ticket"], no_match: ["the parking ticket machine"]}
  - id: ask_name
    priority: 12
    when: {message: ["my details"]}
    do: [{form: details}]
    examples: {match: ["change my details"], no_match: ["detail"]}
  - id: bye
    priority: 20
    when: {message: [goodbye]}
    do: [{trigger: end}, {reply: farewell}]
    examples: {match: ["goodbye now"], no_match: ["good morning"]}
  - id: llm_fallback
    priority: 100
    do: [{llm: true}]
""",
    "rules/categories/printing.yaml": """
category: printing
title: Printing
match: [printer, "print*"]
prompt: printing.md
examples: {match: ["the printer"], no_match: ["the screen"]}
guides:
  - id: printer_offline
    match: ["printer [is|shows] offline"]
    steps: [offline_1, offline_2]
    examples: {match: ["my printer is offline"], no_match: ["is the printer new"]}
""",
    "rules/categories/other.yaml": "category: other\ntitle: Anything else\n",
    "rules/forms.yaml": """
words: {yes: [yes], no: [no], cancel: [cancel]}
forms:
  - id: details
    slots: [{name: summary, type: text, ask: ask_summary}]
    done: [{reply: thanks}]
    cancelled: [{reply: thanks}]
    gave_up: [{reply: thanks}]
""",
    "rules/actions.yaml": """
connections:
  desk: {base_url: "${DESK_URL}", bearer: "${DESK_ACCESS_TOKEN}", headers: {orgId: "${DESK_ORG_ID:-7}"}, timeout: 2s,
         allow_private: true}
actions:
  - id: create_ticket
    connection: desk
    method: POST
    path: /tickets
    json:
      subject: "Help: {{ slots.summary }}"
      tags: [bot, "{{ session.category }}"]
      nested: {open: "{{ hours.open }}"}
    save: {ticket_number: /ticket/number}
    on_success: [{reply: ticket_created}]
    on_failure: [{reply: ticket_failed}]
    when_off: [{reply: ticket_off}]
    while_pending: [{reply: ticket_pending}]
  - id: find_ticket
    connection: desk
    method: GET
    path: "/tickets/{{ slots.summary }}"
    save: {ticket_number: /0/id}
    on_success: [{reply: ticket_created}]
    on_failure: [{reply: ticket_failed}]
    while_pending: [{reply: ticket_pending}]
""",
    "rules/responses.yaml": """
responses:
  welcome: "Hello! What can I help with?"
  no_answer: "I do not know that yet."
  offer_person: {text: "Shall I get a person?", suggestions: ["Yes", "No"]}
  model_unavailable: "I cannot think right now. Shall I get a person?"
  still_there: "Are you still there?"
  farewell: "Goodbye."
  thanks: "Thank you."
  ask_summary: "What is it about?"
  offline_1: "Is it switched on?"
  offline_2: "Restart the print service."
  ticket_created: "Your ticket is {{ slots.ticket_number }}."
  ticket_failed: "The desk does not answer."
  ticket_pending: "Your ticket is on its way."
  ticket_off: "Tickets are switched off."
""",
    "prompts/system.md.j2": "You work for {{ bot.name }}. Topic: {{ category.title }}. They said: {{ slots.summary }}",
    "prompts/printing.md": "Printers need paper.\nThe spooler is a service.",
}

CONVERSATIONS = """
conversations:
  - name: printer offline, then a ticket
    at: 2026-11-23T10:15:00
    steps:
      - say: my printer is offline
        expect:
          {category: printing, handler: printer_offline, state: troubleshooting, reply: offline_1, contains: switched,
           llm: false}
      - wait: 11m
        expect: {reply: still_there, state: troubleshooting}
      - say: please open a ticket
        expect:
          {handler: [ticket, bye], actions: [create_ticket], slots: {ticket_number: DEMO-1001}, contains: DEMO-1001}
  - name: the model
    steps:
      - say: what is the meaning of this error
        llm: "Please restart it."
        expect: {handler: llm_fallback, llm: true, contains: "please  restart"}
      - say: and of that one
        expect: {llm: true, reply: model_unavailable, state: escalation_offered}
"""


def write_bot(folder: Path, changes: Mapping[str, str] | None = None) -> Path:
    """The files of the bot, some of them replaced; returns the folder."""
    for name, text in {**FILES, **(changes or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def desk_bot(folder: Path, changes: Mapping[str, str] | None = None) -> Bot:
    compiled = load_bot(write_bot(folder, changes))
    assert compiled.bot is not None, [str(item) for item in compiled.diagnostics]
    return compiled.bot
