"""``python -m supportbot``: the command, for machines on which its script is not in the path."""

from __future__ import annotations

from supportbot.cli.main import main

if __name__ == "__main__":
    main()
