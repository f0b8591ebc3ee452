"""Any LLM through litellm, made to keep its deadline and never to raise.

litellm is imported at the first question, in a thread: it takes seconds and 165 MB. Two variables are set
before, else the import fetches a price list from the network and reads a .env file of its own accord. Its
timeout is no deadline (a dripping body keeps it waiting) and its retries sleep as long as a server asks, so
both are done here, inside one ``asyncio.timeout`` over all attempts and fallbacks.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from supportbot.adapters.answer_text import clean
from supportbot.adapters.environment import expand
from supportbot.model.bot import ModelSettings
from supportbot.model.operations import Price
from supportbot.runtime.ports import ChatMessage, ModelAnswer

log = logging.getLogger("supportbot.model")

_PAUSE = 0.2  # seconds before the second attempt at a model, doubled for each further one
_SHARE = 0.6  # of the time left, for a model that another one follows: one that hangs must leave some to its fallback
_TOO_LITTLE = 0.05  # seconds left, in which no answer comes any more
_CHARS_PER_TOKEN = 6  # generous: an answer longer than this ignored max_tokens
_KEY_NAMES = {"together_ai": "TOGETHERAI_API_KEY", "google": "GEMINI_API_KEY"}


class LiteLLMModel:
    """The model and its fallbacks as the ``llm`` settings name them; keys come from ``environment``.

    ``price``: of every model; None takes what litellm knows, and nothing for a model that it does not know.
    """

    def __init__(self, settings: ModelSettings, environment: Mapping[str, str], price: Price | None = None) -> None:
        self._environment = environment
        self._loading: asyncio.Task[Any] | None = None
        self.configure(settings, price)

    def configure(self, settings: ModelSettings, price: Price | None) -> None:
        """Ask as these settings say from now on; a bot that was reloaded may name another model."""
        main, *fallbacks = (self._expanded(name) for name in (settings.model, *settings.fallbacks))
        self._settings, self._price = settings, price
        self._names = tuple(name for name in (main, *fallbacks) if name) if main else ()
        self._api_base = self._expanded(settings.api_base) or None

    @property
    def configured(self) -> bool:
        return bool(self._names)

    @property
    def loaded(self) -> bool:
        """Whether litellm is there; until then questions wait for it."""
        return self._loading is not None and self._loading.done()

    async def warm(self) -> None:
        """Import litellm ahead of the first question, when a model is configured at all."""
        if self.configured:
            await self._library()

    async def answer(self, messages: Sequence[ChatMessage]) -> ModelAnswer:
        if not self.configured:
            return ModelAnswer(error="off")
        prompt = [{"role": message.role, "content": message.content} for message in messages]
        try:
            async with asyncio.timeout(self._settings.deadline):
                library = await self._library()
                if library is None:
                    return ModelAnswer(error="off")
                return await self._ask_all(library, prompt)
        except TimeoutError:
            if not self.loaded:
                log.warning("litellm is still being loaded; nobody was asked")
                return ModelAnswer(error="off")
            log.warning("model %s gave no answer within %.1f s", self._names[0], self._settings.deadline)
            return ModelAnswer(error="timeout", model=self._names[0])

    async def close(self) -> None:
        if self._loading is None or not self._loading.done() or self._loading.result() is None:
            return
        # Only here: importing the module at the top would import litellm.
        cleanup = importlib.import_module("litellm.llms.custom_httpx.async_client_cleanup")
        try:
            await cleanup.close_litellm_async_clients()
        except Exception as failure:
            log.debug("closing the model's connections failed: %s", type(failure).__name__)

    # --- inside ------------------------------------------------------------------------------

    def _expanded(self, text: str) -> str:
        return (expand(text, self._environment) or "").strip()

    async def _library(self) -> Any:
        """The litellm module, or None when it cannot be imported. One import, however many wait and give up."""
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(_import_litellm))
        return await asyncio.shield(self._loading)

    async def _ask_all(self, library: Any, prompt: list[dict[str, str]]) -> ModelAnswer:
        """The first usable answer. A failure that came fast and may pass is tried again, then comes the next model.

        A model that is only slow needs the time itself: without a fallback it gets all that is left.
        """
        ends = asyncio.get_running_loop().time() + self._settings.deadline
        answer = ModelAnswer(error="failed")
        hopeless = ""
        for name, pause, has_fallback in self._attempts():
            if name == hopeless:
                continue
            await asyncio.sleep(pause)
            left = ends - asyncio.get_running_loop().time()
            if left < _TOO_LITTLE:
                break
            answer, may_pass = await self._ask(library, name, prompt, left * _SHARE if has_fallback else left)
            if not answer.error:
                return answer
            hopeless = "" if may_pass else name
        return answer

    def _attempts(self) -> Iterator[tuple[str, float, bool]]:
        """(model, seconds to wait before, whether another model follows), in order."""
        for position, name in enumerate(self._names, start=1):
            for attempt in range(max(1, self._settings.attempts)):
                pause = _PAUSE * 2 ** (attempt - 1) if attempt else 0.0
                yield name, pause, position < len(self._names)

    async def _ask(
        self, library: Any, name: str, prompt: list[dict[str, str]], seconds: float
    ) -> tuple[ModelAnswer, bool]:
        """One attempt: the answer, and whether asking the same model again may help."""
        try:
            async with asyncio.timeout(seconds):
                response = await library.acompletion(
                    model=name,
                    messages=prompt,
                    temperature=self._settings.temperature,
                    max_tokens=self._settings.max_tokens,
                    timeout=self._settings.deadline,  # always the same: litellm has a client for each value
                    max_retries=0,
                    num_retries=0,
                    drop_params=True,
                    api_base=self._api_base,
                    api_key=self._key(name),
                )
            answer = _read(response, name, self._settings.max_tokens * _CHARS_PER_TOKEN)
            answer = replace(answer, cost=self._cost(library, answer))
        except TimeoutError:
            log.warning("model %s gave no answer within %.1f s", name, seconds)
            return ModelAnswer(error="timeout", model=name), False
        except Exception as failure:
            status = _status(failure)
            # Never the exception's text: a 401 may quote the key, a 400 the prompt.
            log.warning("model %s failed: %s, status %s", name, type(failure).__name__, status)
            error = _error(failure, status)
            return ModelAnswer(error=error, model=name), error != "timeout" and _may_pass(status)
        return answer, False

    def _cost(self, library: Any, answer: ModelAnswer) -> float:
        if self._price is not None:
            return (answer.tokens_in * self._price.input + answer.tokens_out * self._price.output) / 1_000_000
        try:
            costs = library.cost_per_token(
                model=answer.model, prompt_tokens=answer.tokens_in, completion_tokens=answer.tokens_out
            )
            return float(sum(costs))
        except Exception:  # a model that litellm has no price for
            return 0.0

    def _key(self, name: str) -> str | None:
        """The key by its usual name; None lets litellm look."""
        return self._environment.get(key_name(name)) or None


def provider_of(name: str) -> str:
    """The provider that a model's name begins with; without one it is OpenAI's."""
    return name.split("/", 1)[0] if "/" in name else "openai"


def key_name(name: str) -> str:
    """The usual variable of the key of a model's provider, e.g. ANTHROPIC_API_KEY for ``anthropic/...``."""
    provider = provider_of(name)
    return _KEY_NAMES.get(provider, f"{provider.upper()}_API_KEY")


def _import_litellm() -> Any:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LITELLM_MODE"] = "PRODUCTION"
    try:
        library: Any = importlib.import_module("litellm")
    except Exception as failure:
        log.error("litellm cannot be imported (%s): install it with  pip install litellm", type(failure).__name__)
        return None
    library.suppress_debug_info = True
    library.telemetry = False
    library.turn_off_message_logging = True
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # they would log prompts and exception texts
    return library


def _read(response: Any, name: str, max_chars: int) -> ModelAnswer:
    """The answer out of litellm's response object, whatever a server put into it."""
    choices = getattr(response, "choices", None)
    message = getattr(choices[0], "message", None) if isinstance(choices, list) and choices else None
    content = getattr(message, "content", None)
    text = clean(content, max_chars) if isinstance(content, str) else ""
    usage = getattr(response, "usage", None)
    return ModelAnswer(
        text=text,
        model=name,
        tokens_in=_count(usage, "prompt_tokens"),
        tokens_out=_count(usage, "completion_tokens"),
        error="" if text else "empty",
    )


def _count(usage: Any, name: str) -> int:
    value = getattr(usage, name, 0)
    return max(0, value) if isinstance(value, int) else 0


def _status(failure: Exception) -> int | None:
    status = getattr(failure, "status_code", None)
    return status if isinstance(status, int) else None


def _error(failure: Exception, status: int | None) -> str:
    if status == 429:
        return "rate_limited"
    return "timeout" if status == 408 or "Timeout" in type(failure).__name__ else "failed"


def _may_pass(status: int | None) -> bool:
    return status is None or status in (408, 409, 425, 429) or status >= 500
