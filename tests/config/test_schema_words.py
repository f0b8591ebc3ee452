"""What is said about keys that are nearly right."""

from __future__ import annotations

import pytest

from supportbot.config.schema import check
from supportbot.config.yaml_reader import read_yaml


@pytest.mark.parametrize(
    ("kind", "source", "said"),
    [
        (
            "handlers",
            "handlers:\n  - {id: a, priority: 1, do: [{trigger finish}]}\n",
            [("wrong-type", "a colon is missing after 'trigger'", "write trigger: finish")],
        ),
        (
            "states",
            "initial: a\nstates: [{id: a}]\ntransitions: [{trigger: t, source: a, destination: a}]\n",
            [("unknown-key", "'destination' is not a key of a transition", "did you mean 'dest'?")],
        ),
    ],
)
def test_one_mistake_is_one_finding_that_says_how_to_mend_it(
    kind: str, source: str, said: list[tuple[str, str, str]]
) -> None:
    data, found = read_yaml(source, "a.yaml")
    assert found == []
    assert [(item.code, item.message, item.hint) for item in check(kind, data, "a.yaml")] == said
