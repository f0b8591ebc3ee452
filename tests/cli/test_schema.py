"""schema: a bot's own ids for editors, the same each time, and noticed when they no longer fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.cli.conftest import Run

from supportbot import resources
from supportbot.cli.checking import check
from supportbot.cli.init import write_bot
from supportbot.config.folder import FOLDERS, OPTIONAL, REQUIRED, read_bot
from supportbot.config.known_ids import known_ids
from supportbot.config.own_schemas import folder_of, own_schemas, write_schemas
from supportbot.config.yaml_reader import read_yaml

ROOT = Path(__file__).parents[2]
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schema") / "bot"
    write_bot(folder)
    return folder


def yaml_files(bot: Path) -> list[Path]:
    names = [*REQUIRED, *OPTIONAL]
    found = [path for folder in (*FOLDERS, "tests/conversations") for path in sorted((bot / folder).glob("*.yaml"))]
    return [*(bot / name for name in names if (bot / name).is_file()), *found]


def kind_of(bot: Path, path: Path) -> str:
    name = path.relative_to(bot).as_posix()
    folder = path.parent.relative_to(bot).as_posix()
    return {**REQUIRED, **OPTIONAL}.get(name) or {**FOLDERS, "tests/conversations": "conversations"}[folder]


def enums(node: Any) -> Iterator[list[Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("enum"), list):
            yield node["enum"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from enums(item)


@pytest.mark.parametrize("where", ["repository", "new bot"])
def test_every_file_names_the_schema_of_its_kind(made: Path, where: str) -> None:
    bot = ROOT if where == "repository" else made
    assert len(yaml_files(bot)) > 20
    for path in yaml_files(bot):
        found = MODELINE.match(path.read_text("utf-8"))
        assert found is not None, path
        assert (path.parent / found[1]).resolve() == bot / "schemas" / f"{kind_of(bot, path)}.json"
        assert (path.parent / found[1]).is_file()


def test_the_starter_bot_fits_its_own_schemas(made: Path) -> None:
    texts = own_schemas(read_bot(made))
    for path in yaml_files(made):
        schema = json.loads(texts[kind_of(made, path)])
        jsonschema.Draft7Validator.check_schema(schema)
        problems = list(jsonschema.Draft7Validator(schema).iter_errors(read_yaml(path.read_bytes(), path.name)[0]))
        assert not problems, (path, problems[0].message[:300], list(problems[0].absolute_path))


def fails(texts: dict[str, str], kind: str, document: Any) -> bool:
    return not jsonschema.Draft7Validator(json.loads(texts[kind])).is_valid(document)


def test_ids_that_do_not_exist_are_refused(small: Path) -> None:
    (small / "rules" / "lists.yaml").write_text('lists: {kind: ["one", "two"]}\n', "utf-8")
    texts = own_schemas(read_bot(small))

    def handler(**keys: Any) -> dict[str, Any]:
        return {"handlers": [{"id": "a", "do": [{"close": True}], **keys}]}

    assert not fails(texts, "handlers", handler(when={"state": ["working"], "message": ["a <kind> b"]}))
    assert not fails(texts, "handlers", handler(when={"state": "working"}))
    assert not fails(texts, "handlers", handler(do=[{"set": {"anything": "x"}}]))
    assert fails(texts, "handlers", handler(when={"state": ["worknig"]}))
    assert fails(texts, "handlers", handler(when={"state": "worknig"}))
    assert fails(texts, "handlers", handler(when={"category": "prnting"}))
    assert fails(texts, "handlers", handler(when={"message": ["a <knid> b"]}))
    assert fails(texts, "handlers", handler(do=[{"reply": "by"}]))
    assert fails(texts, "handlers", handler(do=[{"trigger": "stpo"}]))
    states = {"initial": "working", "states": [{"id": "working"}], "transitions": []}
    assert not fails(texts, "states", {**states, "transitions": [{"trigger": "x", "source": "*", "dest": "="}]})
    assert fails(texts, "states", {**states, "transitions": [{"trigger": "x", "source": "nowhere", "dest": "="}]})
    assert fails(texts, "settings", {"name": "x", "default_category": "nothing"})
    assert fails(texts, "responses", {"responses": {"a": {"text": "x", "languages": {"xx": {"text": "y"}}}}})


def test_each_id_says_what_it_is(made: Path) -> None:
    schema = json.loads(own_schemas(read_bot(made))["handlers"])
    states = schema["definitions"]["state_ids"]
    about = dict(zip(states["enum"], states["enumDescriptions"], strict=True))
    assert about["escalation_offered"] == "A person was offered"
    assert "x-" not in "".join(key for key in schema["definitions"]["step"]["properties"]["reply"])


def test_every_kind_of_id_is_found(made: Path) -> None:
    known = known_ids(read_bot(made))
    for kind, name in {
        "state": "greeting",
        "trigger": "offer_person",
        "category": "printing",
        "rule": "form.callback",
        "guide": "printer_offline",
        "handler": "agent_request",
        "response": "welcome",
        "form": "callback",
        "action": "create_ticket",
        "connection": "desk",
        "list": "yes",
        "slot": "phone",
        "prompt": "categories/printing.md",
        "language": "en",
    }.items():
        assert name in known[kind], kind
    assert set(known["handler"]) | set(known["guide"]) < set(known["rule"])


def test_a_broken_bot_has_schemas_as_well(broken: Path) -> None:
    (broken / "states.yaml").write_text("states: [{id: working}, 5, {id: [x]}]\ntransitions: {a: b}\n", "utf-8")
    (broken / "rules" / "responses.yaml").write_text("responses: {{ x }}\n", "utf-8")
    assert ["working"] in list(enums(json.loads(own_schemas(read_bot(broken))["handlers"])))


def test_writing_is_deterministic_and_touches_only_what_changed(command: Run, small: Path) -> None:
    first = command("schema", "--write", cwd=small)
    assert first.returncode == 0
    written = {path.name: path.read_bytes() for path in (small / "schemas").iterdir()}
    assert set(written) == {path.name for path in resources.schemas().glob("*.json")}
    assert "schemas is up to date" in command("schema", "--write", cwd=small).stdout
    assert {path.name: path.read_bytes() for path in (small / "schemas").iterdir()} == written


def test_one_schema_is_printed(command: Run, small: Path) -> None:
    assert json.loads(command("schema", cwd=small).stdout)["title"] == "Handlers"
    assert json.loads(command("schema", "--kind", "states", cwd=small).stdout)["title"] == "State graph"
    wrong = command("schema", "--kind", "stats", cwd=small)
    assert wrong.returncode == 2
    assert "did you mean 'states'?" in wrong.stderr
    assert not (small / "schemas").exists()


def test_schemas_that_no_longer_fit_are_noticed(small: Path) -> None:
    def stale() -> list[str]:
        return [item.severity for item in check(small)[0] if item.code == "stale-schema"]

    responses = small / "rules" / "responses.yaml"
    assert stale() == []  # none were written
    write_schemas(read_bot(small))
    assert stale() == []
    text = responses.read_text("utf-8")
    responses.write_text(text.replace("Goodbye!", "See you!"), "utf-8")
    assert stale() == []  # what is said is not what it is called
    responses.write_text(text + "  another: text\n", "utf-8")
    assert stale() == ["info"]
    write_schemas(read_bot(small))
    assert stale() == []
    responses.write_text("responses: {{\n", "utf-8")
    assert stale() == []  # nobody knows which ids it holds
    responses.write_text(text + "  another: text\n", "utf-8")
    (small / "schemas" / "forms.json").unlink()
    assert stale() == ["info"]


def test_general_copies_are_not_stale(made: Path) -> None:
    assert (made / "schemas" / "handlers.json").is_file()
    assert check(made)[0] == ()


def test_the_general_schemas_of_the_checkout_are_never_overwritten() -> None:
    assert folder_of(ROOT) == ROOT / ".supportbot" / "schemas"


def test_every_place_of_an_id_is_named_in_the_general_schemas() -> None:
    """A new key that takes an id must say so, or editors cannot complete it."""
    kinds = set(known_ids(read_bot(ROOT)).by_kind)
    used = set()
    for path in resources.schemas().glob("*.json"):
        used |= set(re.findall(r'"x-(?:id|keys)-of": "(\w+)"', path.read_text("utf-8")))
    assert used <= kinds
    assert kinds - used == {"handler", "list"}  # the one is part of "rule", the other stands inside phrases
