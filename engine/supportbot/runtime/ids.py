"""Ids of 128 random bits. The system is asked for many at once: a system call for each costs more than the rest."""

from __future__ import annotations

import os

_BYTES = 16
_AT_ONCE = 256

_waiting: list[str] = []


def new_id() -> str:
    """32 hexadecimal digits that nobody can guess."""
    if not _waiting:
        fresh = os.urandom(_BYTES * _AT_ONCE).hex()
        _waiting.extend(fresh[start : start + 2 * _BYTES] for start in range(0, len(fresh), 2 * _BYTES))
    return _waiting.pop()


if hasattr(os, "register_at_fork"):  # two processes must not give the same ones
    os.register_at_fork(after_in_child=_waiting.clear)
