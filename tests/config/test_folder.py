"""The folder of a bot: which files are read, and what is said about the others."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supportbot import resources
from supportbot.config import disk
from supportbot.config.folder import BotFiles, find_bot, read_bot
from supportbot.errors import UsageError

FILES = {
    "supportbot.yaml": "name: Test\ndefault_category: other\n",
    "states.yaml": "initial: a\nstates: [{id: a}]\n",
    "handlers.yaml": "handlers: []\n",
    "rules/categories/b.yaml": "category: b\ntitle: B\n",
    "rules/categories/a.yaml": "category: a\ntitle: A\n",
    "rules/responses.yaml": "responses: {a: Hello}\n",
    "rules/responses/more.yaml": "responses: {b: Bye}\n",
    "rules/lists.yaml": "lists: {a: [b]}\n",
    "rules/forms.yaml": "forms: []\n",
    "rules/actions.yaml": "actions: []\n",
    "prompts/system.md.j2": "You are {{ bot.name }}.\n",
    "prompts/categories/a.md": "# A\n",
}


def bot(root: Path, files: Mapping[str, str | bytes] = FILES) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def findings(files: BotFiles) -> list[tuple[str, str, str]]:
    return [(item.severity, item.code, item.place.file) for item in files.diagnostics]


def test_all_named_files_are_read_in_a_fixed_order(tmp_path: Path) -> None:
    files = read_bot(bot(tmp_path))
    assert files.diagnostics == ()
    assert [(item.kind, item.file) for item in files.documents] == [
        ("settings", "supportbot.yaml"),
        ("states", "states.yaml"),
        ("handlers", "handlers.yaml"),
        ("responses", "rules/responses.yaml"),
        ("lists", "rules/lists.yaml"),
        ("forms", "rules/forms.yaml"),
        ("actions", "rules/actions.yaml"),
        ("category", "rules/categories/a.yaml"),
        ("category", "rules/categories/b.yaml"),
        ("responses", "rules/responses/more.yaml"),
    ]
    assert dict(files.prompts) == {"system.md.j2": "You are {{ bot.name }}.\n", "categories/a.md": "# A\n"}
    assert files.count == 12
    assert files.documents[0].data == {"name": "Test", "default_category": "other"}
    assert files.documents[0].source == FILES["supportbot.yaml"]


def test_the_starter_bot_is_whole() -> None:
    files = read_bot(resources.starter_bot())
    assert [item for item in files.diagnostics if item.severity == "error"] == []
    assert {item.kind for item in files.documents} >= {"settings", "states", "handlers", "category", "responses"}


def test_other_files_of_a_repository_are_left_alone(tmp_path: Path) -> None:
    root = bot(tmp_path)
    before = read_bot(root)
    bot(
        root,
        {
            "docker-compose.yaml": "a: [",
            "tests/conversations/a.yaml": "a: [",
            ".github/x.yaml": "a: [",
            "docs/a.yaml": "[",
        },
    )
    bot(
        root,
        {"rules/.hidden.yaml": "a: [", "prompts/.hidden.md": "x", "rules/README.md": "x", "data/sessions.db": b"\x00"},
    )
    assert read_bot(root) == before


def test_the_revision_follows_names_and_contents(tmp_path: Path) -> None:
    first = read_bot(bot(tmp_path / "a")).revision
    assert first == read_bot(bot(tmp_path / "b")).revision
    assert len(first) == 12
    assert int(first, 16) >= 0
    others = {
        read_bot(bot(tmp_path / "c", {**FILES, "rules/lists.yaml": "lists: {a: [c]}\n"})).revision,
        read_bot(bot(tmp_path / "d", {**FILES, "prompts/categories/a.md": "# B\n"})).revision,
        read_bot(bot(tmp_path / "e", {**FILES, "prompts/b.md": ""})).revision,
    }
    assert len(others | {first}) == 4


def test_missing_files(tmp_path: Path) -> None:
    files = read_bot(tmp_path)
    assert findings(files) == [
        ("error", "missing-file", "handlers.yaml"),
        ("error", "missing-file", "states.yaml"),
        ("error", "missing-file", "supportbot.yaml"),
    ]
    assert read_bot(tmp_path / "nowhere").documents == ()


def test_a_misspelt_file_is_named(tmp_path: Path) -> None:
    root = bot(tmp_path)
    (root / "handlers.yaml").rename(root / "handler.yml")
    (root / "rules/forms.yaml").rename(root / "rules/form.yaml")
    bot(root, {"rules/category/c.yaml": "a: 1", "rules/categories/d.yml": "a: 1", "rules/printing.yaml": "a: 1"})
    bot(root, {"prompts/picture.png": b"\xff"})
    found = {item.place.file: item for item in read_bot(root).diagnostics}
    assert {name: (item.severity, item.code) for name, item in found.items()} == {
        "handlers.yaml": ("error", "missing-file"),
        "prompts/picture.png": ("warning", "unknown-file"),
        "rules/categories/d.yml": ("warning", "unknown-file"),
        "rules/category": ("warning", "unknown-file"),
        "rules/form.yaml": ("warning", "unknown-file"),
        "rules/printing.yaml": ("warning", "unknown-file"),
    }
    assert "rename handler.yml" in found["handlers.yaml"].hint
    assert "rules/forms.yaml" in found["rules/form.yaml"].hint
    assert "rules/categories/printing.yaml" in found["rules/printing.yaml"].hint
    assert "rules/categories" in found["rules/category"].hint


def test_one_broken_file_does_not_hide_the_others(tmp_path: Path) -> None:
    broken: dict[str, str | bytes] = {
        "states.yaml": "a: [",
        "handlers.yaml": "handlrs: 1\n",
        "rules/forms.yaml": b"\xff",
        "rules/lists.yaml": "- a\n",
    }
    files = read_bot(bot(tmp_path, {**FILES, **broken, "rules/actions.yaml": "", "supportbot.yaml": "# nothing\n"}))
    assert findings(files) == [
        ("error", "unknown-key", "handlers.yaml"),
        ("warning", "empty-value", "rules/actions.yaml"),
        ("error", "not-utf8", "rules/forms.yaml"),
        ("error", "wrong-type", "rules/lists.yaml"),
        ("error", "yaml-syntax", "states.yaml"),
        ("error", "empty-value", "supportbot.yaml"),
    ]
    assert {item.file for item in files.documents} >= {"handlers.yaml", "rules/responses.yaml"}


def test_what_the_yaml_reader_refused_is_not_reported_twice(tmp_path: Path) -> None:
    text = "name: *x\ndefault_category: {{ name }}\n"
    files = read_bot(bot(tmp_path, {**FILES, "supportbot.yaml": text}))
    assert [item.code for item in files.diagnostics] == ["alias", "yaml-syntax"]


def test_a_prompt_that_is_no_text(tmp_path: Path) -> None:
    files = read_bot(bot(tmp_path, {**FILES, "prompts/a.md": b"ok \xff", "prompts/b.md": b"\x00"}))
    assert [(item.code, item.place.file) for item in files.diagnostics] == [
        ("not-utf8", "prompts/a.md"),
        ("control-character", "prompts/b.md"),
    ]
    assert "a.md" not in files.prompts


def test_links_out_of_the_folder_are_refused_and_links_inside_are_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("lists: {secret: [word]}\n")
    root = bot(tmp_path / "bot")
    (root / "rules/lists.yaml").unlink()
    (root / "rules/lists.yaml").symlink_to(secret)
    (root / "rules/forms.yaml").rename(root / "forms-v2.yaml")
    (root / "rules/forms.yaml").symlink_to("../forms-v2.yaml")
    (root / "rules/actions.yaml").unlink()
    (root / "rules/actions.yaml").symlink_to("actions.yaml")
    files = read_bot(root)
    assert [(item.code, item.place.file) for item in files.diagnostics] == [
        ("unreadable-file", "rules/actions.yaml"),
        ("outside-folder", "rules/lists.yaml"),
    ]
    assert "rules/forms.yaml" in [item.file for item in files.documents]
    assert "word" not in str(files)


def test_a_linked_folder_outside_and_a_linked_bot(tmp_path: Path) -> None:
    outside = bot(tmp_path / "outside", {"a.md": "secret"})
    root = bot(tmp_path / "bot", {name: text for name, text in FILES.items() if not name.startswith("prompts")})
    (root / "prompts").symlink_to(outside)
    files = read_bot(root)
    assert [(item.code, item.place.file) for item in files.diagnostics] == [("outside-folder", "prompts")]
    assert files.prompts == {}
    (root / "prompts").unlink()
    (tmp_path / "link").symlink_to(root)
    assert read_bot(tmp_path / "link").documents == read_bot(root).documents


def test_links_in_circles_end(tmp_path: Path) -> None:
    root = bot(tmp_path)
    (root / "prompts/loop").symlink_to(root / "prompts")
    (root / "prompts/self.md").symlink_to("self.md")
    assert [(item.code, item.place.file) for item in read_bot(root).diagnostics] == [
        ("unknown-file", "prompts/loop"),
        ("unreadable-file", "prompts/self.md"),
    ]


def test_pipes_and_folders_in_place_of_files(tmp_path: Path) -> None:
    root = bot(tmp_path)
    for name in ("rules/lists.yaml", "rules/forms.yaml"):
        (root / name).unlink()
    os.mkfifo(root / "rules/lists.yaml")
    (root / "rules/forms.yaml").mkdir()
    (root / "rules/categories/x.yaml").mkdir()
    assert [(item.code, item.place.file) for item in read_bot(root).diagnostics] == [
        ("unknown-file", "rules/categories/x.yaml"),
        ("not-a-file", "rules/forms.yaml"),
        ("not-a-file", "rules/lists.yaml"),
    ]


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    root = bot(tmp_path, {name: text for name, text in FILES.items() if not name.startswith("prompts")})
    (root / "prompts").write_text("x")
    assert [(item.code, item.place.file) for item in read_bot(root).diagnostics] == [("not-a-folder", "prompts")]


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "MAX_BYTES", 1000)
    files = read_bot(bot(tmp_path, {**FILES, "prompts/a.md": "x" * 1001, "rules/lists.yaml": "# " + "x" * 1000}))
    assert [(item.code, item.place.file) for item in files.diagnostics] == [
        ("file-too-large", "prompts/a.md"),
        ("file-too-large", "rules/lists.yaml"),
    ]


def test_names_that_are_not_utf8_can_be_printed(tmp_path: Path) -> None:
    root = bot(tmp_path)
    with open(os.fsencode(root) + b"/rules/categories/\xff.yaml", "w") as file:
        file.write("category: c\ntitel: C\n")
    files = read_bot(root)
    assert [item.code for item in files.diagnostics] == ["unknown-key"]
    "".join(f"{item}" for item in files.diagnostics).encode("utf-8")


def test_find_bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = bot(tmp_path / "bot").resolve()
    assert find_bot(root) == root
    assert find_bot(root / "rules" / "categories") == root
    assert find_bot(root / "supportbot.yaml") == root
    monkeypatch.chdir(root / "prompts")
    assert find_bot(None) == root
    for path in (tmp_path / "nowhere", Path("a\0b")):
        with pytest.raises(UsageError):
            find_bot(path)


def test_find_bot_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no supportbot\.yaml"):
        find_bot(tmp_path)


CONTENT = st.one_of(
    st.binary(max_size=60),
    st.text(alphabet="ab: -[]{}\n#&*'\"|>", max_size=60).map(str.encode),
    st.sampled_from([text.encode() for text in FILES.values()]),
)


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(sorted(FILES)), CONTENT))
def test_reading_never_raises(contents: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = read_bot(bot(Path(folder), contents))
    assert files.count == len(contents)
    for item in files.diagnostics:
        assert item.message
        assert item.place.file in FILES
