"""Services that actions call: where they are, how to sign in, and how their answers are read.

Texts may hold ``${NAME}`` references, which only the adapter replaces. Durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from supportbot.diagnostics import Place

# What an answer that is no success means:
#   expired       the token is not valid any more and nothing was done: a new one, then once more
#   auth          signing in or the rights are wrong: somebody has to mend the settings
#   rejected      the service understood and refuses: sending the same again cannot work
#   busy          too much at the same time, nothing was done: again in a moment
#   rate_limited  the quota is used up, nothing was done: again when the service says so
#   unknown       it may have been done or not
ErrorKind = Literal["expired", "auth", "rejected", "busy", "rate_limited", "unknown"]
ERROR_KINDS: tuple[ErrorKind, ...] = ("expired", "auth", "rejected", "busy", "rate_limited", "unknown")


@dataclass(frozen=True, slots=True)
class Check:
    """Conditions on an answer; all of them must hold. ``status``: ranges, both ends included; empty means any."""

    status: tuple[tuple[int, int], ...] = ()
    equals: tuple[tuple[str, tuple[str, ...]], ...] = ()  # JSON pointer -> one of these, compared as text
    exists: tuple[str, ...] = ()  # pointers to something that is neither missing nor null
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ErrorRule:
    check: Check
    kind: ErrorKind


@dataclass(frozen=True, slots=True)
class BasicAuth:
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class HeaderAuth:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class OAuth:
    """Access tokens bought with a refresh token. ``token``: a ready-made one, used while no refresh token is set."""

    token_url: str
    client_id: str
    client_secret: str
    refresh_token: str
    header: str = "Bearer {token}"
    token: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.token_url, self.client_id, self.client_secret, self.refresh_token)


Auth = BasicAuth | HeaderAuth | OAuth


@dataclass(frozen=True, slots=True)
class ReadRetry:
    """Calls that only read are tried so often; ``wait`` is the first pause, it doubles each time."""

    tries: int = 3
    wait: float = 0.5


@dataclass(frozen=True, slots=True)
class Probe:
    """A harmless read that shows whether the service can be used. ``path`` may name variables and end in a query."""

    method: Literal["GET", "HEAD"]
    path: str


@dataclass(frozen=True, slots=True)
class Connection:
    """A service that actions call. ``timeout`` is that of one try; ``concurrency`` bounds calls at the same time."""

    id: str
    base_url: str
    headers: Mapping[str, str]
    bearer: str | None
    timeout: float
    place: Place
    auth: Auth | None = None
    concurrency: int = 4
    retry: ReadRetry = field(default_factory=ReadRetry)
    ok: Check = field(default_factory=Check)
    errors: tuple[ErrorRule, ...] = ()
    allow_private: bool = False
    check: Probe | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts that must have a value before anything can be called, without those of ``oauth2``."""
        auth: tuple[str, ...] = ()
        if isinstance(self.auth, BasicAuth):
            auth = (self.auth.user, self.auth.password)
        elif isinstance(self.auth, HeaderAuth):
            auth = (self.auth.value,)
        return (self.base_url, *self.headers.values(), self.bearer or "", *auth)
