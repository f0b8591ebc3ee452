"""What validate prints for people and for programs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from tests.cli.conftest import SMALL, Run

from supportbot.cli.junit import Case, diagnostics_as_cases, render_junit
from supportbot.cli.output import render_github, render_json, render_text
from supportbot.cli.sarif import render_sarif
from supportbot.cli.summary import write_step_summary
from supportbot.cli.terminal import Paint
from supportbot.diagnostics import Diagnostic, Place, Related, error, info, warning

PLAIN = Paint(False)


def finding(number: int = 1, severity: str = "error") -> Diagnostic:
    make = error if severity == "error" else warning
    return make("unknown-state", Place("handlers.yaml", number, 2, number, 5), f"no state number {number}", "mend it")


def test_text(command: Run, broken: Path) -> None:
    done = command("validate", cwd=broken)
    expected = (
        "handlers.yaml:5:35: error [unknown-response] there is no response 'by'\n"
        "   |\n"
        " 5 |     do: [{trigger: stop}, {reply: by}, {close: true}]\n"
        "   |                                   ^~\n"
        "  hint: did you mean 'bye'?\n"
    )
    assert expected in done.stdout


def test_related_places_are_named(small: Path) -> None:
    item = error(
        "duplicate-id", Place("handlers.yaml", 2, 5, 2, 7), "taken", "", Related(Place("states.yaml", 1), "first")
    )
    assert render_text([item], small, PLAIN).endswith("states.yaml:1:1: first")


def test_json_has_exactly_the_promised_keys(command: Run, broken: Path) -> None:
    done = command("validate", "--format", "json", cwd=broken)
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert list(document) == ["diagnostics", "summary"]
    assert document["summary"]["errors"] == 1
    assert document["summary"]["files"] == 6
    first = next(item for item in document["diagnostics"] if item["severity"] == "error")
    assert first == {
        "code": "unknown-response",
        "severity": "error",
        "file": "handlers.yaml",
        "line": 5,
        "column": 35,
        "end_line": 5,
        "end_column": 37,
        "message": "there is no response 'by'",
        "hint": "did you mean 'bye'?",
        "related": [],
    }


def test_json_names_the_related_places() -> None:
    also = Related(Place("states.yaml", 3, 5, 3, 9), "it was first given here")
    item = error("duplicate-id", Place("handlers.yaml", 2, 5, 2, 7), "taken", "", also)
    (told,) = json.loads(render_json([item], 1))["diagnostics"]
    assert told["related"] == [{"file": "states.yaml", "line": 3, "column": 5, "message": "it was first given here"}]


def test_only_files_of_the_bot_are_quoted(tmp_path: Path) -> None:
    """Not what links out of the folder lead to, nor pipes and devices, whose reading would never end."""
    folder, outside = tmp_path / "bot", tmp_path / "outside.yaml"
    folder.mkdir()
    outside.write_text("not for these eyes\n", "utf-8")
    (folder / "out.yaml").symlink_to(outside)
    (folder / "endless.yaml").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.yaml")
    (folder / "large.yaml").write_bytes(b"too much\n" * 2_000_000)
    (folder / "good.yaml").write_text("this is quoted\n", "utf-8")
    names = ["out.yaml", "endless.yaml", "pipe.yaml", "large.yaml", "../outside.yaml", str(outside), "good.yaml"]
    text = render_text([error("unreadable-file", Place(name), "bad") for name in names], folder, PLAIN)
    assert [line for line in text.split("\n") if line.startswith(" 1 |")] == [" 1 | this is quoted"]


def test_json_survives_half_a_surrogate_pair() -> None:
    item = error("bad", Place("a.yaml"), "half \ud83d here")
    text = render_json([item], 1)
    text.encode("utf-8")
    assert json.loads(text)["diagnostics"][0]["message"] == "half \ud83d here"


def test_strict_fails_on_warnings(command: Run, small: Path) -> None:
    (small / "rules" / "response.yaml").write_text("responses: {}\n", "utf-8")
    assert command("validate", str(small)).returncode == 0
    done = command("validate", "--strict", str(small))
    assert done.returncode == 1
    assert "warning [" in done.stdout


def test_github_shows_errors_first_and_ten_of_a_kind(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(small.parent))
    items = [finding(number, "warning") for number in range(1, 14)] + [finding(number) for number in range(1, 13)]
    lines = render_github(items, small).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error"] * 10 + ["::warning"] * 10 + ["::notice"]
    assert lines[0] == (
        "::error file=small/handlers.yaml,line=1,col=2,endLine=1,endColumn=5,"
        "title=supportbot [unknown-state]::no state number 1%0Ahint: mend it"
    )
    assert "2 errors and 3 warnings more" in lines[-1]


def test_github_texts_cannot_start_a_command_of_their_own(small: Path) -> None:
    item = error("bad", Place("a,b:c.yaml"), "100% wrong\n::error::me too")
    (line,) = render_github([item], small).splitlines()
    assert "a%2Cb%3Ac.yaml" in line
    assert line.endswith("::100%25 wrong%0A::error::me too")


def test_github_is_chosen_inside_its_actions(command: Run, broken: Path, tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page), "GITHUB_WORKSPACE": str(broken)}
    done = command("validate", cwd=broken, env=environment)
    assert done.returncode == 1
    assert done.stdout.startswith("::error file=handlers.yaml,line=5,col=35")
    assert "| handlers.yaml:5:35 | error [unknown-response]" in page.read_text("utf-8")


def test_auto_is_text_outside_github(command: Run, broken: Path) -> None:
    text = command("validate", "--format", "text", cwd=broken, env={"GITHUB_ACTIONS": "true"})
    auto = command("validate", "--format", "auto", cwd=broken, env={"GITHUB_ACTIONS": ""})
    assert auto.stdout.splitlines()[:-1] == text.stdout.splitlines()[:-1]
    actions = command("validate", "--format", "auto", cwd=broken, env={"GITHUB_ACTIONS": "true"})
    assert actions.stdout.startswith("::error file=")


def test_github_counts_notices_among_their_kind(small: Path) -> None:
    items = [info("idle", Place("handlers.yaml", number), "idle") for number in range(1, 15)]
    lines = render_github(items, small).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::notice"] * 10
    assert "5 infos more" in lines[-1]


def test_the_summary_page_has_all_findings_and_is_appended_to(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = small / "summary.md"
    page.write_text("before\n", "utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    write_step_summary([finding(number) for number in range(1, 31)], small)
    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.count("[unknown-state]") == 30
    write_step_summary([error("bad", Place("a.yaml"), "a | b\n<c>")], small)
    assert "| error [bad] a \\| b &lt;c> |" in page.read_text("utf-8")


def test_strict_fails_in_every_format(command: Run, small: Path) -> None:
    (small / "rules" / "response.yaml").write_text("responses: {}\n", "utf-8")
    for style in ("text", "json", "sarif", "github", "junit"):
        assert command("validate", "--format", style, cwd=small).returncode == 0
        assert command("validate", "--format", style, "--strict", cwd=small).returncode == 1


def test_sarif(broken: Path) -> None:
    items = [finding(3), finding(4, "warning")]
    document = json.loads(render_sarif(items, broken))
    (run,) = document["runs"]
    assert document["version"] == "2.1.0"
    assert run["columnKind"] == "unicodeCodePoints"
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["id"] == "unknown-state"
    assert "states.yaml" in rule["help"]["text"]
    assert rule["help"]["markdown"].count("```") >= 4
    assert rule["defaultConfiguration"] == {"level": "error"}
    assert [result["level"] for result in run["results"]] == ["error", "warning"]
    location = run["results"][0]["locations"][0]["physicalLocation"]
    assert location["region"] == {"startLine": 3, "startColumn": 2, "endLine": 3, "endColumn": 5}
    assert location["artifactLocation"] == {"uri": "handlers.yaml", "uriBaseId": "%SRCROOT%"}


# What section 3 of the SARIF 2.1.0 standard asks of the parts that are written here.
_SARIF_LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "physicalLocation": {
            "required": ["artifactLocation", "region"],
            "properties": {
                "artifactLocation": {
                    "required": ["uri"],
                    "properties": {"uri": {"type": "string", "pattern": "^(?![/\\\\])(?![A-Za-z]+:)[!-~]+$"}},
                },
                "region": {
                    "required": ["startLine", "startColumn", "endLine", "endColumn"],
                    "additionalProperties": {"type": "integer", "minimum": 1},
                },
            },
        }
    },
}
_SARIF_TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "uniqueItems": True,
                                        "items": {
                                            "required": ["id", "help", "shortDescription"],
                                            "properties": {
                                                "name": {"pattern": "^[A-Z][A-Za-z0-9]+$"},
                                                "help": _SARIF_TEXT,
                                                "shortDescription": _SARIF_TEXT,
                                                "fullDescription": _SARIF_TEXT,
                                            },
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "items": {
                            "required": ["ruleId", "message", "locations"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": _SARIF_TEXT,
                                "locations": {"minItems": 1, "items": _SARIF_LOCATION},
                                "relatedLocations": {"items": {**_SARIF_LOCATION, "required": ["id", "message"]}},
                            },
                        }
                    },
                },
            }
        },
    },
}


def test_sarif_keeps_to_the_standard(command: Run, tmp_path: Path) -> None:
    bot = tmp_path / "my bots" / "größe %1"
    shutil.copytree(SMALL, bot)
    (tmp_path / ".git").mkdir()
    handlers = bot / "handlers.yaml"
    handlers.write_text(handlers.read_text("utf-8").replace("{reply: bye}", "{reply: byé}") + "handlers: []\n", "utf-8")
    (bot / "rules" / "strange name é.yaml").write_text("a: b\n", "utf-8")
    done = command("validate", "--format", "sarif", cwd=bot)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    jsonschema.Draft7Validator(SARIF).validate(document)
    run = document["runs"][0]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(ids[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    uris = {one["physicalLocation"]["artifactLocation"]["uri"] for item in run["results"] for one in item["locations"]}
    assert "my%20bots/gr%C3%B6%C3%9Fe%20%251/handlers.yaml" in uris
    assert str(tmp_path) not in done.stdout
    assert any(result.get("relatedLocations") for result in run["results"])


def test_junit() -> None:
    cases = diagnostics_as_cases([finding(3), finding(4, "warning")], strict=False)
    tree = ElementTree.fromstring(render_junit(cases, "supportbot validate").encode())
    assert tree.attrib["tests"] == "2"
    assert tree.attrib["failures"] == "1"
    assert [case.find("failure") is not None for case in tree.iter("testcase")] == [True, False]


def test_junit_of_a_sound_bot_has_a_case() -> None:
    tree = ElementTree.fromstring(render_junit(diagnostics_as_cases([], strict=True), "validate").encode())
    assert tree.attrib["tests"] == "1"
    assert tree.attrib["failures"] == "0"


def test_junit_takes_any_text() -> None:
    case = Case("a & b", 'say "<hi>" \x00\x1b', 'expected "<a>"\nbut got \ud800', 0.5)
    tree = ElementTree.fromstring(render_junit([case], "s").encode())
    found = next(tree.iter("testcase"))
    assert found.attrib["name"] == 'say "<hi>" \ufffd\ufffd'
    failure = found.find("failure")
    assert failure is not None
    assert failure.text == 'expected "<a>"\nbut got \ufffd'


@pytest.mark.parametrize("style", ["json", "sarif", "junit"])
def test_programs_get_utf_8_whatever_the_terminal_wants(command: Run, broken: Path, style: str) -> None:
    handlers = broken / "handlers.yaml"
    handlers.write_text(handlers.read_text("utf-8").replace("{reply: by}", '{reply: "é😀"}'), "utf-8")
    done = command("validate", "--format", style, cwd=broken, env={"PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 1
    assert "é😀" in done.stdout
    if style == "junit":
        ElementTree.fromstring(done.stdout.encode())
    else:
        json.loads(done.stdout)


def test_files_are_named_from_where_one_stands(command: Run, broken: Path) -> None:
    done = command("validate", "small", cwd=broken.parent)
    assert f"small{os.sep}handlers.yaml:5:35:".replace(os.sep, "/") in done.stdout
