"""The decision record of a turn: who decided what and why it may be looked up later, without personal data."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from supportbot.model.bot import Bot
from supportbot.model.decision import CallAction, CallModel, Conclusion, Decision, Outcome
from supportbot.model.session import Turn
from supportbot.runtime.masking import mask
from supportbot.runtime.ports import Record

GREETING = "greeting"  # the handler of a record that a greeting wrote
_MAX_CHARS = 4_000


def build_record(
    bot: Bot,
    turn: Turn,
    decision: Decision | None,
    outcomes: Sequence[Outcome],
    conclusion: Conclusion,
    request_id: str,
    elapsed: float,
) -> Record:
    """``decision`` None stands for a greeting. ``elapsed``: seconds from reading the session to its reply."""
    answers = [outcome for outcome in outcomes if isinstance(outcome.effect, CallModel)]
    errors = [outcome.error for outcome in outcomes if outcome.error]
    return Record(
        id=uuid.uuid4().hex,
        session_id=turn.session.id,
        message_id=turn.message.id,
        request_id=request_id,
        at=turn.now,
        revision=bot.revision,
        channel=turn.message.channel,
        text=mask(turn.message.text)[:_MAX_CHARS],
        reply=mask(conclusion.reply.text)[:_MAX_CHARS],
        state=turn.session.state,
        next_state=conclusion.session.state,
        category=conclusion.session.category,
        handler=decision.handler if decision else GREETING,
        kind=decision.kind if decision else "handler",
        actions=tuple(outcome.effect.action for outcome in outcomes if isinstance(outcome.effect, CallAction)),
        model=next((answer.model for answer in answers if answer.model), ""),
        tokens_in=sum(answer.tokens_in for answer in answers),
        tokens_out=sum(answer.tokens_out for answer in answers),
        error=errors[0] if errors else "",
        elapsed=elapsed,
    )
