"""``supportbot explain``: which rule answers a message, why it does and why others do not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import click
from msgspec.structs import replace

from supportbot.adapters.clock import SystemClock
from supportbot.cli.loading import working_bot
from supportbot.cli.options import color_option, format_option, paint_of
from supportbot.cli.output import to_json
from supportbot.cli.terminal import Paint, put, safe, say
from supportbot.decision.conclude import start_session
from supportbot.decision.explain import explain
from supportbot.diagnostics import did_you_mean
from supportbot.errors import UsageError
from supportbot.model.bot import Bot
from supportbot.model.session import Message, Turn


@dataclass(frozen=True, slots=True)
class Question:
    """A message to explain; ``id`` is given back as it came, ``state`` None is the initial one."""

    id: Any
    text: str
    state: str | None


@click.command("explain")
@click.argument("text", required=False)
@click.argument("bot_dir", metavar="[BOT_DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--bot", "bot_option", metavar="DIR", type=click.Path(path_type=Path), help="Folder of the bot.")
@click.option(
    "--input", "source", metavar="FILE", type=click.File("r", encoding="utf-8-sig"), help="JSON Lines; -: stdin."
)
@click.option("--state", help="State of the conversation; by default the initial one.")
@click.option("--why-not", metavar="HANDLER", help="A handler or guide: what keeps it from answering.")
@click.option("--at", help="The time, e.g. 2026-11-23T10:15 in the bot's time zone; by default now.")
@format_option("text", "json")
@color_option
@click.pass_context
def command(
    context: click.Context,
    text: str | None,
    bot_dir: Path | None,
    bot_option: Path | None,
    source: TextIO | None,
    state: str | None,
    why_not: str | None,
    at: str | None,
    style: str | None,
) -> None:
    """Why does it answer TEXT the way it does?

    With --input each line of FILE is an object {"id": ..., "text": ..., "state": ...}, the state is optional;
    one object a line is printed, in order.
    """
    if source is not None and text is not None and bot_dir is None:
        bot_dir, text = Path(text), None  # without TEXT the one argument is the folder
    if (text is None) == (source is None):
        raise click.UsageError("say what to explain: a TEXT, or --input FILE")
    bot, _root = working_bot(bot_option or bot_dir)
    check_state(bot, state, "--state")
    check_rule(bot, why_not)
    now = moment(bot, at)
    paint = paint_of(context)
    questions = read_questions(source, bot, state) if source is not None else iter([Question(None, text or "", state)])
    as_json = style == "json" or (style is None and source is not None)
    for number, question in enumerate(questions):
        answer = answer_of(bot, question, now, why_not)
        if as_json:
            put(to_json(printed(answer), indent=2 if source is None else None))
        else:
            say(("\n" if number else "") + show(answer, paint))


def answer_of(bot: Bot, question: Question, now: datetime, why_not: str | None = None) -> dict[str, Any]:
    """The whole explanation; ``printed`` says which part of it programs get."""
    session = start_session(bot, "explain", now, "chat")
    session = replace(session, state=question.state or bot.graph.initial)
    turn = Turn(session, Message("explain", "explain", question.text, "chat", now), now)
    return explain(bot, turn, why_not).as_json(question.id)


KEYS = ("id", "text", "state", "category", "handler", "kind", "next_state", "reply", "candidates")
CANDIDATE_KEYS = ("id", "priority", "fired", "matched", "rejected")


def printed(answer: dict[str, Any]) -> dict[str, Any]:
    """The keys that docs/reference.md promises, and no others: what is printed cannot be taken back."""
    kept = {key: answer[key] for key in KEYS}
    kept["candidates"] = [{key: item[key] for key in CANDIDATE_KEYS} for item in answer["candidates"]]
    if "why_not" in answer:
        kept["why_not"] = answer["why_not"]
    return kept


def moment(bot: Bot, at: str | None) -> datetime:
    """``--at`` in the bot's time zone, or now. Raises UsageError when it is no time."""
    if at is None:
        return SystemClock().now()
    try:
        read = datetime.fromisoformat(at)
    except ValueError:
        raise UsageError(f"--at '{at}' is not a time; write it like 2026-11-23T10:15") from None
    aware = read if read.tzinfo is not None else read.replace(tzinfo=bot.settings.hours.zone)
    return aware.astimezone(UTC)


def check_state(bot: Bot, state: str | None, where: str) -> None:
    if state is not None and state not in bot.graph.states:
        raise UsageError(f"{where}: there is no state '{state}'; {did_you_mean(state, bot.graph.states)}")


def check_rule(bot: Bot, name: str | None) -> None:
    known = [*bot.handler_by_id, *bot.guides]
    if name is not None and name not in known:
        raise UsageError(f"--why-not: there is no handler or guide '{name}'; {did_you_mean(name, known)}")


def read_questions(source: TextIO, bot: Bot, state: str | None) -> Iterator[Question]:
    """The questions of a JSON Lines file, one at a time. Raises UsageError with the number of a line that is wrong."""
    try:
        for number, line in enumerate(source, start=1):
            if line.strip():
                yield _question(line, f"{source.name}:{number}", bot, state)
    except UnicodeDecodeError as problem:
        raise UsageError(f"{source.name} is not UTF-8: {problem.reason}") from problem


def _question(line: str, where: str, bot: Bot, default_state: str | None) -> Question:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"{where}: this line is not JSON ({problem})") from problem
    if not isinstance(data, dict) or not isinstance(data.get("text"), str):
        raise UsageError(f'{where}: a line is an object with a "text", e.g. {{"id": 1, "text": "hello"}}')
    state = data.get("state")
    if state is not None and not isinstance(state, str):
        raise UsageError(f"{where}: a state is a text, e.g. {bot.graph.initial}")
    check_state(bot, state, where)
    return Question(data.get("id"), data["text"], state or default_state)


# --- for people ---------------------------------------------------------------------------


def show(answer: dict[str, Any], paint: Paint) -> str:
    """The explanation as text: how it was read, what answered, then every rule that was considered."""
    before, after = answer["state"], answer["next_state"]
    rows = [("message", safe(str(answer["text"])))]
    rows += [("read as", f"{safe(typed)} → {safe(meant)}") for typed, meant in answer["corrections"].items()]
    rows += [
        ("category", _category(answer, paint)),
        ("answered by", f"{answer['kind']} {paint.strong(str(answer['handler']))}"),
        ("state", before if before == after else f"{before} → {after}"),
    ]
    reply = safe(str(answer["reply"]), lines=True).strip().split("\n")
    rows += [("reply" if number == 0 else "", text) for number, text in enumerate(reply)]
    lines = [f"{paint.note(f'{name:<11}')}  {value}".rstrip() for name, value in rows]
    return "\n".join([*lines, *_candidates(answer, paint), *_why_not(answer, paint)])


def _category(answer: dict[str, Any], paint: Paint) -> str:
    scores = [f"{item['id']} {item['score']:g} {_words(item['evidence'])}" for item in answer["categories"]]
    shown = paint.strong(str(answer["category"]))
    return f"{shown}   {paint.faint('(' + ', '.join(scores) + ')')}" if scores else shown


def _candidates(answer: dict[str, Any], paint: Paint) -> list[str]:
    items = sorted(answer["candidates"], key=lambda item: not item["fired"])
    if not items:
        return []
    widest = max(len(item["id"]) for item in items)
    return ["", "considered", *(_candidate(item, widest, paint) for item in items)]


def _candidate(item: dict[str, Any], widest: int, paint: Paint) -> str:
    mark = paint.good("►") if item["fired"] else " "
    name = f"{item['id']:<{widest}}"
    shown = paint.strong(name) if item["fired"] else name
    why = "" if item["fired"] else paint.faint(f"no: {safe(str(item['rejected']))}")
    return f"{mark} {shown}  {item['kind']:<7}  {item['priority']:>3}  {_words(item['matched'])}  {why}".rstrip()


def _why_not(answer: dict[str, Any], paint: Paint) -> list[str]:
    asked = answer.get("why_not")
    if asked is None:
        return []
    head = (
        f"why not {asked['rule']} ({asked['place']})" if not asked["fired"] else f"{asked['rule']} ({asked['place']})"
    )
    return ["", paint.note(head), *(f"  {safe(str(reason))}" for reason in asked["reasons"])]


def _words(found: list[str]) -> str:
    return " ".join(f'"{safe(str(word))}"' for word in found)
