"""Texts meant to confuse the bot: plain twins are answered alike, nothing is evaluated, nothing leaks."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.hostile.world import ROOT, Server, insides, read, watched

from supportbot.compiler.compile import load_bot

TEXTS: dict[str, list[dict[str, Any]]] = read("texts.yaml")
CHARS = 4_000
FORM = "please call me back"
# 7 * 191, and what a page would run; the bot's own answers hold none of it.
EVALUATED = re.compile(r"1337|<script|onerror=|__globals__")
PROMPT = [line for line in (ROOT / "prompts" / "system.md.j2").read_text("utf-8").splitlines() if len(line) > 30]


def said(answer: dict[str, Any]) -> str:
    return "\n".join(reply["text"] for reply in answer["replies"])


def ask_all(server: Server, asked: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Each text in its session, some at a time; every one is answered with 200 in time."""
    with watched(server), ThreadPoolExecutor(6) as threads:
        return list(threads.map(lambda one: server.chat(one[1], one[0]), asked))


def flood(fill: str) -> str:
    return (fill * (CHARS // len(fill) + 1))[:CHARS]


def test_the_corpus_is_large_enough() -> None:
    evasions = sum(len(twin["evasions"]) for twin in TEXTS["twins"])
    assert evasions >= 150
    assert sum(map(len, TEXTS.values())) - len(TEXTS["twins"]) >= 150


@pytest.mark.parametrize("twin", TEXTS["twins"], ids=[twin["plain"] for twin in TEXTS["twins"]])
def test_an_evasion_is_answered_as_its_plain_twin(twin: dict[str, Any], server: Server) -> None:
    place = TEXTS["twins"].index(twin)
    plain = server.chat(twin["plain"], f"plain-{place}")
    assert plain["handler"] != "llm_fallback"
    names = list(twin["evasions"])
    texts = [(f"twin-{place}-{at}", twin["evasions"][name]) for at, name in enumerate(names)]
    answers = dict(zip(names, ask_all(server, texts), strict=True))
    told = ("handler", "category", "state", "actions")
    astray = {name: answer["handler"] for name, answer in answers.items() if any(answer[x] != plain[x] for x in told)}
    assert astray == {}


def test_the_rules_that_must_not_wake_are_there() -> None:
    bot = load_bot(ROOT).bot
    assert bot is not None
    known = {handler.id for handler in bot.handlers} | set(bot.guides) | {f"form.{form}" for form in bot.forms}
    assert {rule for case in TEXTS["over_matching"] for rule in case["never"]} <= known


def test_words_that_mean_something_else_do_not_wake_their_rule(server: Server) -> None:
    cases = TEXTS["over_matching"]
    answers = ask_all(server, [(f"over-{at}", case["text"]) for at, case in enumerate(cases)])
    woken = [
        (case["text"], answer["handler"])
        for case, answer in zip(cases, answers, strict=True)
        if answer["handler"] in case["never"] or set(answer["actions"]) & set(case["never"])
    ]
    assert woken == []


@pytest.mark.parametrize("before", ["", FORM], ids=["in a conversation", "inside a form"])
def test_nothing_is_evaluated_and_nothing_is_told(before: str, server: Server) -> None:
    sessions = [f"text-{bool(before)}-{at}" for at in range(len(TEXTS["texts"]))]
    if before:
        ask_all(server, [(session, before) for session in sessions])
    texts = [case["text"] for case in TEXTS["texts"]]
    answers = ask_all(server, list(zip(sessions, texts, strict=True)))
    for text, answer in zip(texts, answers, strict=True):
        reply = said(answer)
        assert reply, text
        assert insides(reply) == [], text
        assert not [line for line in PROMPT if line in reply], text
        if not before:  # a form repeats the name it was given, which pages show as text
            assert not EVALUATED.search(reply), text


@pytest.mark.parametrize("before", ["", FORM], ids=["in a conversation", "inside a form"])
def test_floods_are_answered(before: str, server: Server) -> None:
    sessions = [f"flood-{bool(before)}-{at}" for at in range(len(TEXTS["floods"]))]
    if before:
        ask_all(server, [(session, before) for session in sessions])
    answers = ask_all(
        server, [(session, flood(case["fill"])) for session, case in zip(sessions, TEXTS["floods"], strict=True)]
    )
    for case, answer in zip(TEXTS["floods"], answers, strict=True):
        assert said(answer), case
        assert insides(said(answer)) == [], case
        assert len(said(answer)) < 2 * CHARS, case


def test_a_wish_behind_a_flood_is_heard(server: Server) -> None:
    wish = " my printer is offline"
    texts = [("zxq " * CHARS)[: CHARS - len(wish)] + wish, wish + (" zxq" * CHARS)[: CHARS - len(wish)]]
    answers = ask_all(server, [(f"wish-{at}", text) for at, text in enumerate(texts)])
    assert [answer["handler"] for answer in answers] == ["printer_offline"] * 2


def test_secrets_and_personal_data_are_written_nowhere(server: Server) -> None:
    cases = TEXTS["secrets"]
    for place, before in enumerate(("", FORM)):
        sessions = [f"secret-{place}-{at}" for at in range(len(cases))]
        if before:
            ask_all(server, [(session, before) for session in sessions])
        answers = ask_all(server, [(session, case["text"]) for session, case in zip(sessions, cases, strict=True)])
        told = [case["text"] for case, answer in zip(cases, answers, strict=True) if case["secret"] in str(answer)]
        assert told == []
    ask_all(server, [(f"personal-{at}", case["text"]) for at, case in enumerate(TEXTS["personal"])])
    log = server.log_text()
    written = [case["text"] for case in cases if case["secret"] in log or ascii(case["secret"])[1:-1] in log]
    assert written == []
    assert [case["text"] for case in TEXTS["personal"] if case["data"] in log] == []
    kept = b"".join(path.read_bytes() for path in server.store.parent.glob("sessions.db*"))
    assert [case["text"] for case in cases if case["secret"].encode() in kept] == []


def test_the_log_tells_of_no_failure(server: Server) -> None:
    log = server.log_text()
    assert '"level":"error"' not in log
    assert "Traceback" not in log
    assert f"{ROOT}/engine" not in log
