"""References to the environment, the .env file, and secrets that do not show themselves."""

from __future__ import annotations

import copy
import json
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.config.environment import Environment, MissingVariables, Secret, load, names_in
from supportbot.errors import SettingsError

WITH = Environment({"NAME": "value", "EMPTY": "", "MARKUP": "${NAME}"})


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("${NAME}", "value"),
        ("a ${NAME} b ${NAME}", "a value b value"),
        ("${NAME:-other}", "value"),
        ("${ABSENT:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${ABSENT:-}", ""),
        ("${ABSENT:-https://desk.example.com/api}", "https://desk.example.com/api"),
        ("${MARKUP}", "${NAME}"),
        ("$NAME {NAME} ${ NAME } ${} $", "$NAME {NAME} ${ NAME } ${} $"),
    ],
)
def test_expand(text: str, expanded: str) -> None:
    assert WITH.missing(text) == ()
    assert WITH.expand(text) == expanded


def test_missing_variables_are_named_once_each() -> None:
    assert WITH.missing("${B} ${A} ${B} ${NAME}", "${EMPTY} ${C:-x}") == ("B", "A", "EMPTY")
    with pytest.raises(MissingVariables, match="A, B") as caught:
        WITH.expand("${A} ${NAME} ${B}")
    assert caught.value.names == ("A", "B")
    assert caught.value.exit_code == 2
    assert "value" not in str(caught.value)


def test_names() -> None:
    assert names_in("${A} ${B:-x} ${A}") == ("A", "B")


@given(st.text(alphabet="${}:-AB_ x", max_size=30))
def test_expanding_any_text_ends_in_a_text_or_in_missing_names(text: str) -> None:
    missing = WITH.missing(text)
    assert set(missing) <= set(names_in(text))
    if missing:
        with pytest.raises(MissingVariables) as caught:
            WITH.expand(text)
        assert caught.value.names == missing
    elif not names_in(text):
        assert WITH.expand(text) == text


def test_an_environment_shows_no_values() -> None:
    assert "value" not in repr(WITH)
    secret = WITH.secret("NAME")
    assert secret is not None
    assert secret.reveal() == "value"
    assert WITH.secret("EMPTY") is None
    assert WITH.secret("ABSENT") is None


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("hunter2")
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!s:>20}", "%s %r" % (secret, secret), str([secret])):  # noqa: UP031
        assert "hunter2" not in shown
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)
    assert not hasattr(secret, "__dict__")


def test_secrets_compare_by_their_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("ä\ud800") != Secret("ä")
    assert not Secret("")


def test_the_real_environment_wins_over_the_file_and_nothing_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "SUPPORTBOT_A=file\nSUPPORTBOT_B='from file'\nexport SUPPORTBOT_C=ü\nSUPPORTBOT_D\n", "utf-8"
    )
    monkeypatch.setenv("SUPPORTBOT_A", "real")
    environment = load(tmp_path)
    assert environment.values["SUPPORTBOT_A"] == "real"
    assert environment.values["SUPPORTBOT_B"] == "from file"
    assert environment.values["SUPPORTBOT_C"] == "ü"
    assert "SUPPORTBOT_D" not in environment.values
    assert "SUPPORTBOT_B" not in os.environ


def test_without_a_file_the_real_environment_is_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPPORTBOT_A", "real")
    assert dict(load(tmp_path).values) == dict(os.environ)
    os.mkfifo(tmp_path / ".env")
    assert dict(load(tmp_path).values) == dict(os.environ)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe")
    with pytest.raises(SettingsError, match=r"\.env"):
        load(tmp_path)
