"""What can be done for a visitor while the store cannot be used: to hand the conversation over, and nothing else."""

from __future__ import annotations

import logging

from supportbot.decision.conclude import conclude, start_session
from supportbot.decision.decide import decide
from supportbot.model.bot import Bot
from supportbot.model.decision import Reply
from supportbot.model.session import Message, Turn

log = logging.getLogger("supportbot.unstored")


def unstored_handover(bot: Bot, message: Message) -> Reply | None:
    """The reply that hands over at once, had the conversation begun with this message; else None.

    Every other reply would be forgotten with its state, and calls of services cannot be noted before they are made.
    """
    try:
        turn = Turn(start_session(bot, message.session_id, message.at, message.channel), message, message.at)
        decision = decide(bot, turn)
        reply = None if decision.effects else conclude(bot, turn, decision, ()).reply
    except Exception as failure:  # on the way out of another failure: the apology must not be lost to a second one
        log.error("no hand-over without the store: %s", type(failure).__name__)
        return None
    return reply if reply is not None and reply.handoff is not None else None
