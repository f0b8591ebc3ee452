"""Rules as they were compiled: handlers, guides and categories, and when they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from supportbot.diagnostics import Place
from supportbot.model.decision import Effect, Output
from supportbot.model.steps import Expression, Step


@dataclass(frozen=True, slots=True)
class When:
    """One set of conditions that must hold together. Empty tuples and None mean "any".

    ``block`` is the number of a match block in the index (see model/index.py), or None when
    the message does not matter.
    """

    states: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    block: int | None = None
    condition: Expression | None = None

    @property
    def conditional(self) -> bool:
        """Whether more is asked than what the message says."""
        return bool(self.states or self.categories or self.condition is not None)


@dataclass(frozen=True, slots=True)
class Example:
    """A message that a rule must win (or must not); ``state`` None: any state that the rule allows."""

    text: str
    state: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Examples:
    match: tuple[Example, ...] = ()
    no_match: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Handler:
    """A rule of handlers.yaml. ``when`` holds alternatives: one that holds is enough."""

    id: str
    priority: int
    order: int
    when: tuple[When, ...]
    do: tuple[Step, ...]
    interrupts: bool  # asked before an open form takes the message
    examples: Examples
    place: Place
    title: str = ""


@dataclass(frozen=True, slots=True)
class Guide:
    """An answer of one category: either ``steps`` to follow (response ids) or ``do``."""

    id: str
    category: str
    order: int
    when: tuple[When, ...]
    steps: tuple[str, ...]
    do: tuple[Step, ...]
    examples: Examples
    place: Place
    title: str = ""
    small_talk: bool = False  # no problem: answers only messages that are mostly this


@dataclass(frozen=True, slots=True)
class Category:
    """``priority``: a lower number wins over a higher one; equal ones are decided by score."""

    id: str
    title: str
    priority: int
    order: int
    block: int | None
    prompt: str | None  # text of its knowledge section
    guides: tuple[str, ...]
    examples: Examples
    place: Place


Rule = Handler | Guide


class Alternative(Struct, frozen=True, eq=False):
    """One ``when`` of a rule and what a turn asks about it, looked up once, when the bot is made.

    ``kind``: llm for the handler that asks the model when no rule fits. ``trigger``: has to lead somewhere for the
    rule's steps to make sense. ``steps``: what kinds of steps the rule has. ``conditional``: the message alone does
    not decide.
    """

    rule: Rule
    when: When
    kind: Literal["handler", "guide", "llm"]
    priority: int
    trigger: str | None
    steps: tuple[type[Step], ...]
    conditional: bool


class Talk(Struct, frozen=True, gc=False):
    """What a rule comes to that only talks: nothing of it depends on more than the state and the category."""

    outputs: tuple[Output, ...]
    effects: tuple[Effect, ...]
    triggers: tuple[str, ...]


class Talks(dict[tuple[Alternative, str, str], Talk | None]):
    """The talks of a bot by alternative, state and category, as far as they were met; None where more is to be done."""

    def __reduce__(self) -> tuple[type[Talks], tuple[()]]:
        return Talks, ()  # a bot that travels leaves them behind
