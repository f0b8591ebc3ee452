"""What rules do: their steps, with the templates and expressions that the compiler accepted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from supportbot.diagnostics import Place


@dataclass(frozen=True, slots=True)
class Template:
    """A Jinja2 text that the compiler accepted. ``literal`` is true when it holds no markup at all."""

    source: str
    literal: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Expression:
    """A Jinja2 expression that the compiler accepted, e.g. ``session.attempts >= 3``."""

    source: str
    place: Place


@dataclass(frozen=True, slots=True)
class FireTrigger:
    trigger: str


@dataclass(frozen=True, slots=True)
class SayResponse:
    response: str


@dataclass(frozen=True, slots=True)
class OpenForm:
    form: str


@dataclass(frozen=True, slots=True)
class RunAction:
    action: str


@dataclass(frozen=True, slots=True)
class SetSlots:
    values: tuple[tuple[str, Template], ...]


@dataclass(frozen=True, slots=True)
class StartGuide:
    guide: str


@dataclass(frozen=True, slots=True)
class NextStep:
    """Go to the next step of the running guide; without one, or past the last, offer a person."""


@dataclass(frozen=True, slots=True)
class Handoff:
    """Hand the conversation to a person; ``department`` is the channel's own id, or None for any."""

    department: str | None = None


@dataclass(frozen=True, slots=True)
class CloseConversation:
    """``block``: the visitor is shut out as well, where the channel can do that."""

    block: bool = False


@dataclass(frozen=True, slots=True)
class AskModel:
    pass


Step = (
    FireTrigger
    | SayResponse
    | OpenForm
    | RunAction
    | SetSlots
    | StartGuide
    | NextStep
    | Handoff
    | CloseConversation
    | AskModel
)


def first_trigger(steps: Iterable[Step]) -> str | None:
    """The trigger that has to fire for the steps to make sense, if they have one."""
    for step in steps:
        if isinstance(step, FireTrigger):
            return step.trigger
    return None
