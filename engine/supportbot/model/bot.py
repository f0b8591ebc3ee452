"""What a compiled bot is: frozen records, made by the compiler, read by everything else.

Ids are plain strings that were checked when the bot was compiled: every id that a record
names exists. Durations are seconds. Places point into the YAML that a record came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

from supportbot.diagnostics import Place
from supportbot.model.channels import SalesIQ
from supportbot.model.connections import Check
from supportbot.model.connections import Connection as Connection
from supportbot.model.decision import Reply, Suggested
from supportbot.model.graph import Graph
from supportbot.model.index import Index
from supportbot.model.operations import Operations
from supportbot.model.rules import Alternative as Alternative
from supportbot.model.rules import Category as Category
from supportbot.model.rules import Example as Example
from supportbot.model.rules import Examples as Examples
from supportbot.model.rules import Guide as Guide
from supportbot.model.rules import Handler as Handler
from supportbot.model.rules import Rule as Rule
from supportbot.model.rules import Talks
from supportbot.model.rules import When as When
from supportbot.model.steps import AskModel, Expression, Step, Template, first_trigger

SlotType = Literal["text", "number", "email", "phone", "date", "time", "choice", "rating"]
SLOT_TYPES: tuple[SlotType, ...] = ("text", "number", "email", "phone", "date", "time", "choice", "rating")


# --- responses ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wording:
    """``labels``: the suggestions as they are shown, unless one of them has to be rendered."""

    variants: tuple[Template, ...]
    suggestions: tuple[Template, ...] = ()
    labels: tuple[str, ...] | None = field(init=False)

    def __post_init__(self) -> None:
        plain = all(template.literal for template in self.suggestions)
        labels = tuple(template.source for template in self.suggestions if template.source) if plain else None
        object.__setattr__(self, "labels", labels)


@dataclass(frozen=True, slots=True)
class Response:
    """``wordings`` by (language, channel); None stands for "the default one".

    ``plain``: the reply that says nothing else, if that is the same whoever reads it and whenever.
    """

    id: str
    wordings: Mapping[tuple[str | None, str | None], Wording]
    place: Place
    plain: Reply | None = field(init=False)

    def __post_init__(self) -> None:
        plain = None
        if len(self.wordings) == 1:
            (wording,) = self.wordings.values()
            if len(wording.variants) == 1 and wording.variants[0].literal and wording.labels is not None:
                plain = Reply((Suggested(wording.variants[0].source, wording.labels, self.id),))
        object.__setattr__(self, "plain", plain)


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
    # Derived, so that a decision never searches: by id, by the block whose words bring them up, and the rules that fit
    # any message.
    handler_by_id: Mapping[str, Handler] = field(init=False)
    fallback_handler: Handler | None = field(init=False)
    fallback: tuple[Alternative, ...] = field(init=False)  # of that handler
    by_block: tuple[Alternative | None, ...] = field(init=False)
    evidence_for: tuple[Category | None, ...] = field(init=False)  # by block
    open_handlers: tuple[Alternative, ...] = field(init=False)  # not the one that asks the model
    open_guides: tuple[Alternative, ...] = field(init=False)
    talks: Talks = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        derive = object.__setattr__
        derive(self, "handler_by_id", {handler.id: handler for handler in self.handlers})
        asks_model = (handler for handler in self.handlers if any(type(step) is AskModel for step in handler.do))
        derive(self, "fallback_handler", next(asks_model, None))
        blocks = range(len(self.index.blocks))
        derive(self, "evidence_for", tuple(map(dict(self._evidence()).get, blocks)))
        rules: list[Rule] = [*self.handlers, *self.guides.values()]
        asked = [item for rule in rules for item in self.alternatives(rule)]
        derive(self, "by_block", tuple(map({item.when.block: item for item in asked}.get, blocks)))
        derive(self, "fallback", tuple(item for item in asked if item.kind == "llm"))
        is_open = [item for item in asked if self.is_open(item)]
        derive(self, "open_handlers", tuple(item for item in is_open if item.kind == "handler"))
        derive(self, "talks", Talks())
        derive(self, "open_guides", tuple(item for item in is_open if item.kind == "guide"))

    def alternatives(self, rule: Rule) -> list[Alternative]:
        """What a turn asks about each ``when`` of a rule."""
        kind: Literal["handler", "guide", "llm"] = "guide"
        trigger = first_trigger(rule.do)
        if isinstance(rule, Handler):
            kind = "llm" if rule is self.fallback_handler else "handler"
            priority = rule.priority
        else:
            priority = self.categories[rule.category].priority
            trigger = self.settings.guides.start if rule.steps else trigger
        steps = tuple(map(type, rule.do))
        return [Alternative(rule, when, kind, priority, trigger, steps, when.conditional) for when in rule.when]

    def _evidence(self) -> Iterator[tuple[int, Category]]:
        """The blocks that speak for a category: its own, and those of its guides, but for small talk."""
        for category in self.categories.values():
            if category.block is not None:
                yield category.block, category
        for guide in self.guides.values():
            if not guide.small_talk:  # that says nothing about the problem
                for when in guide.when:
                    if when.block is not None:
                        yield when.block, self.categories[guide.category]

    def is_open(self, alternative: Alternative) -> bool:
        """Whether nothing in a message has to bring an alternative up."""
        block = alternative.when.block
        return block is None or not self.index.blocks[block].positive
