"""What a compiled bot is: frozen records, made by the compiler, read by everything else.

Ids are plain strings that were checked when the bot was compiled: every id that a record
names exists. Durations are seconds. Places point into the YAML that a record came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from types import MappingProxyType
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo

from supportbot.diagnostics import Place
from supportbot.model.channels import SalesIQ
from supportbot.model.connections import Check
from supportbot.model.connections import Connection as Connection
from supportbot.model.graph import Graph
from supportbot.model.index import Index
from supportbot.model.operations import Operations
from supportbot.model.steps import AskModel, Expression, Step, Template

SlotType = Literal["text", "number", "email", "phone", "date", "time", "choice", "rating"]
SLOT_TYPES: tuple[SlotType, ...] = ("text", "number", "email", "phone", "date", "time", "choice", "rating")


# --- rules --------------------------------------------------------------------------------


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


# --- responses ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wording:
    variants: tuple[Template, ...]
    suggestions: tuple[Template, ...] = ()


@dataclass(frozen=True, slots=True)
class Response:
    """``wordings`` by (language, channel); None stands for "the default one"."""

    id: str
    wordings: Mapping[tuple[str | None, str | None], Wording]
    place: Place


# --- forms and actions --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SlotSpec:
    """One question of a form. ``prefill`` names sources: ``message`` or ``visitor.<key>``."""

    name: str
    type: SlotType
    ask: str
    invalid: str | None
    prefill: tuple[str, ...]
    choices: tuple[tuple[str, int], ...]  # (value, block that recognises it)
    optional: bool
    max_chars: int
    place: Place
    in_hours: bool = False  # a moment must lie ahead, within the business hours
    refused: str | None = None  # said when it does not
    card: str | None = None  # how a channel with input cards asks; None: by type, empty: without a card


@dataclass(frozen=True, slots=True)
class Form:
    id: str
    slots: tuple[SlotSpec, ...]
    confirm: str | None
    retries: int
    done: tuple[Step, ...]
    cancelled: tuple[Step, ...]
    gave_up: tuple[Step, ...]
    place: Place
    title: str = ""
    change: str | None = None  # asked when the visitor does not confirm


@dataclass(frozen=True, slots=True)
class FormWords:
    """Blocks that recognise how people say yes, no and cancel while a form is open."""

    yes: int
    no: int
    cancel: int


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on one part of an item: the text at ``pointer`` equals ``value`` (or ends with it), in any case."""

    pointer: str
    value: Template
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Find:
    """Picks the first item of a list in an answer; without one the slots come out empty.

    ``full``: with so many items the list may be cut off, so that what is not in it may exist all the same; 0: never.
    """

    pointer: str
    where: tuple[Where, ...]
    full: int = 0


@dataclass(frozen=True, slots=True)
class Reconcile:
    """How to learn whether a write happened: ``action`` reads, and from ``after`` seconds on its "no" is final."""

    action: str
    after: float


@dataclass(frozen=True, slots=True)
class Action:
    """A declared HTTP call. ``on_error``: steps by rate_limited, timeout, rejected, auth; else ``on_failure``."""

    id: str
    connection: str
    method: str
    path: Template
    body: object  # None | Template | number | bool | BodyMap | tuple of trees
    save: tuple[tuple[str, str], ...]  # (slot, JSON pointer)
    inputs: frozenset[str]  # slots the templates read
    on_success: tuple[Step, ...]
    on_failure: tuple[Step, ...]
    when_off: tuple[Step, ...]
    place: Place
    title: str = ""
    query: tuple[tuple[str, Template], ...] = ()
    form: bool = False  # the body is sent as a form, not as JSON
    on_error: Mapping[str, tuple[Step, ...]] = field(default_factory=lambda: MappingProxyType({}))
    while_pending: tuple[Step, ...] = ()
    before: tuple[str, ...] = ()  # actions that run first; their saved slots are in scope
    condition: Expression | None = None  # not called unless it holds
    find: Find | None = None
    reconcile: Reconcile | None = None
    once_for: Template | None = None  # calls for the same text share one answer for a while
    ok: Check = field(default_factory=Check)

    @property
    def writes(self) -> bool:
        return self.method not in ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class BodyMap:
    items: tuple[tuple[str, object], ...]


# --- settings -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening hours by weekday (0 is Monday), in the bot's time zone; holidays are closed."""

    zone: ZoneInfo
    days: Mapping[int, tuple[tuple[time, time], ...]]
    holidays: frozenset[date]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The ``llm`` section. ``model`` and ``fallbacks`` are litellm names, e.g. ``openai/gpt-4o-mini``."""

    model: str  # may hold ${NAME}; empty means that no model is asked
    fallbacks: tuple[str, ...]
    api_base: str
    deadline: float
    attempts: int
    max_tokens: int
    prompt_tokens: int
    temperature: float
    history: int
    system: Template | None
    answered: tuple[Step, ...]
    unavailable: tuple[Step, ...]
    requests: Mapping[str, tuple[Step, ...]]  # what the model may ask for, by name
    spent: tuple[Step, ...] = ()  # when the budget is spent; without any, ``unavailable``


@dataclass(frozen=True, slots=True)
class GuideFlow:
    """What the engine does around guides: triggers at the start and at each next step."""

    start: str | None
    next: str | None
    exhausted: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Invariant:
    """A promise of the bot: from every state, ``reach`` (a state, or ``person``) within so many turns."""

    reach: str
    turns: int
    place: Place


@dataclass(frozen=True, slots=True)
class Limits:
    attempts: int = 3
    message_chars: int = 4000
    history: int = 20
    session_minutes: float = 30


@dataclass(frozen=True, slots=True)
class Settings:
    name: str
    language: str
    languages: tuple[str, ...]
    default_category: str
    greeting: str | None
    fallback: str | None  # response said when nothing at all fits and no model answers
    hours: Hours
    limits: Limits
    guides: GuideFlow
    llm: ModelSettings
    invariants: tuple[Invariant, ...] = ()
    server: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    operations: Operations = field(default_factory=Operations)
    region: str = ""  # whose phone numbers need no country code, e.g. GB
    salesiq: SalesIQ = field(default_factory=SalesIQ)
    handover_failed: tuple[Step, ...] = ()  # what happens when nobody took a conversation over


@dataclass(frozen=True, slots=True)
class Bot:
    """A whole compiled bot. ``revision`` is a hash of its files."""

    revision: str
    settings: Settings
    graph: Graph
    categories: Mapping[str, Category]
    guides: Mapping[str, Guide]
    handlers: tuple[Handler, ...]  # sorted by priority, then order
    responses: Mapping[str, Response]
    forms: Mapping[str, Form]
    form_words: FormWords | None
    connections: Mapping[str, Connection]
    actions: Mapping[str, Action]
    slots: frozenset[str]
    index: Index
    off: frozenset[str] = frozenset()  # actions that cannot run where the bot is served, because nothing is connected
    # Derived, so that a decision never searches: by id, and the rules that fit any message.
    handler_by_id: Mapping[str, Handler] = field(init=False)
    open_handlers: tuple[tuple[Handler, When], ...] = field(init=False)  # not the one that asks the model
    open_guides: tuple[tuple[Guide, When], ...] = field(init=False)
    fallback_handler: Handler | None = field(init=False)

    def __post_init__(self) -> None:
        derive = object.__setattr__
        derive(self, "handler_by_id", {handler.id: handler for handler in self.handlers})
        asks_model = (handler for handler in self.handlers if AskModel() in handler.do)
        derive(self, "fallback_handler", next(asks_model, None))
        asked = [handler for handler in self.handlers if handler is not self.fallback_handler]
        derive(self, "open_handlers", _any_message(asked, self.index))
        derive(self, "open_guides", _any_message(self.guides.values(), self.index))


Rule = TypeVar("Rule", Handler, Guide)


def _any_message(rules: Iterable[Rule], index: Index) -> tuple[tuple[Rule, When], ...]:
    """The alternatives that nothing in a message has to bring up."""
    return tuple(
        (rule, when)
        for rule in rules
        for when in rule.when
        if when.block is None or not index.blocks[when.block].positive
    )
