"""A compiled bot on its way from the process that tried it to the one that serves it.

Unpacking one is ten times cheaper than compiling it, and happens in steps, between which turns go on.
"""

from __future__ import annotations

import gc
import io
import pickle
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

from supportbot.config.collecting import no_garbage_collection
from supportbot.model.bot import Bot
from supportbot.model.index import Node

_PAUSE = 0.001  # seconds after each 64 KB, so that whoever waits for the interpreter gets it
_SHORT = 0.0005  # seconds until a thread that waits for the interpreter is heard; Python's own are ten times as long
_BATCH = 1_000  # objects that are let go in one go
_LASTING = (type, ModuleType, FunctionType)  # what records refer to and what outlives them


def wrap(bot: Bot) -> bytes:
    """The bot as a pickle, and after it the nodes of its trie level by level: pickling is recursive, tries are deep."""
    packed = io.BytesIO()
    packer = _Packer(packed, pickle.HIGHEST_PROTOCOL)
    packer.dump(bot)
    while packer.empty:
        nodes, packer.empty = packer.empty, []
        packer.dump([(node, *(getattr(node, name) for name in Node.__slots__)) for node in nodes])
    packer.dump(None)
    return packed.getvalue()


def unwrap(parcel: bytes) -> Bot:
    """The bot, for a thread beside the event loop. Only for what ``wrap`` made in a process of one's own.

    The garbage collector never looks through the bot: there is nothing to find in it, and looking would hold up every
    turn.
    """
    gc.collect(1)
    with _turns.short(), no_garbage_collection():
        unpacker = pickle.Unpickler(_InSteps(parcel))
        bot = unpacker.load()
        while level := unpacker.load():
            for node, *values in level:
                for name, value in zip(Node.__slots__, values, strict=True):
                    setattr(node, name, value)
        del unpacker
        gc.freeze()
    if not isinstance(bot, Bot):
        raise pickle.UnpicklingError("this is no bot")
    return bot


def let_go(bot: Bot) -> Iterator[None]:
    """Free a bot that nobody reads any more, a few objects each step, in a thread beside the event loop.

    Without that the last reference would free all of it at once: a large bot takes a twentieth of a second.
    """
    steps = _let_go(bot)
    del bot
    with _turns.short():
        yield from steps


def _let_go(bot: Bot) -> Iterator[None]:
    parts: list[object] = [bot]
    known = {id(bot)}
    del bot
    at = 0
    while at < len(parts):  # what holds something comes before what it holds
        for held in _parts(parts[at]):
            if id(held) not in known:
                known.add(id(held))
                parts.append(held)
        at += 1
        if at % _BATCH == 0:
            yield
    held = None
    parts.reverse()
    while parts:
        del parts[-_BATCH:]
        yield


def _parts(whole: object) -> list[object]:
    return [held for held in gc.get_referents(whole) if gc.is_tracked(held) and not isinstance(held, _LASTING)]


class _Turns:
    """How long threads hold the interpreter. The event loop asks for it many times in a round, and waits as often."""

    def __init__(self) -> None:
        self._users = 0
        self._usual = sys.getswitchinterval()
        self._lock = threading.Lock()

    @contextmanager
    def short(self) -> Iterator[None]:
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, more: int) -> None:
        with self._lock:
            self._users += more
            sys.setswitchinterval(_SHORT if self._users else self._usual)


_turns = _Turns()


class _Packer(pickle.Pickler):
    """``empty``: nodes whose values are still to be packed."""

    empty: list[Node]

    def __init__(self, file: io.BytesIO, protocol: int) -> None:
        super().__init__(file, protocol)
        self.empty = []

    def reducer_override(self, value: object) -> Any:
        if type(value) is Node:
            self.empty.append(value)
            return Node, ()
        if type(value) is MappingProxyType:
            return _proxy, (dict(value),)
        return NotImplemented


def _proxy(values: dict[object, object]) -> MappingProxyType[object, object]:
    return MappingProxyType(values)


class _InSteps(io.BytesIO):
    """Pickles come in frames of 64 KB; reading one is where another thread may go on."""

    def read(self, size: int | None = -1, /) -> bytes:
        time.sleep(_PAUSE)
        return super().read(size)
