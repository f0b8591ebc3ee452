"""What a declared action gives where no service is called: in conversation tests, the demo and the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from supportbot.model.bot import Action
from supportbot.model.session import SlotValue


def pretended_values(action: Action) -> Mapping[str, SlotValue]:
    """A made-up reference for each slot that the action saves; the same action always gives the same ones."""
    return {slot: f"DEMO-{number}" for number, (slot, _pointer) in enumerate(action.save, start=1001)}
