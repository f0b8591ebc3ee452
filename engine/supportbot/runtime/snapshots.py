"""The files of a bot as one value, and back to a folder."""

from __future__ import annotations

import zlib
from pathlib import Path, PurePosixPath

import msgspec

from supportbot.config.folder import BotFiles
from supportbot.errors import StoreError


def pack(files: BotFiles) -> bytes:
    """Every document and prompt, by its path."""
    texts = {document.file: document.source for document in files.documents}
    texts |= {f"prompts/{name}": text for name, text in files.prompts.items()}
    return zlib.compress(msgspec.json.encode(texts))


def unpack(packed: bytes, folder: Path) -> None:
    """Write the files below ``folder``. Raises StoreError when the value is damaged."""
    try:
        texts = msgspec.json.decode(zlib.decompress(packed), type=dict[str, str])
    except (zlib.error, msgspec.MsgspecError) as failure:
        raise StoreError(f"the kept copy of the bot cannot be read: {failure}") from failure
    for name, text in texts.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise StoreError(f"the kept copy of the bot names a file outside of it: {name!r}")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8", newline="")
