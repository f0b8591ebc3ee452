from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.hostile.world import Server, starter


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with starter(tmp_path_factory.mktemp("hostile")) as started:
        yield started
