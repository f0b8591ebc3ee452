"""Write every expected.txt anew: ``python -m tests.bots.write_expected [NAME ...]``; read the difference before."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bots.test_bots import ERR, found, merged


def main(names: list[str]) -> None:
    for overlay in ERR:
        if names and overlay.name not in names:
            continue
        with TemporaryDirectory() as folder:
            text = found(merged(overlay, Path(folder) / "bot"))
        (overlay / "expected.txt").write_text(text, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
