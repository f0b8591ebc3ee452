"""The check of shapes: the same verdict as any draft-07 validator, in words that help."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supportbot import resources
from supportbot.config.schema import check
from supportbot.config.yaml_reader import read_yaml
from supportbot.diagnostics import Place

STEPS = """[{trigger: a}, {reply: b}, {form: c}, {action: d}, {set: {e: "{{ slots.f }}", g: true, h: 1.5}}, {guide: i},
  {next_step: true}, {handoff: true}, {handoff: {department: "${D}"}}, {handoff: {}}, {close: true}, {block: true}, {llm: true}]"""
MATCH = '{any: ["a [b]", {phrase: c, typos: false, weight: 2, at: start}, {regex: "d+"}], all: [e], none: [f], max_words: 6}'
EXAMPLES = "{match: [b, {text: c, state: a}], no_match: [d, {text: e}]}"
GOOD = {
    "settings": f"""
name: IT support
language: en
languages: [en, fr]
time_zone: Europe/London
default_category: other
greeting: welcome
fallback: no_answer
hours: {{monday: ["09:00-12:00", "13:00-17:30"], sunday: [], holidays: ["2026-12-25"]}}
typos: {{enabled: true, min_letters: 5, ignore: [fiend]}}
limits: {{attempts: 3, message_chars: 4000, history: 20, session_minutes: 30}}
guides: {{start: a, next: b, exhausted: {STEPS}}}
invariants: [{{reach: person, turns: 2}}]
llm:
  model: "${{MODEL:-}}"
  fallbacks: [a/b]
  api_base: ""
  deadline: 8s
  attempts: 2
  max_tokens: 500
  prompt_tokens: 6000
  temperature: 0.2
  history: 8
  system: system.md.j2
  answered: [{{trigger: answer}}]
  unavailable: []
  requests: {{person: {STEPS}}}
  calls: 4
  price: {{input: 0.15, output: 0.6}}
  budget: {{session_tokens: 1, day_tokens: 1, session_cost: 0.5, day_cost: 5, spent: {STEPS}}}
server:
  store: data/sessions.db
  action_wait: 2.5s
  retention: 30d
  turns: 100
  connections: 100
  rates: {{session: {{per_minute: 60, burst: 10}}, address: {{per_minute: 60, burst: 10}}}}
alerts: {{webhook: "${{ALERTS:-}}", threshold: 3, window: 5m, cooldown: 15m, body: {{text: "{{{{ alert.text }}}}"}}}}
statistics: {{person: [a], resolved: [b]}}
region: GB
channels:
  salesiq:
    public_keys: ["${{KEY:-}}"]
    token: "${{TOKEN:-}}"
    reply_deadline: 4s
    pending_after: 2.5s
    server: salesiq.zoho.eu
    screenname: acme
    access_token: "${{ACCESS:-}}"
    connection: salesiq
    department: "1"
    departments: {{billing: "2"}}
    outside_hours: auto
    end_delay: 30s
    cards: false
    collect: [callback]
    reply_chars: 500
    texts: {{hello: a, late: a, pending: a, trouble: a, words_please: a, connecting: a, nobody_free: a, unattended: a,
      preview_handover: a, goodbye: a}}
    handover_failed: {STEPS}
""",
    "states": f"""
initial: a
states:
  - {{id: a, title: A}}
  - {{id: b, timeouts: [{{after: 10m, do: {STEPS}}}, {{after: 90, do: [{{close: true}}]}}]}}
  - {{id: c, final: true}}
conditions: {{open: hours.open}}
transitions:
  - {{trigger: t, source: [a, b], dest: c}}
  - {{trigger: t, source: "*", dest: "=", conditions: [open]}}
  - {{trigger: u, source: a, dest: b, conditions: open}}
""",
    "handlers": f"""
handlers:
  - id: a
    title: A
    priority: 9
    when:
      - {{state: [a, b], category: c, message: {MATCH}, if: hours.open}}
      - {{message: [x]}}
    interrupts: true
    do: {STEPS}
    examples: {EXAMPLES}
  - {{id: b, when: {{state: a}}, do: [{{llm: true}}]}}
""",
    "category": f"""
category: printing
title: Printing
priority: 50
match: {MATCH}
prompt: categories/printing.md
examples: {EXAMPLES}
guides:
  - {{id: a, title: A, match: [b], steps: [c, d], examples: {EXAMPLES}}}
  - {{id: b, when: {{state: [x], message: {MATCH}, if: "true"}}, do: {STEPS}, small_talk: true}}
  - {{id: c, when: [{{message: [y]}}], steps: [z]}}
""",
    "responses": """
responses:
  a: Hello
  b: {text: Hi, suggestions: [x], channels: {salesiq: {text: y}}}
  c: {variants: [x, y], languages: {fr: {text: z, channels: {chat: {variants: [w]}}}}}
""",
    "lists": 'lists: {not_working: [not working, "(does|do|did) not work"]}',
    "forms": f"""
words: {{yes: ["<yes>"], no: {MATCH}, cancel: [stop]}}
forms:
  - id: callback
    title: Call me back
    slots:
      - {{name: phone, type: phone, ask: a, invalid: b, prefill: [visitor.phone, message], max_chars: 20}}
      - {{name: urgency, type: choice, choices: {{high: [urgent], low: {MATCH}}}, ask: c, optional: true}}
      - {{name: at, type: time, ask: a, in_hours: true, refused: b, card: none}}
    confirm: d
    change: f
    retries: 3
    done: {STEPS}
    cancelled: []
    gave_up: [{{reply: e}}]
""",
    "actions": f"""
connections:
  desk: {{base_url: "${{URL:-https://desk.example.com}}", bearer: "${{T}}", headers: {{orgId: "${{O}}"}}, timeout: 10s}}
  mail:
    base_url: https://mail.example.com
    auth: {{basic: {{user: a, password: "${{P}}"}}}}
    check: {{method: HEAD, path: /status}}
    concurrency: 2
    retry: {{tries: 3, wait: 0.5s}}
    ok: {{status: 2xx, absent: [/error]}}
    errors: [{{is: expired, status: [401, 5xx], equals: {{/code: [1, b, true], /c: d}}, exists: /e, absent: /f}}]
    allow_private: true
  key: {{base_url: https://key.example.com, auth: {{header: {{name: X-Api-Key, value: "${{K}}"}}}}}}
  plain: {{base_url: https://plain.example.com, auth: {{bearer: "${{B}}"}}}}
  zoho:
    base_url: https://zoho.example.com
    auth:
      oauth2: {{token_url: "https://a.example.com", client_id: a, client_secret: "${{S}}", refresh_token: "${{R}}",
               token: "${{T}}", header: "Zoho-oauthtoken {{token}}"}}
actions:
  - id: create
    title: Create
    connection: desk
    method: POST
    path: /tickets
    json: {{subject: "{{{{ slots.a }}}}", tags: [b, 1, null, {{c: true}}]}}
    save: {{number: /ticketNumber}}
    on_success: {STEPS}
    on_failure: []
    when_off: [{{reply: d}}]
    while_pending: [{{reply: d}}]
    on_error: {{rate_limited: {STEPS}, timeout: [], rejected: [], auth: []}}
    before: [look]
    if: "slots.a"
    once_for: "{{{{ slots.a }}}}"
    ok: {{exists: [/id]}}
    reconcile: {{action: look, after: 60s}}
  - id: look
    connection: mail
    method: GET
    path: /search
    query: {{mail: "{{{{ slots.a }}}}", limit: 1, deep: true}}
    find: {{in: /data, full: 50, where: {{/email: "{{{{ slots.a }}}}", /subject: {{ends: "]"}}}}}}
    save: {{number: /ticketNumber}}
  - {{id: send, connection: mail, path: /form, form: {{a: b, c: 1, d: true}}, reconcile: look}}
""",
    "conversations": """
conversations:
  - name: a
    at: 2026-11-23T10:15:00
    steps:
      - say: x
        llm: y
        expect: {category: a, handler: [b, c], state: d, reply: e, contains: [f], suggestions: [g], slots: {h: 1}}
      - {say: z, expect: {actions: [b], llm: false}}
      - wait: 31m
""",
}
KINDS = sorted(GOOD)


def documents() -> list[tuple[str, Any]]:
    """Good documents: the ones above and those of the starter bot."""
    root = resources.starter_bot()
    files = {"settings": ["supportbot.yaml"], "states": ["states.yaml"], "handlers": ["handlers.yaml"]}
    files["category"] = [f"rules/categories/{path.name}" for path in sorted((root / "rules/categories").glob("*.yaml"))]
    files |= {kind: [f"rules/{kind}.yaml"] for kind in ("responses", "lists", "forms", "actions")}
    good = [(kind, plain(read_yaml(text, kind)[0])) for kind, text in GOOD.items()]
    for kind, names in files.items():
        for name in names:
            if (root / name).is_file():
                good.append((kind, plain(read_yaml((root / name).read_bytes(), name)[0])))
    return good


def plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    return [plain(item) for item in data] if isinstance(data, list) else data


DOCUMENTS = documents()


def schema_of(kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((resources.schemas() / f"{kind}.json").read_text("utf-8"))
    return schema


def _strict(kind: str) -> jsonschema.Draft7Validator:
    # JSON Schema takes 3.0 for an integer. YAML's authors do not write it, and a whole number is an int afterwards.
    checker = jsonschema.Draft7Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    made = jsonschema.validators.extend(jsonschema.Draft7Validator, type_checker=checker)  # type: ignore[no-untyped-call]
    return cast(jsonschema.Draft7Validator, made(schema_of(kind)))


VALIDATORS = {kind: _strict(kind) for kind in KINDS}


def parts(schema: Any) -> list[dict[str, Any]]:
    """A schema and all schemas inside it."""
    if isinstance(schema, list):
        return [part for item in schema for part in parts(item)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(part for item in schema.values() for part in parts(item))]


NAMES = sorted({key for kind in KINDS for part in parts(schema_of(kind)) for key in part.get("properties", {})})
TEXTS = st.sampled_from(
    ["", "a", "a-b", "1a", "8s", "10m", "x8", "09:00-17:00", "2026-12-25", "phone", "POST", "*", "é"]
)
SCALARS = st.one_of(TEXTS, st.booleans(), st.none(), st.integers(-3, 60), st.sampled_from([0.0, 1.0, -0.5, 2.5, 3.0]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(NAMES), TEXTS), inner, max_size=3)
    ),
    max_leaves=8,
)


def agree(kind: str, data: Any) -> None:
    expected = list(VALIDATORS[kind].iter_errors(data))
    found = check(kind, data, "a.yaml")
    assert bool(found) == bool(expected), (data, found, expected[:3])
    for item in found:
        assert item.severity == "error"
        assert item.code in {"unknown-key", "missing-key", "wrong-type", "not-allowed", "empty-value", "out-of-range"}
        assert len(item.message) < 400


@pytest.mark.parametrize("kind", KINDS)
def test_good_documents_have_no_findings(kind: str) -> None:
    for its_kind, data in DOCUMENTS:
        if its_kind == kind:
            assert check(kind, data, "a.yaml") == []
            assert list(VALIDATORS[kind].iter_errors(data)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_samples_use_every_key_of_the_schema(kind: str) -> None:
    """So that a mutation can reach every rule of it."""
    used: set[str] = set()

    def walk(data: Any) -> None:
        if isinstance(data, dict):
            used.update(data)
        for inner in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
            walk(inner)

    walk(plain(read_yaml(GOOD[kind], "a.yaml")[0]))
    known = {key for part in parts(schema_of(kind)) for key in part.get("properties", {}) if "properties" in part}
    missing = {key for key in known - used if not key.endswith("day")}
    assert not missing


@settings(max_examples=200)
@given(st.sampled_from(KINDS), VALUES)
def test_agreement_over_any_document(kind: str, data: Any) -> None:
    agree(kind, data)


@settings(max_examples=400)
@given(st.data())
def test_agreement_over_mutations_of_good_documents(source: st.DataObject) -> None:
    kind, good = source.draw(st.sampled_from(DOCUMENTS))
    data = copy.deepcopy(good)
    for _ in range(source.draw(st.integers(1, 2))):
        spots = [(node, key) for node, key in containers(data)]
        node, key = source.draw(st.sampled_from(spots)) if spots else (None, None)
        if node is None:
            return
        action = source.draw(st.sampled_from(["replace", "remove", "rename", "add", "empty"]))
        if action == "replace":
            node[key] = source.draw(VALUES)
        elif action == "remove":
            del node[key]
        elif action == "rename" and isinstance(node, dict):
            node[source.draw(st.sampled_from(NAMES))] = node.pop(key)
        elif action == "add" and isinstance(node, dict):
            node[source.draw(st.one_of(st.sampled_from(NAMES), TEXTS))] = source.draw(VALUES)
        elif action == "empty" and isinstance(node[key], dict | list):
            node[key].clear()
    agree(kind, data)


def containers(data: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index) of a document."""
    pairs: list[tuple[Any, Any]] = []
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        pairs += [(data, key), *containers(value)]
    return pairs


def test_definitions_that_files_share_are_the_same_everywhere() -> None:
    seen: dict[str, Any] = {}
    for kind in KINDS:
        for name, definition in schema_of(kind).get("definitions", {}).items():
            if name not in ("when", "conditions"):  # a guide's know no category
                assert seen.setdefault(name, definition) == definition, (kind, name)


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_are_schemas_and_teach(kind: str) -> None:
    schema = schema_of(kind)
    jsonschema.Draft7Validator.check_schema(schema)
    for part in parts(schema):
        for key, inner in part.get("properties", {}).items():
            if isinstance(inner, dict) and "$ref" not in inner and key != "properties":
                assert inner.get("title"), (kind, key)
                assert inner.get("description"), (kind, key)
        if part.get("type") == "object" and "properties" in part:
            assert part.get("additionalProperties") is False, part.get("title")
        for example in part.get("examples", []):
            if isinstance(part.get("title"), str):
                resolver = {**part, "definitions": schema.get("definitions", {})}
                assert list(jsonschema.Draft7Validator(resolver).iter_errors(example)) == [], (kind, part["title"])


# kind, document, code, "line:column-end", part of the message, part of the hint
FINDINGS = [
    (
        "handlers",
        "handlrs: []\n",
        "unknown-key",
        "1:1-8",
        "'handlrs' is not a key of this file",
        "did you mean 'handlers'?",
    ),
    (
        "handlers",
        "handlers:\n  - {idd: a, do: [{llm: true}]}\n",
        "unknown-key",
        "2:6-9",
        "a handler",
        "did you mean 'id'?",
    ),
    ("handlers", "handlers:\n  - id: a\n", "missing-key", "2:5-7", "this handler has no 'do'", "do:"),
    ("handlers", "handlers:\n  - do: [{llm: true}]\n", "missing-key", "2:5-7", "no 'id'", "id: callback"),
    ("handlers", "handlers:\n  a: 1\n", "wrong-type", "2:3-7", "'handlers' must be a list", "dash"),
    ("handlers", "handlers:\n  -a\n", "wrong-type", "2:3-5", "must be a list", "space after each dash"),
    ("handlers", "handlers:\n", "empty-value", "1:10-10", "'handlers' is empty; a list is expected", "fill it in"),
    ("handlers", "handlers: [{id: a, do: []}]\n", "empty-value", "1:24-26", "'do' is empty", "fill it in"),
    (
        "handlers",
        "handlers: [{id: a, do: [{}]}]\n",
        "empty-value",
        "1:25-27",
        "an entry of 'do' is empty",
        "fill it in",
    ),
    ("handlers", "handlers: [{id: a, do: [reply]}]\n", "wrong-type", "1:25-30", "keys with values", "{reply: ...}"),
    ("handlers", "handlers: [{id: a, do: [{close: yes}]}]\n", "wrong-type", "1:33-36", "true or false", "write true"),
    (
        "handlers",
        "handlers: [{id: a, do: [{llm: false}]}]\n",
        "not-allowed",
        "1:31-36",
        "can be true",
        "remove the key",
    ),
    (
        "handlers",
        "handlers: [{id: a, do: [{trigger: a, reply: b}]}]\n",
        "not-allowed",
        "1:38-43",
        "one step does one thing",
        "a list entry of each",
    ),
    ("handlers", "handlers: [{id: a b, do: [{llm: true}]}]\n", "not-allowed", "1:17-20", "'a b'", "letters"),
    (
        "handlers",
        "handlers: [{id: a, priority: high, do: [{llm: true}]}]\n",
        "wrong-type",
        "1:30-34",
        "a whole number",
        "",
    ),
    (
        "handlers",
        'handlers: [{id: a, priority: "9", do: [{llm: true}]}]\n',
        "wrong-type",
        "1:30-33",
        "'9'",
        "remove the quotes: 9",
    ),
    (
        "handlers",
        "handlers: [{id: a, match: [b], do: [{llm: true}]}]\n",
        "unknown-key",
        "1:20-25",
        "",
        "when: {message",
    ),
    (
        "handlers",
        "handlers: [{id: a, state: b, do: [{llm: true}]}]\n",
        "unknown-key",
        "1:20-25",
        "",
        "belongs under 'when'",
    ),
    (
        "handlers",
        "handlers:\n  - id: a\n    when:\n      state: a\n      do: [{llm: true}]\n    do: [{llm: true}]\n",
        "unknown-key",
        "5:7-9",
        "'do' is not a key of 'when'",
        "one level up",
    ),
    ("category", "category: a\ntitle: A\nmatch: [3371]\n", "wrong-type", "3:9-13", "an entry of 'match'", '"3371"'),
    ("category", "category: a\ntitle: A\nmatch: [true]\n", "wrong-type", "3:9-13", "true", '"true"'),
    ("category", "category: a\ntitle: A\nmatch: [[a] ]\n", "wrong-type", "3:9-12", "a list", "quotes"),
    (
        "category",
        "category: a\ntitle: A\nmatch: [{name:text}]\n",
        "wrong-type",
        "3:10-19",
        "begins with {",
        '"{name:text}"',
    ),
    ("category", "category: a\ntitle: A\nmatch: printer\n", "wrong-type", "3:8-15", "a list", '["printer"]'),
    ("category", "category: a\ntitle: A\nmatch: {anny: [b]}\n", "unknown-key", "3:9-13", "'match'", "'any'"),
    ("category", "category: a\ntitle: 7\n", "wrong-type", "2:8-9", "'title' must be a text", '"7"'),
    (
        "forms",
        "forms: [{id: a, slots: [{name: b, ask: c, type: fone}]}]\n",
        "not-allowed",
        "1:49-53",
        "'fone'",
        "'phone'",
    ),
    (
        "forms",
        "forms: [{id: a, retries: -1, slots: [{name: b, ask: c}]}]\n",
        "out-of-range",
        "1:26-28",
        "0 or more",
        "",
    ),
    ("forms", "forms: [{id: a, slots: [{name: a-b, ask: c}]}]\n", "not-allowed", "1:32-35", "'a-b'", "slot's name"),
    ("settings", "name: a\ndefault_category: b\nllm: {temperature: 3.5}\n", "out-of-range", "3:20-23", "2 or less", ""),
    ("settings", "name: a\ndefault_category: b\nllm: {deadline: soon}\n", "not-allowed", "3:17-21", "'soon'", "30m"),
    ("settings", "name: a\ndefault_category: b\nmonday: []\n", "unknown-key", "3:1-7", "", "belongs under 'hours'"),
    ("responses", "responses: {a b: c}\n", "not-allowed", "1:13-16", "the name is 'a b'", "letters"),
    ("responses", "responses:\n  a: {txt: b}\n", "unknown-key", "2:7-10", "", "'text'"),
    ("responses", "- a\n", "wrong-type", "1:1-4", "the file must be keys with values", ""),
]


@pytest.mark.parametrize(("kind", "text", "code", "where", "message", "hint"), FINDINGS)
def test_finding(kind: str, text: str, code: str, where: str, message: str, hint: str) -> None:
    data, problems = read_yaml(text, "a.yaml")
    assert problems == []
    found = check(kind, data, "a.yaml")
    assert [item.code for item in found] == [code]
    place = found[0].place
    assert f"{place.line}:{place.column}-{place.end_column}" == where
    assert message in found[0].message
    assert hint in found[0].hint


def test_all_findings_of_a_document_are_reported() -> None:
    text = "handlers:\n  - {priority: x, wen: {}}\n  - {id: 3, do: [{closed: true}, {close: 1}]}\nmore: 1\n"
    found = check("handlers", read_yaml(text, "a.yaml")[0], "a.yaml")
    assert sorted(item.code for item in found) == [
        *("missing-key", "missing-key"),
        *("unknown-key", "unknown-key", "unknown-key"),
        *("wrong-type", "wrong-type", "wrong-type"),
    ]


def test_a_block_is_not_underlined_as_a_whole() -> None:
    text = "handlers:\n  a: 1\n  b: 2\n"
    found = check("handlers", read_yaml(text, "a.yaml")[0], "a.yaml")
    assert [item.place for item in found] == [Place("a.yaml", 2, 3, 2, 4)]


def test_a_huge_wrong_value_makes_a_short_message() -> None:
    text = json.dumps(
        {"handlers": [{"id": "x" * 10_000, "priority": "y" * 10_000, "z" * 10_000: 1, "do": [{"llm": True}]}]}
    )
    for item in check("handlers", read_yaml(text, "a.yaml")[0], "a.yaml"):
        assert len(item.message) + len(item.hint) < 500


def test_no_schema_library_is_needed() -> None:
    package = Path(resources.PACKAGE)
    assert not [path for path in package.rglob("*.py") if "import jsonschema" in path.read_text("utf-8")]


@pytest.mark.parametrize(
    ("kind", "text", "hint"),
    [
        ("handlers", "handlers:\n  - {id: a, do: {reply: b}}\n", "[{...}]"),
        ("handlers", "handlers:\n  - {id: a, do: [b]}\n", "for example {reply: b}"),
        ("handlers", "handlers:\n  - {id: a}\n", "do: [{trigger: offer_person}, {reply: offer_person}]"),
        ("handlers", "handlers:\n  - {id: a, priority: 9.5, do: [{close: true}]}\n", "for example 10"),
        ("handlers", "handlers:\n  - {id: a, when: {message: [{error: 12}]}, do: [{close: true}]}\n", '"error: 12"'),
        ("states", "initial: a\nstates: [a]\ntransitions: []\n", "write {id: a}"),
        ("responses", "responses:\n  a: {text: [b, c]}\n", "variants: [...]"),
        ("responses", "responses:\n  a:\n  text: b\n", "indent the line of 'text' more"),
        ("lists", "lists: {a: 5}\n", 'write a list: ["5"]'),
    ],
)
def test_a_hint_is_an_edit(kind: str, text: str, hint: str) -> None:
    data, syntax = read_yaml(text, "a.yaml")
    assert syntax == []
    assert hint in " ".join(item.hint for item in check(kind, data, "a.yaml"))
