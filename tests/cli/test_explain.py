"""explain: one message, many messages, and rules that did not answer."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run

KEYS = ["id", "text", "state", "category", "handler", "kind", "next_state", "reply", "candidates"]


def test_one_message_as_json(command: Run, small: Path) -> None:
    done = command("explain", "my printer is offline", "--format", "json", cwd=small)
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert list(answer) == KEYS
    assert answer["category"] == "printing"
    assert (answer["handler"], answer["kind"]) == ("printer_offline", "guide")
    assert (answer["state"], answer["next_state"]) == ("greeting", "working")
    assert answer["reply"] == "Switch the printer off and on again."
    fired = [item for item in answer["candidates"] if item["fired"]]
    assert [item["id"] for item in fired] == ["printer_offline"]
    assert list(fired[0]) == ["id", "priority", "fired", "matched", "rejected"]


def test_lines_come_back_in_order(command: Run, small: Path) -> None:
    lines = [
        {"id": 7, "text": "goodbye", "state": "working"},
        {"id": "b", "text": "goodbye"},
        {"id": None, "text": "printer shows offline 😀 \ud83d"},
    ]
    (small / "in.jsonl").write_text("\n\n".join(json.dumps(line) for line in lines), "utf-8")
    done = command("explain", "--input", "in.jsonl", cwd=small)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [answer["id"] for answer in answers] == [7, "b", None]
    assert [answer["state"] for answer in answers] == ["working", "greeting", "greeting"]
    assert [answer["handler"] for answer in answers] == ["goodbye", "llm_fallback", "printer_offline"]
    assert [answer["kind"] for answer in answers] == ["handler", "llm", "guide"]
    assert [answer["text"] for answer in answers] == [line["text"] for line in lines]


def test_the_bot_may_be_an_argument_or_an_option(command: Run, small: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": 1, "text": "goodbye"}', "utf-8")
    ways = (
        ("explain", "goodbye", str(small), "--format", "json"),
        ("explain", "goodbye", "--bot", str(small), "--format", "json"),
        ("explain", "--input", "in.jsonl", str(small)),
        ("explain", "--input", "in.jsonl", "--bot", str(small)),
    )
    for way in ways:
        done = command(*way, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["handler"] == "llm_fallback"


def test_standard_input(command: Run, small: Path) -> None:
    done = command("explain", "--input", "-", cwd=small, stdin='\ufeff{"id": 1, "text": "printer offline"}\n')
    assert json.loads(done.stdout)["handler"] == "printer_offline"


def test_a_wrong_line_is_named(command: Run, small: Path) -> None:
    good = '{"id": 1, "text": "hello"}\n'
    wrong = {
        "{text}\n": "is not JSON",
        "[1]\n": 'an object with a "text"',
        '{"text": 5}\n': 'an object with a "text"',
        '{"text": "a", "state": "workin"}\n': "did you mean 'working'?",
        '{"text": "a", "state": 3}\n': "a state is a text",
        "[" * 100_000 + "\n": "is not JSON",
    }
    for line, said in wrong.items():
        (small / "in.jsonl").write_text(good + line, "utf-8")
        done = command("explain", "--input", "in.jsonl", cwd=small)
        assert done.returncode == 2
        assert "in.jsonl:2" in done.stderr
        assert said in done.stderr


def test_text_names_the_rule_and_its_rivals(command: Run, small: Path) -> None:
    done = command("explain", "my printer is ofline", cwd=small)
    assert done.returncode == 0
    assert "answered by  guide printer_offline" in done.stdout
    assert "greeting → working" in done.stdout
    assert "ofline → offline" in done.stdout
    assert "► printer_offline" in done.stdout


def test_why_not(command: Run, small: Path) -> None:
    done = command("explain", "goodbye", "--why-not", "goodbye", cwd=small)
    assert "why not goodbye (handlers.yaml:2)" in done.stdout
    assert "working" in done.stdout
    document = json.loads(command("explain", "goodbye", "--why-not", "goodbye", "--format", "json", cwd=small).stdout)
    assert document["why_not"]["rule"] == "goodbye"
    assert document["why_not"]["fired"] is False


def test_the_time_can_be_chosen(command: Run, small: Path) -> None:
    responses = small / "rules" / "responses.yaml"
    text = responses.read_text("utf-8").replace("Goodbye!", '"It is {{ now.time }}."')
    responses.write_text(text, "utf-8")
    done = command(
        "explain", "goodbye", "--state", "working", "--at", "2026-07-06T10:15", "--format", "json", cwd=small
    )
    assert json.loads(done.stdout)["reply"] == "It is 10:15."
