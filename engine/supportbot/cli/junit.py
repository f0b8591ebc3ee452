"""JUnit XML, which every CI system reads: one case a file (validate) or a test (test)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape  # xml.sax.saxutils would import urllib.request, http.client and ssl

from supportbot.diagnostics import Diagnostic

# XML 1.0 has no way to write these at all.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Case:
    """One test; ``failure`` is empty when it passed. ``seconds`` is how long it took."""

    group: str
    name: str
    failure: str = ""
    seconds: float = 0.0


def render_junit(cases: Sequence[Case], suite: str) -> str:
    failed = sum(1 for case in cases if case.failure)
    total = sum(case.seconds for case in cases)
    numbers = f'tests="{len(cases)}" failures="{failed}" errors="0" time="{total:.3f}"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites {numbers}>",
        f"  <testsuite name={_attribute(suite)} {numbers}>",
        *(_case(case) for case in cases),
        "  </testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines)


def diagnostics_as_cases(diagnostics: Sequence[Diagnostic], strict: bool) -> list[Case]:
    """A case a finding; warnings fail only when ``strict``."""
    if not diagnostics:
        return [Case("validate", "the bot")]
    cases = []
    for item in diagnostics:
        fails = item.severity == "error" or (strict and item.severity == "warning")
        text = str(item) + (f"\n{item.hint}" if item.hint else "")
        where = f"{item.place.file}:{item.place.line}:{item.place.column} {item.code}"
        cases.append(Case(item.place.file or "the bot", where, text if fails else ""))
    return cases


def _case(case: Case) -> str:
    head = f'    <testcase classname={_attribute(case.group)} name={_attribute(case.name)} time="{case.seconds:.3f}"'
    if not case.failure:
        return head + "/>"
    first = case.failure.partition("\n")[0]
    body = f"<failure message={_attribute(first)}>{escape(_clean(case.failure), quote=False)}</failure>"
    return f"{head}>{body}</testcase>"


def _attribute(text: str) -> str:
    return '"' + escape(_clean(text)).replace("\n", "&#10;") + '"'


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
