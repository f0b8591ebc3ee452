"""What silence does: the time-outs of states, pure, so that tests can let half an hour pass."""

from __future__ import annotations

from datetime import datetime, timedelta

from supportbot.decision.conclude import silence
from supportbot.decision.draft import Draft
from supportbot.model.bot import Bot
from supportbot.model.decision import Conclusion
from supportbot.model.graph import TimeOut
from supportbot.model.session import Message, Session

MOST = 20  # time-outs that one look may fire, so that two states cannot send each other around for ever


def elapse(bot: Bot, session: Session, now: datetime) -> Conclusion | None:
    """Fire the time-outs that are due; None when there are none."""
    due = None if session.closed or session.state not in bot.graph.states else _due(bot, session, now)
    if due is None:
        return None
    draft = Draft(bot, session, Message("", session.id, "", session.channel, now), now)
    for _ in range(MOST):
        state = draft.session.state
        draft.change(timeouts_fired=draft.session.timeouts_fired + 1)
        draft.run(due.do)
        if draft.session.state != state:
            since = draft.session.updated_at + timedelta(seconds=due.after)
            draft.change(timeouts_fired=0, updated_at=since, form=None)
        due = None if draft.session.closed else _due(bot, draft.session, now)
        if due is None:
            break
    return silence(bot, draft.session, draft.outputs, draft.triggers, now)


def _due(bot: Bot, session: Session, now: datetime) -> TimeOut | None:
    timeouts = bot.graph.states[session.state].timeouts
    idle = (now - session.updated_at).total_seconds()
    due = [item for item in timeouts if idle >= item.after]
    if session.timeouts_fired >= len(due):
        return None
    due.sort(key=lambda item: item.after)
    return due[session.timeouts_fired]
