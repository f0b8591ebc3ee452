"""Private and local addresses are refused, unless the bot or the environment names them as wanted.

A service's address comes from settings; without this a wrong or stolen setting could make the bot read what only
machines inside the network may read.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from yarl import URL

ALLOWED = "SUPPORTBOT_ALLOW_PRIVATE"  # hosts, separated by commas


class PrivateAddress(OSError):
    """The host is at an address that is not public."""


def allowed_hosts(environment: Mapping[str, str]) -> frozenset[str]:
    return frozenset(filter(None, (name.strip().casefold() for name in environment.get(ALLOWED, "").split(","))))


def named_private(url: URL, environment: Mapping[str, str]) -> bool:
    """Whether the environment allows this address to be a private one."""
    return (url.host or "").casefold() in allowed_hosts(environment)


def is_private(host: str) -> bool:
    """Whether a text is an address that is not public; names are judged when they are resolved."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return not (getattr(address, "ipv4_mapped", None) or address).is_global


class StrictResolver(AbstractResolver):
    """Resolves names; fails when any of their addresses is private, so that none can slip in between two looks."""

    def __init__(self) -> None:
        self._names = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._names.resolve(host, port, family)
        if any(is_private(result["host"]) for result in found):
            raise PrivateAddress("the host has a private address")
        return found

    async def close(self) -> None:
        await self._names.close()
