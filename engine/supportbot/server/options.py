"""How the server runs: where it listens, what it refuses, how long it waits."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from supportbot.config.environment import Environment


class Secret:
    """A text that never shows up in a log or a traceback by accident. Falsy when empty."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    __str__ = __repr__

    def same_as(self, other: str) -> bool:
        """Compare in constant time. As bytes, because compare_digest refuses text beyond ASCII."""
        ours, theirs = (text.encode("utf-8", "surrogatepass") for text in (self._value, other))
        return bool(self._value) and hmac.compare_digest(ours, theirs)


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Sizes in bytes, times in seconds.

    ``linger_seconds``: how long the rest of a refused body is read, so that the caller sees the refusal.
    ``drain``: how long new requests are still taken after SIGTERM, while /readyz already says no.
    ``grace``: how long accepted requests and turns may go on after that.
    """

    body_bytes: int = 256 * 1024
    body_seconds: float = 4.0  # whoever sends slowly still hears of it within five
    body_depth: int = 32
    chat_seconds: float = 30.0
    salesiq_seconds: float = 30.0  # at most, whatever the bot's settings say
    health_seconds: float = 2.0
    keepalive_seconds: float = 15.0
    linger_seconds: float = 2.0
    drain: float = 1.0
    grace: float = 10.0


@dataclass(frozen=True, slots=True)
class Texts:
    """What a visitor reads that no rule said, where the bot names no response for it. Never empty."""

    hello: str = "Hello! How can I help?"
    late: str = "This is taking longer than usual. Write anything, and I tell you what I found, or ask me for a person."
    pending: str = "One moment please, I am looking into it."
    trouble: str = "Sorry, something went wrong on our side. Please try again in a moment, or ask me for a person."
    busy: str = "That was a lot at once, I cannot keep up. Please give me a minute and write again."
    words_please: str = "I can only read text. Please tell me in a few words what the problem is."
    connecting: str = "I am connecting you to a colleague."
    nobody_free: str = "Sorry, nobody is free right now. Shall we call you back, or shall I open a ticket for you?"
    unattended: str = "Nobody is here right now. Please leave a message, and we come back to you."
    preview_handover: str = "(In this preview nobody can take over. A real chat would go to a person now.)"
    goodbye: str = "Thank you for writing. Goodbye!"


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """``loopback``: whether only this machine can reach the server; None works it out from ``host``."""

    host: str = "127.0.0.1"
    port: int = 8080
    admin_token: Secret = field(default_factory=Secret)
    loopback: bool | None = None
    reuse_port: bool = False
    limits: ServerLimits = field(default_factory=ServerLimits)
    texts: Texts = field(default_factory=Texts)
    environment: Environment = field(default_factory=lambda: Environment(MappingProxyType({})))

    @property
    def local_only(self) -> bool:
        return is_loopback(self.host) if self.loopback is None else self.loopback


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether a host name or address, without a port, can only mean this machine."""
    name = host.strip("[]").rstrip(".").casefold()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
