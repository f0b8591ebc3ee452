"""Starting with the last bot that worked, when the one in the folder is broken."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from supportbot.adapters.sqlite_store import SQLiteStore
from supportbot.cli.surroundings import store_file
from supportbot.compiler.compile import load_bot
from supportbot.config.folder import read_bot
from supportbot.model.bot import Bot
from supportbot.runtime.snapshots import unpack


def last_good_bot(root: Path, environment: Mapping[str, str]) -> Bot | None:
    """The newest kept bot that still compiles; None when there is none. Raises StoreError."""
    where = store_file(_store_named(root), root, environment)
    if not where.is_file():
        return None
    packed = asyncio.run(_last_snapshot(where))
    if packed is None:
        return None
    with tempfile.TemporaryDirectory(prefix="supportbot-") as folder:
        unpack(packed, Path(folder))
        return load_bot(Path(folder)).bot


def _store_named(root: Path) -> object:
    """``server.store``, as far as the broken folder can still be read."""
    settings = next((item for item in read_bot(root).documents if item.kind == "settings"), None)
    server = settings.data.get("server") if settings is not None else None
    return server.get("store") if isinstance(server, dict) else None


async def _last_snapshot(where: Path) -> bytes | None:
    store = SQLiteStore(where)
    try:
        return await store.last_snapshot()
    finally:
        await store.close()
