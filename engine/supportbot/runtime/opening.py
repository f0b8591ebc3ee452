"""The session with which a turn begins: what silence did to the stored one, or a new one."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from supportbot.decision.conclude import SILENCE, start_session
from supportbot.decision.timeouts import elapse
from supportbot.model.bot import Bot
from supportbot.model.decision import Suggested
from supportbot.model.session import Exchange, Session


class Opened(Struct, frozen=True, gc=False):
    """``unheard``: what time-outs said since the visitor's last message, which belongs in front of the next reply.

    ``abandoned``: the conversation that the silence ended, when one did; ``version``: the one that the store knows.
    """

    session: Session
    version: int
    unheard: tuple[Suggested, ...] = ()
    abandoned: Session | None = None


def open_session(bot: Bot, stored: Session | None, session_id: str, channel: str, now: datetime) -> Session:
    """A closed conversation begins anew under the same id."""
    return reopen(bot, stored, session_id, channel, now, float("inf")).session


def reopen(
    bot: Bot, stored: Session | None, session_id: str, channel: str, now: datetime, idle_seconds: float | None = None
) -> Opened:
    """The same for a session of the store: one that was idle for longer than ``session_minutes`` begins anew too."""
    if stored is None:
        return Opened(start_session(bot, session_id, now, channel), 0)
    if idle_seconds is None:
        idle_seconds = bot.settings.limits.session_minutes * 60
    state = bot.graph.states.get(stored.state)
    history = stored.history
    unheard = _unheard(history) if history and history[-1].handler == SILENCE else ()
    session = stored
    if state is not None and len(state.timeouts) > stored.timeouts_fired:
        passed = elapse(bot, stored, now)
        if passed is not None:
            session, unheard = passed.session, (*unheard, *passed.reply.texts)
    if not session.closed and (now - stored.updated_at).total_seconds() < idle_seconds:
        return Opened(session, stored.version, unheard)
    abandoned = None if stored.closed else session
    return Opened(start_session(bot, session_id, now, channel), stored.version, unheard, abandoned)


def _unheard(history: tuple[Exchange, ...]) -> tuple[Suggested, ...]:
    """Said while nobody asked: channels that only answer could not deliver it yet."""
    said: list[Suggested] = []
    for exchange in reversed(history):
        if exchange.handler != SILENCE:
            break
        said.append(Suggested(exchange.answered))
    return tuple(reversed(said))
