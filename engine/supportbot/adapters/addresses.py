"""Which addresses this machine may call: a name that anybody could point inwards must not lead inwards.

A loopback or private address is called only when the setting itself writes it (or ``localhost``): whoever writes
settings may mean the machine next door. A name that merely resolves to such an address is refused, and so is
every address of the local link, where cloud machines keep their credentials.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LOCAL_NAMES = ("localhost",)


def refusal(url: str) -> str:
    """Why a URL must not be called at all; empty when it may be tried."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").lower()
        _ = parts.port
    except ValueError:
        return "it is not a URL"
    if parts.scheme not in ("http", "https") or not host:
        return "it is not an http or https URL"
    address = _address(host)
    if address is None:
        return "its host is a number, write the address with its dots" if _is_number(host) else ""
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return "its address belongs to the local link, not to a service"
    return ""


class PublicResolver(AbstractResolver):
    """Resolves names, but never to an address inside. ``localhost`` is what it says, ``wanted`` are names that may."""

    def __init__(self, wanted: frozenset[str] = frozenset()) -> None:
        self._wanted = wanted.union(LOCAL_NAMES)
        self._resolver = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if host.rstrip(".").lower() in self._wanted:
            return found
        public = [entry for entry in found if is_public(entry["host"])]
        if not public:
            raise OSError(f"{host} leads to a private address; write the address itself if that is meant")
        return public

    async def close(self) -> None:
        await self._resolver.close()


def is_public(text: str) -> bool:
    address = _address(text.partition("%")[0])
    return address is not None and address.is_global and not address.is_multicast


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _is_number(host: str) -> bool:
    """``2130706433`` and ``0x7f.1`` are addresses as well, to some resolvers."""
    return all(part.isdigit() or part.startswith("0x") for part in host.split("."))
