"""Refuses every socket that leaves this machine, in whichever Python imports it.

``tests/conftest.py`` imports it for the test process and puts its folder on PYTHONPATH, so that
commands which the tests start are held to the same rule.
"""

from __future__ import annotations

import ipaddress
import sys

_LOCAL_NAMES = frozenset({"localhost", "", None})


class NetworkRefused(Exception):
    """A test tried to reach another machine."""


def is_loopback(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse(event: str, args: tuple[object, ...]) -> None:
    if not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        host = address[0] if isinstance(address, tuple) else ""  # a text is a Unix socket
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    else:
        return
    if not is_loopback(host):
        raise NetworkRefused(f"tests may only talk to this machine, not to {host!r} ({event})")


sys.addaudithook(_refuse)
