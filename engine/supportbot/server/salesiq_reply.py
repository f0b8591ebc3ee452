"""What SalesIQ gets for a reply: always a valid action with at least one text, whatever a rule said.

SalesIQ hands a chat over, or drops it, when it does not like an answer. Facts that shape this: while suggestions
show, a visitor cannot type; an input card hides suggestions; messengers cut buttons to twenty characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from supportbot.config.environment import Environment
from supportbot.decision.suggestions import LARGE, SMALL, asked_slot, shorten
from supportbot.model.bot import Bot, Form
from supportbot.model.decision import Reply, Suggested
from supportbot.model.session import Session
from supportbot.server.cards import card_of
from supportbot.server.options import Texts
from supportbot.server.salesiq_channel import Channel, Voice

Body = dict[str, object]

PAGE_SUGGESTIONS = 20
MESSENGER_SUGGESTIONS: Mapping[str, int] = {"whatsapp": 10}
OTHER_MESSENGER = 13
SHORTEST_END, LONGEST_END = 30, 10_800  # seconds that a delayed end may take
RETRY_CHARS = 200  # of a text that was too long: the limit is not documented, 250 is an example of it


@dataclass(frozen=True, slots=True)
class View:
    """Where a reply is shown. ``platform``: the messenger, empty for a page."""

    bot: Bot
    channel: Channel
    environment: Environment
    texts: Texts
    now: datetime
    platform: str = ""
    preview: bool = False


def render(reply: Reply, session: Session, view: View) -> Body:
    """The action that says a reply."""
    voice = Voice(view.bot, session, view.texts)
    parts = [part for part in reply.texts if part.text.strip()]
    if reply.unstaffed:  # "I do not know that one" is no answer to somebody who wants a person
        parts = [part for part in parts if part.response != view.bot.settings.fallback]
    said = pieces([part.text for part in parts], view.channel.settings.reply_chars)
    if reply.blocked:
        return {"action": "block", "replies": said or [voice("goodbye").text]}
    if reply.handoff and view.preview:
        # What a real chat would say is quoted: as it stands it would contradict the note before it.
        quoted = [f"\u201c{text}\u201d" for text in said]
        return {"action": "reply", "replies": [voice("preview_handover").text, *quoted]}
    if reply.handoff:
        return {"action": "forward", "replies": said or [voice("connecting").text], **_taker(reply, view)}
    if reply.closed:
        return {"action": "end", "replies": said or [voice("goodbye").text], **_delay(view.channel.settings.end_delay)}
    if reply.unstaffed and _is_busy(parts, view):
        return {"action": "operator_busy", "replies": said or [voice("unattended").text]}
    return _collecting(parts, session, view, voice) or _going_on(parts, said, session, view, voice)


def plain(part: Suggested, view: View | None = None) -> Body:
    """A text of the server itself, with its suggestions."""
    suggestions = list(_shown(part.suggestions, view.platform if view else ""))
    body: Body = {"action": "reply", "replies": [part.text]}
    return body | ({"suggestions": suggestions} if suggestions else {})


def pieces(texts: Sequence[str], most: int) -> list[str]:
    """The texts, long ones cut where a paragraph, a sentence or a word ends."""
    return [piece for text in texts for piece in _cut(text.strip(), most) if piece]


def shorter(texts: Sequence[str]) -> Body | None:
    """Texts that were too long for SalesIQ, in small parts."""
    said = pieces(texts, RETRY_CHARS)
    return {"action": "reply", "replies": said} if said else None


def _cut(text: str, most: int) -> list[str]:
    found: list[str] = []
    while len(text) > most:
        at = next((end for mark in ("\n\n", "\n", ". ", " ") if (end := text.rfind(mark, most // 2, most)) > 0), most)
        at += text[at : at + 1] == "."
        found.append(text[:at].strip())
        text = text[at:].strip()
    return [*found, text]


def _taker(reply: Reply, view: View) -> Body:
    wanted = reply.handoff.department if reply.handoff else None
    taker = view.channel.department_of(wanted, view.environment)
    if taker.operators:
        operators: Body = {"operators": list(taker.operators)}
        return operators
    return {"department": taker.id} if taker.id else {}


def _delay(seconds: float) -> Body:
    if seconds <= 0:
        return {}
    return {"delay": str(int(min(max(seconds, SHORTEST_END), LONGEST_END)))}


def _is_busy(parts: Sequence[Suggested], view: View) -> bool:
    """Whether SalesIQ should take a message, because the bot has nothing better to offer."""
    chosen = view.channel.settings.outside_hours
    return chosen == "operator_busy" or (chosen == "auto" and not any(part.suggestions for part in parts))


def _going_on(parts: Sequence[Suggested], said: list[str], session: Session, view: View, voice: Voice) -> Body:
    body: Body = {"action": "reply", "replies": said or [voice("hello").text]}
    spec = asked_slot(view.bot, session)
    if spec is not None and view.channel.settings.cards:
        card = card_of(spec, view.bot, session, voice, view.now, view.platform)
        if card is not None:
            return body | {"input": card}
    # Only those of the last text: while they show nobody can type, so they must not cover a later question.
    labels = session.offered if spec is not None else parts[-1].suggestions if parts else ()
    shown = list(_shown(labels, view.platform))
    return body | ({"suggestions": shown} if shown else {})


def _shown(labels: Sequence[str], platform: str) -> tuple[str, ...]:
    unique = tuple(dict.fromkeys(label.strip() for label in labels if label.strip()))
    if not platform:
        return shorten(unique, PAGE_SUGGESTIONS, LARGE)
    return shorten(unique, MESSENGER_SUGGESTIONS.get(platform, OTHER_MESSENGER), SMALL)


def _collecting(parts: Sequence[Suggested], session: Session, view: View, voice: Voice) -> Body | None:
    """The questions of a form that SalesIQ asks by itself; None when it does not ask this one, or not now."""
    state = session.form
    form = view.bot.forms.get(state.form) if state is not None else None
    if state is None or form is None or form.id not in view.channel.settings.collect or view.platform:
        return None
    if state.asking is None or state.tries:  # answers that made no sense are asked for one by one
        return None
    questions = [_question(form, name, session, view, voice) for name in _missing(form, session)]
    before = [part.text for part in parts if part.response != questions[0]["response"]]
    body: Body = {"action": "context", "context_id": form.id}
    for question in questions:
        question.pop("response")
    said = pieces(before, view.channel.settings.reply_chars)
    return body | ({"replies": said} if said else {}) | {"questions": questions}


def _missing(form: Form, session: Session) -> list[str]:
    known = session.form.values if session.form is not None else {}
    return [spec.name for spec in form.slots if not spec.optional and spec.name not in known]


def _question(form: Form, name: str, session: Session, view: View, voice: Voice) -> Body:
    spec = next(slot for slot in form.slots if slot.name == name)
    asked = voice.say(spec.ask) or Suggested(name)
    question: Body = {"name": name, "replies": [asked.text], "response": spec.ask}
    card = card_of(spec, view.bot, session, voice, view.now, view.platform)
    return question | ({"input": card} if card is not None else {})
