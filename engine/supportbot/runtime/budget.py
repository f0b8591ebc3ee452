"""What the model may take, by session and by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from supportbot.model.bot import Bot
from supportbot.runtime.ports import ChatMessage, ModelAnswer, Spent, Store
from supportbot.runtime.records import day_of


class SpentModel:
    """Stands in for a model whose budget is spent."""

    configured = True

    async def answer(self, messages: Sequence[ChatMessage]) -> ModelAnswer:
        return ModelAnswer(error="spent")

    async def close(self) -> None:
        return None


async def is_spent(bot: Bot, store: Store, session_id: str, now: datetime) -> bool:
    """Whether the next call would begin beyond the budget. Calls in work at this moment do not count yet."""
    budget = bot.settings.operations.budget
    if not budget.limited:
        return False
    today, own = await store.spent(day_of(bot, now), session_id)
    return _over(today, budget.day_tokens, budget.day_cost) or _over(own, budget.session_tokens, budget.session_cost)


def _over(spent: Spent, tokens: int, cost: float) -> bool:
    return bool(tokens and spent.tokens >= tokens) or bool(cost and spent.cost >= cost)
