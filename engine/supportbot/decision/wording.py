"""From response ids to the words a visitor reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from zlib import crc32

from supportbot.decision.render import Scope, render
from supportbot.model.bot import Bot, Wording
from supportbot.model.decision import Suggested
from supportbot.model.session import Session

Key = tuple[str | None, str | None]  # language and channel
_USUAL: Key = (None, None)  # every response has this one


def word(bot: Bot, session: Session, response_id: str, scope: Callable[[], Scope]) -> tuple[Suggested, int]:
    """The text and suggestions of a response for this conversation, and which variant it is.

    Variants take turns from a start that the session id fixes: repeatable, and never the same twice in a row.
    """
    response = bot.responses[response_id]
    if response.plain is not None:
        return response.plain.texts[0], 0
    wordings = response.wordings
    wording = wordings[_USUAL] if len(wordings) == 1 else _wording(bot, wordings, session)
    count = len(wording.variants)
    variant = _variant(session, response_id, count) if count > 1 else 0
    template = wording.variants[variant]
    text = template.source if template.literal else render(template, scope())
    labels = wording.labels
    if labels is None:
        labels = tuple(label for template in wording.suggestions if (label := render(template, scope())))
    return Suggested(text, labels, response_id), variant


def _wording(bot: Bot, wordings: Mapping[Key, Wording], session: Session) -> Wording:
    for language in _languages(bot, session):
        for key in ((language, session.channel), (language, None)):
            wording = wordings.get(key)
            if wording is not None:
                return wording
    return wordings[_USUAL]


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
