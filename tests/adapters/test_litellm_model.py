"""The model adapter against a real server, through litellm's own client: whatever it does, an answer in time."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import web
from tests.adapters.openai_server import OpenAIServer

from supportbot.adapters import litellm_model
from supportbot.adapters.answer_text import clean
from supportbot.adapters.litellm_model import LiteLLMModel
from supportbot.model.bot import ModelSettings
from supportbot.model.operations import Price
from supportbot.runtime.ports import ChatMessage, ModelAnswer

ROOT = Path(__file__).parents[2]
KEY = "sk-canary-0123456789abcdef"
PROMPT = (ChatMessage("system", "Be brief."), ChatMessage("user", "my printer is offline"))


def settings(**changes: object) -> ModelSettings:
    values: dict[str, object] = {
        "model": "${MODEL:-openai/test}",
        "fallbacks": (),
        "api_base": "${BASE}",
        "deadline": 20.0,
        "attempts": 1,
        "max_tokens": 50,
        "prompt_tokens": 1000,
        "temperature": 0.2,
        "history": 4,
        "system": None,
        "answered": (),
        "unavailable": (),
        "requests": {},
    }
    return ModelSettings(**{**values, **changes})  # type: ignore[arg-type]


def ask(server: OpenAIServer, environment: Mapping[str, str] | None = None, **changes: object) -> ModelAnswer:
    """One question. litellm is imported before the deadline begins, as ``serve`` does it."""

    async def asked() -> ModelAnswer:
        async with server.running():
            model = LiteLLMModel(
                settings(**changes), {"BASE": server.base, "OPENAI_API_KEY": KEY, **(environment or {})}
            )
            try:
                await model.warm()
                return await model.answer(PROMPT)
            finally:
                await model.close()

    return asyncio.run(asked())


def test_an_answer_comes_with_its_model_and_tokens() -> None:
    server = OpenAIServer("ok")
    answer = ask(server)
    assert answer == ModelAnswer("Restart the printer.", "openai/test", 12, 5, "")
    assert server.asked[0]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "my printer is offline"},
    ]
    assert (server.asked[0]["max_tokens"], server.asked[0]["temperature"]) == (50, 0.2)
    assert server.keys == [f"Bearer {KEY}"]


def test_questions_share_a_connection() -> None:
    ports: set[int] = set()

    class Counting(OpenAIServer):
        async def _ok(self, request: web.Request) -> web.Response:
            assert request.transport is not None
            ports.add(request.transport.get_extra_info("peername")[1])
            return await super()._ok(request)

    async def run() -> None:
        server = Counting("ok")
        async with server.running():
            model = LiteLLMModel(settings(), {"BASE": server.base, "OPENAI_API_KEY": KEY})
            try:
                for _ in range(6):
                    assert (await model.answer(PROMPT)).error == ""
            finally:
                await model.close()
        assert len(server.asked) == 6
        assert len(ports) == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("rate_limited", "rate_limited"),
        ("broken", "failed"),
        ("unauthorized", "failed"),
        ("garbage", "failed"),
        ("html", "failed"),
        ("wrong_types", "failed"),
        ("no_choices", "empty"),
        ("null_content", "empty"),
        ("blank", "empty"),
    ],
)
def test_a_bad_answer_is_an_error_and_never_raises(mode: str, error: str) -> None:
    answer = ask(OpenAIServer(mode))
    assert (answer.error, answer.text) == (error, "")


@pytest.mark.parametrize("mode", ["hang", "drip"])
def test_a_body_that_never_ends_is_cut_off_at_the_deadline(mode: str) -> None:
    answer = ask(OpenAIServer(mode), deadline=0.5)
    assert answer.error == "timeout"


def test_a_slow_model_has_the_whole_deadline_however_many_attempts_there_are(caplog: pytest.LogCaptureFixture) -> None:
    """It hangs: were the deadline divided, it would be asked again."""
    server = OpenAIServer("hang", "ok")
    assert ask(server, deadline=1.0, attempts=3).error == "timeout"
    assert len(server.asked) == 1
    lines = [record.getMessage() for record in caplog.records if record.name == "supportbot.model"]
    assert len(lines) == 1
    assert "openai/test gave no answer within" in lines[0]


def test_a_hanging_model_leaves_time_for_its_fallback() -> None:
    server = OpenAIServer("hang", "ok")
    answer = ask(server, deadline=6.0, attempts=2, fallbacks=("openai/second",))
    assert (answer.text, answer.model) == ("Restart the printer.", "openai/second")
    assert len(server.asked) == 2


@pytest.mark.parametrize("mode", ["rate_limited", "broken"])
def test_a_failure_that_may_pass_is_tried_again_by_us_alone(mode: str) -> None:
    server = OpenAIServer(mode, mode, "ok")
    assert ask(server, attempts=2).error != ""
    assert len(server.asked) == 2, "litellm must not retry on top"
    assert ask(OpenAIServer(mode, "ok"), attempts=2).text == "Restart the printer."


def test_a_wrong_key_is_not_tried_again_but_the_fallback_is() -> None:
    server = OpenAIServer("unauthorized", "ok")
    answer = ask(server, attempts=3, fallbacks=("openai/second",))
    assert (answer.text, answer.model) == ("Restart the printer.", "openai/second")
    assert [body["model"] for body in server.asked] == ["test", "second"]


def test_fallbacks_are_asked_in_their_order() -> None:
    server = OpenAIServer("broken")
    ask(server, attempts=2, fallbacks=("openai/second", "openai/third"))
    assert [body["model"] for body in server.asked] == ["test", "test", "second", "second", "third", "third"]


def test_a_key_in_an_error_stays_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ask(OpenAIServer("unauthorized"))
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("supportbot", "LiteLLM"))]
    assert any("AuthenticationError" in line for line in ours)
    assert not any(KEY in line for line in ours)


def test_an_endless_answer_is_cut_at_a_word() -> None:
    text = ask(OpenAIServer("huge"), max_tokens=10).text
    assert len(text) <= 60
    assert text.endswith("word…")


def test_control_and_direction_characters_are_taken_out() -> None:
    assert ask(OpenAIServer("tricky")).text == "Go on[31m now\nplease !"


def test_joiners_of_emoji_and_scripts_stay() -> None:
    assert clean("a \u200d👩\u200d💻 نمی\u200cخواهم", 100) == "a \u200d👩\u200d💻 نمی\u200cخواهم"


def test_nobody_listens() -> None:
    async def asked() -> ModelAnswer:
        async with OpenAIServer().running() as server:
            base = server.base
        model = LiteLLMModel(settings(deadline=5.0), {"BASE": base, "OPENAI_API_KEY": KEY})
        try:
            await model.warm()
            return await model.answer(PROMPT)
        finally:
            await model.close()

    assert asyncio.run(asked()).error == "failed"


def test_while_the_library_is_loaded_nobody_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = threading.Event()
    monkeypatch.setattr(litellm_model, "_import_litellm", lambda: loaded.wait(20) and None)

    async def asked() -> ModelAnswer:
        model = LiteLLMModel(settings(deadline=0.05), {"BASE": "http://127.0.0.1:9"})
        try:
            return await model.answer(PROMPT)
        finally:
            loaded.set()
            await model.close()

    assert asyncio.run(asked()).error == "off"


def test_without_a_model_nothing_is_imported_and_the_answer_is_off() -> None:
    program = (
        "import asyncio, sys\n"
        "from tests.adapters.test_litellm_model import LiteLLMModel, PROMPT, settings\n"
        "model = LiteLLMModel(settings(model='${SUPPORTBOT_LLM_MODEL:-}'), {})\n"
        "print(model.configured, asyncio.run(model.answer(PROMPT)).error, 'litellm' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["False", "off", "False"]


def test_a_model_that_names_a_missing_variable_is_off() -> None:
    model = LiteLLMModel(settings(model="${NOT_SET}", fallbacks=("openai/second",)), {})
    assert not model.configured
    assert asyncio.run(model.answer(PROMPT)).error == "off"
    asyncio.run(model.close())


def test_many_questions_at_once_import_litellm_once_and_all_get_an_answer() -> None:
    async def asked() -> list[ModelAnswer]:
        async with OpenAIServer("ok").running() as server:
            model = LiteLLMModel(settings(), {"BASE": server.base, "OPENAI_API_KEY": KEY})
            try:
                return await asyncio.gather(*(model.answer(PROMPT) for _ in range(10)))
            finally:
                await model.close()

    assert [answer.text for answer in asyncio.run(asked())] == ["Restart the printer."] * 10


def test_a_declared_price_makes_the_cost() -> None:
    async def run() -> None:
        server = OpenAIServer("ok")
        async with server.running():
            environment = {"BASE": server.base, "OPENAI_API_KEY": KEY}
            model = LiteLLMModel(settings(), environment, Price(input=1_000_000, output=10_000))
            await model.warm()
            assert (await model.answer(PROMPT)).cost == pytest.approx(12 * 1.0 + 5 * 0.01)
            await model.close()

    asyncio.run(run())


def test_other_settings_hold_from_the_next_question_on() -> None:
    async def run() -> None:
        server = OpenAIServer("ok")
        async with server.running():
            model = LiteLLMModel(settings(model=""), {"BASE": server.base, "OPENAI_API_KEY": KEY})
            assert not model.configured
            model.configure(settings(model="openai/other"), None)
            assert model.configured
            await model.warm()
            assert (await model.answer(PROMPT)).model == "openai/other"
            await model.close()

    asyncio.run(run())
