"""What a decision is: the rule that answers, why, and what is asked of the outside world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from supportbot.model.session import Session, SlotValue

Kind = Literal["handler", "guide", "form", "llm"]


class Hit(Struct, frozen=True, gc=False):
    """A pattern found in the message: token span [start, end), matched words, captured values."""

    pattern: int
    start: int
    end: int
    words: int
    fuzzy: bool = False
    captures: tuple[tuple[str, SlotValue], ...] = ()


class Candidate(Struct, frozen=True, gc=False):
    """A rule that was considered. ``rejected`` says why it did not answer; empty when it fired."""

    id: str
    kind: Kind
    priority: int
    fired: bool
    matched: tuple[str, ...] = ()  # the words of the message that its patterns found
    patterns: tuple[str, ...] = ()  # the patterns, as written
    rejected: str = ""


class CategoryScore(Struct, frozen=True, gc=False):
    id: str
    score: float
    evidence: tuple[str, ...]


class Trace(Struct, frozen=True, gc=False):
    tokens: tuple[str, ...]
    corrections: tuple[tuple[str, str], ...]  # (as typed, as understood)
    categories: tuple[CategoryScore, ...]
    candidates: tuple[Candidate, ...]
    note: str = ""


class Reasons(Struct, eq=False):
    """What a decision was made of: its trace is put into words when somebody asks, which a served turn does not."""

    def trace(self) -> Trace:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reasons) and self.trace() == other.trace()

    __hash__ = None  # type: ignore[assignment]  # what can be compared and changed has none

    def __repr__(self) -> str:
        return repr(self.trace())


# --- effects: what the runtime must do before the turn can be concluded ---------------------


class CallAction(Struct, frozen=True, gc=False):
    """Run a declared action with these slots in scope."""

    action: str
    slots: Mapping[str, SlotValue] = field(default_factory=dict)


class CallModel(Struct, frozen=True, gc=False):
    """Ask the model; ``category`` names the only knowledge section it gets."""

    category: str


Effect = CallAction | CallModel


class Outcome(Struct, frozen=True, gc=False):
    """What became of an effect. ``error``: off, timeout, rate_limited, failed, empty, paused, busy, spent; of an
    action also rejected, auth, and pending, when it is not known yet.

    ``value``: the model's text, or a mapping of saved slots for an action.
    """

    effect: Effect
    ok: bool
    text: str = ""
    values: Mapping[str, SlotValue] = field(default_factory=dict)
    error: str = ""
    elapsed: float = 0.0  # seconds
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0  # money, in the currency of the prices


# --- the pure results -----------------------------------------------------------------------


class Say(Struct, frozen=True, gc=False):
    """A response to be rendered, with the values that were captured for it."""

    response: str


class HandOver(Struct, frozen=True, gc=False):
    department: str | None = None


class NobodyThere(Struct, frozen=True, gc=False):
    """A hand-over that was not made, because it is outside the business hours."""


class Close(Struct, frozen=True, gc=False):
    block: bool = False


Output = Say | HandOver | NobodyThere | Close


class Decision(Struct, frozen=True, gc=False):
    """``session`` is the conversation after the pure part of the turn, before any outcome."""

    handler: str
    kind: Kind
    category: str
    trigger: str | None
    next_state: str
    session: Session
    outputs: tuple[Output, ...]
    effects: tuple[Effect, ...]
    reasons: Reasons
    triggers: tuple[str, ...] = ()  # all that fired, in order; ``trigger`` is the first

    @property
    def trace(self) -> Trace:
        return self.reasons.trace()


class Suggested(Struct, frozen=True, gc=False):
    text: str
    suggestions: tuple[str, ...] = ()
    response: str = ""  # id of the response it came from; empty for a model's text


class Handing(Struct, frozen=True, gc=False):
    department: str | None = None


class Reply(Struct, frozen=True, gc=False):
    texts: tuple[Suggested, ...]
    handoff: Handing | None = None
    closed: bool = False
    unstaffed: bool = False  # a person was wanted outside the business hours
    blocked: bool = False

    @property
    def text(self) -> str:
        return self.texts[0].text if len(self.texts) == 1 else "\n\n".join([part.text for part in self.texts])


class Conclusion(Struct, frozen=True, gc=False):
    session: Session
    reply: Reply
    triggers: tuple[str, ...] = ()
    note: str = ""
