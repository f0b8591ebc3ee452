"""Files that ship with the package: the starter bot, the schemas, the pages.

In a checkout they are the repository's own folders; in an installed wheel they are below
``supportbot/_data``. The checkout wins, because an editable install can leave a stale copy.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


@cache
def _checkout() -> Path | None:
    root = PACKAGE.parents[1]
    project = root / "pyproject.toml"
    if PACKAGE.parent.name == "engine" and project.is_file():
        return root if 'name = "supportbot"' in project.read_text("utf-8") else None
    return None


def starter_bot() -> Path:
    """Folder of the starter bot (IT support)."""
    return _checkout() or PACKAGE / "_data" / "starter"


def schemas() -> Path:
    """Folder of the JSON Schemas, one per kind of document."""
    root = _checkout()
    return root / "schemas" if root else PACKAGE / "_data" / "schemas"


def pages() -> Path:
    """Folder of the pages for whoever writes or runs a bot, with ``examples`` in it."""
    root = _checkout()
    return root / "docs" if root else PACKAGE / "_data" / "docs"


def checks_page() -> Path:
    """docs/checks.md: a section for each code of a finding."""
    root = _checkout()
    return root / "docs" / "checks.md" if root else PACKAGE / "_data" / "checks.md"
