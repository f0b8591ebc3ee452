"""What is said about templates that people get nearly right."""

from __future__ import annotations

import pytest
from tests.cli.conftest import SMALL

from supportbot.cli.checking import check
from supportbot.compiler.template_places import Spot
from supportbot.compiler.templates import read_expression, read_template
from supportbot.diagnostics import Place

SPOT_PLACE = Place("a.yaml", 1, 1, 1, 80)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("session.attempts = 2", "compared with =="),
        ("{{ hours.open }}", "without {{ }}"),
        ("hours.open && slots.a", "and, or, not"),
        ("hours.open hours.open", "written like hours.open and"),
    ],
)
def test_expressions(source: str, told: str) -> None:
    (finding,) = read_expression(source, Spot(source, SPOT_PLACE)).findings
    assert told in finding.hint


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{% if hours.open }yes{% endif %}", "ends with %}"),
        ("{{ visitor.name }", "ends with }}"),
        ("{% if hours.open %}yes{% els %}no{% endif %}", "{% els %} is not possible"),
        ("{% if hours.open %}yes", "not closed by {% endif %}"),
    ],
)
def test_templates(source: str, told: str) -> None:
    (finding,) = read_template(source, Spot(source, SPOT_PLACE)).findings
    assert told in finding.message + finding.hint


@pytest.mark.parametrize(("text", "codes"), [("Hi { visitor.name }", 1), ("Hi {{ visitor.name }}", 0), ("Hi {you}", 0)])
def test_single_braces(text: str, codes: int) -> None:
    content = (SMALL / "rules" / "responses.yaml").read_text("utf-8").encode()
    added = content + f'  more: "{text}"\n'.encode()
    found = [item for item in check(SMALL, None, {"rules/responses.yaml": added})[0] if item.code == "single-braces"]
    assert len(found) == codes
    for item in found:
        assert item.fix is not None
        assert item.fix.new == "{{ visitor.name }}"
