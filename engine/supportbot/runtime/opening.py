"""The session with which a turn begins: what silence did to the stored one, or a new one."""

from __future__ import annotations

from datetime import datetime

from supportbot.decision.conclude import start_session
from supportbot.decision.timeouts import elapse
from supportbot.model.bot import Bot
from supportbot.model.session import Session


def open_session(bot: Bot, stored: Session | None, session_id: str, channel: str, now: datetime) -> Session:
    """A closed conversation begins anew under the same id."""
    if stored is None:
        return start_session(bot, session_id, now, channel)
    passed = elapse(bot, stored, now)
    session = stored if passed is None else passed.session
    return start_session(bot, session_id, now, channel) if session.closed else session
