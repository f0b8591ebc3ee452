"""What flows through a turn: messages, sessions, turns. All frozen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

SlotValue = str | int | float | bool


class Message(Struct, frozen=True, gc=False):
    """One message of a visitor, as a channel's codec read it. ``at`` is aware."""

    id: str
    session_id: str
    text: str
    channel: str
    at: datetime
    visitor: Mapping[str, str] = field(default_factory=dict)  # name, email, phone, language, time_zone, ...
    answers: Mapping[str, str] = field(default_factory=dict)  # to questions that the channel asked by itself


class FormState(Struct, frozen=True, gc=False):
    """An open form: what is asked now (``asking`` None while it waits for the confirmation)."""

    form: str
    asking: str | None
    values: Mapping[str, SlotValue] = field(default_factory=dict)
    tries: int = 0
    refused: str = ""  # the moment that was wanted last and is not possible, ISO, in the bot's time zone
    refusals: int = 0  # how often a moment was named that is not possible
    rejected: bool = False  # the confirmation was answered with no: nothing is done before it is asked anew


class GuideState(Struct, frozen=True, gc=False):
    """A guide that was started; ``step`` counts from 0, ``done`` when its last step was said."""

    guide: str
    step: int
    done: bool = False


class Exchange(Struct, frozen=True, gc=False):
    """One turn of the history: what was said and answered, which rule answered."""

    said: str
    answered: str
    handler: str
    at: datetime
    topic: bool = False  # a guide or the model answered: the message stated a problem


class Owed(Struct, frozen=True, gc=False):
    """Something that was worked out for the visitor and did not reach them yet: said first in the next reply.

    ``handoff``: the hand-over that belonged to it, to this department; the text may then be empty.
    """

    text: str
    suggestions: tuple[str, ...] = ()
    response: str = ""
    handoff: bool = False
    department: str | None = None


class Session(Struct, frozen=True, gc=False, omit_defaults=True):
    """One conversation as the store keeps it. ``version`` grows by one with each turn."""

    id: str
    state: str
    created_at: datetime
    updated_at: datetime
    channel: str = "chat"
    language: str = ""
    category: str = ""
    slots: Mapping[str, SlotValue] = field(default_factory=dict)
    visitor: Mapping[str, str] = field(default_factory=dict)
    form: FormState | None = None
    guide: GuideState | None = None
    attempts: int = 0  # answers that did not help, in a row
    turns: int = 0
    timeouts_fired: int = 0  # of the current state, since the last message
    history: tuple[Exchange, ...] = ()
    variants: Mapping[str, int] = field(default_factory=dict)  # response -> last wording said
    closed: bool = False
    version: int = 0
    asked: int = 0  # messages of the visitor
    person: bool = False  # a person was handed the conversation, or asked to take it up
    offered: tuple[str, ...] = ()  # the suggestions that the visitor saw last, whole
    undelivered: tuple[Owed, ...] = ()


class Turn(Struct, frozen=True, gc=False):
    """The whole input of one decision."""

    session: Session
    message: Message
    now: datetime
