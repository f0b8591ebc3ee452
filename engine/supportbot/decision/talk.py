"""Rules that only talk, as most do: what they come to is worked out once for each state, not in each turn."""

from __future__ import annotations

from supportbot.decision.draft import Draft
from supportbot.model.bot import Alternative, Bot, Guide
from supportbot.model.rules import Talk
from supportbot.model.session import Message, Session
from supportbot.model.steps import AskModel, FireTrigger, SayResponse

MOST = 20_000  # that are remembered
_UNSEEN = Talk((), (), ())


def talk_of(bot: Bot, asked: Alternative, session: Session) -> Talk | None:
    """What the rule says and asks for, if that is all it does and nothing but the state has a say in it."""
    key = (asked, session.state, session.category)
    known = bot.talks.get(key, _UNSEEN)
    if known is not _UNSEEN:
        return known
    if len(bot.talks) >= MOST:
        bot.talks.clear()
    talk = bot.talks[key] = _worked_out(bot, asked, session) if _only_talks(bot, asked, session.state) else None
    return talk


def _only_talks(bot: Bot, asked: Alternative, state: str) -> bool:
    rule, table = asked.rule, bot.graph.table
    if asked.conditional or (isinstance(rule, Guide) and rule.steps):
        return False
    if asked.trigger and not table.get((state, asked.trigger)):
        return False  # the rule may not answer in this state
    for step in rule.do:
        if isinstance(step, FireTrigger):
            ways = table.get((state, step.trigger))
            if ways and ways[0].conditions:
                return False
        elif not isinstance(step, SayResponse | AskModel):
            return False
    return True


def _worked_out(bot: Bot, asked: Alternative, session: Session) -> Talk | None:
    """The rule's steps, done once; None if they change the conversation."""
    silent = Message("", session.id, "", session.channel, session.updated_at)
    draft = Draft(bot, session, silent, session.updated_at)
    draft.run(asked.rule.do)
    return Talk(draft.outputs, draft.effects, draft.triggers) if draft.session is session else None
