"""What a decision asks of the outside world, done: effects in, outcomes out, in the same order. Never raises."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from supportbot.model.bot import Bot
from supportbot.model.decision import CallAction, CallModel, Decision, Outcome
from supportbot.model.session import Turn
from supportbot.runtime.calls import call_scope, new_reference
from supportbot.runtime.ports import ActionResult, Actions, Model, ModelAnswer
from supportbot.runtime.prompts import build_prompt, without_marks

log = logging.getLogger("supportbot.effects")

_GRACE = 0.5  # seconds that an adapter may take beyond its own deadline before it is cut off
_ERRORS = frozenset(
    ("off", "timeout", "rate_limited", "failed", "empty", "paused", "busy", "spent", "rejected", "auth")
)

_OFF = ModelAnswer(error="off")

Result = TypeVar("Result")


async def run_effects(
    bot: Bot, turn: Turn, decision: Decision, model: Model, actions: Actions, known: Sequence[Outcome] = ()
) -> tuple[Outcome, ...]:
    """One outcome for each effect of the decision. Effects run one after the other, as the rule wrote them.

    ``known``: outcomes of effects that need not be run here.
    """
    by_effect = {id(outcome.effect): outcome for outcome in known}
    outcomes: list[Outcome] = []
    for effect in decision.effects:
        started = time.perf_counter()
        if id(effect) in by_effect:
            outcomes.append(by_effect[id(effect)])
        elif isinstance(effect, CallModel):
            answer = await _ask(bot, turn, decision, model)
            outcomes.append(_model_outcome(effect, answer, time.perf_counter() - started))
        else:
            result = await _call(bot, turn, decision, effect, actions)
            outcomes.append(_action_outcome(effect, result, time.perf_counter() - started))
    return tuple(outcomes)


def outcomes_at_once(decision: Decision, model: Model) -> tuple[Outcome, ...] | None:
    """The outcomes when there is nothing to wait for: no effects, or no model to ask. None: ``run_effects`` has to."""
    outcomes = []
    for effect in decision.effects:
        if not isinstance(effect, CallModel) or model.configured:
            return None
        outcomes.append(_model_outcome(effect, _OFF, 0.0))
    return tuple(outcomes)


async def _ask(bot: Bot, turn: Turn, decision: Decision, model: Model) -> ModelAnswer:
    if not model.configured:
        return _OFF
    prompt = build_prompt(bot, turn, decision)
    answer = await _within(bot.settings.llm.deadline, model.answer(prompt), "the model")
    return answer if isinstance(answer, ModelAnswer) else ModelAnswer(error=answer)


async def _call(bot: Bot, turn: Turn, decision: Decision, effect: CallAction, actions: Actions) -> ActionResult:
    action = bot.actions[effect.action]
    scope = call_scope(bot, decision.session, effect.slots, turn.now, new_reference())
    seconds = bot.connections[action.connection].timeout
    result = await _within(seconds, actions.run(bot, action, scope), f"action {action.id}")
    return result if isinstance(result, ActionResult) else ActionResult(False, {}, result)


async def _within(seconds: float, work: Awaitable[Result], name: str) -> Result | str:
    """The result, or the name of the error. The adapters keep their own deadlines; this holds them to it."""
    try:
        async with asyncio.timeout(seconds + _GRACE):
            return await work
    except TimeoutError:
        log.warning("%s did not keep its deadline", name)
        return "timeout"
    except Exception as failure:
        # The class only: the text may quote a key or what the visitor wrote.
        log.error("%s raised %s", name, type(failure).__name__)
        return "failed"


def _model_outcome(effect: CallModel, answer: ModelAnswer, elapsed: float) -> Outcome:
    text = without_marks(answer.text)
    error = answer.error or ("" if text else "empty")
    return Outcome(
        effect=effect,
        ok=not error,
        text="" if error else text,
        error=_known(error),
        elapsed=elapsed,
        model=answer.model,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        cost=answer.cost,
    )


def _action_outcome(effect: CallAction, result: ActionResult, elapsed: float) -> Outcome:
    error = "" if result.ok else _known(result.error or "failed")
    return Outcome(effect=effect, ok=result.ok, values=result.values, error=error, elapsed=elapsed)


def _known(error: str) -> str:
    return error if not error or error in _ERRORS else "failed"
