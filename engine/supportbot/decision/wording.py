"""From response ids to the words a visitor reads."""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

from supportbot.decision.render import Scope, render
from supportbot.model.bot import Bot, Response, Wording
from supportbot.model.decision import Suggested
from supportbot.model.session import Session
from supportbot.model.steps import Template


def word(bot: Bot, session: Session, response_id: str, scope: Callable[[], Scope]) -> tuple[Suggested, int]:
    """The text and suggestions of a response for this conversation, and which variant it is.

    Variants take turns from a start that the session id fixes: repeatable, and never the same twice in a row.
    """
    wording = _wording(bot, bot.responses[response_id], session)
    count = len(wording.variants)
    variant = _variant(session, response_id, count) if count > 1 else 0
    text = _rendered(wording.variants[variant], scope)
    labels = wording.labels
    if labels is None:
        labels = tuple(label for template in wording.suggestions if (label := _rendered(template, scope)))
    return Suggested(text, labels, response_id), variant


def _rendered(template: Template, scope: Callable[[], Scope]) -> str:
    return template.source if template.literal else render(template, scope())


def _wording(bot: Bot, response: Response, session: Session) -> Wording:
    wordings = response.wordings
    if len(wordings) > 1:
        for language in _languages(bot, session):
            for key in ((language, session.channel), (language, None)):
                wording = wordings.get(key)
                if wording is not None:
                    return wording
    return wordings[(None, None)]


def _languages(bot: Bot, session: Session) -> tuple[str | None, ...]:
    """What to try, the best first: ``fr-CA`` falls back to ``fr``, and that to the bot's own language."""
    wanted = (session.language or session.visitor.get("language", "")).replace("_", "-")
    base = wanted.partition("-")[0].lower()
    if not wanted or bot.settings.language in (wanted, base):
        return (None,)
    return (wanted, base, None)


def _variant(session: Session, response_id: str, count: int) -> int:
    last = session.variants.get(response_id)
    if last is None:
        return crc32(f"{session.id}\0{response_id}".encode("utf-8", "replace")) % count
    return (last + 1) % count
