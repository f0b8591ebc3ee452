"""A request and its turn as spans: names, times and attributes, by the conventions of OpenTelemetry.

Nothing here needs OpenTelemetry. What a visitor or the bot said is left out unless ``content`` asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from supportbot.adapters.environment import expand
from supportbot.adapters.litellm_model import provider_of
from supportbot.decision.conclude import GREETING
from supportbot.model.bot import Bot
from supportbot.model.decision import CallModel, Outcome
from supportbot.runtime.masking import mask
from supportbot.runtime.results import TurnResult

Value = str | int | float
Attributes = dict[str, Value]

NOT_ASKED = frozenset({"off", "spent", "paused", "busy", "pending"})  # outcomes without a call that ended
TEXT_CHARS = 4_000  # of one text, where texts are told at all
NAME_CHARS = 200
NS = 1_000_000_000

# litellm's names of providers that the conventions call otherwise.
PROVIDERS = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}


@dataclass(slots=True)
class Request:
    """A request and what became of it. Times are nanoseconds of the epoch, 0 for not yet; ``status`` as well.

    A turn that failed has ``failure``, the name of its exception's class, and no ``result``.
    """

    method: str
    route: str
    traceparent: str
    request_id: str
    started: int
    ended: int = 0
    status: int = 0
    decided: int = 0
    channel: str = ""
    failure: str = ""
    bot: Bot | None = None
    result: TurnResult | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """``error``: what kind of error it ended with; empty when it ended well. Times are nanoseconds of the epoch."""

    name: str
    kind: Literal["server", "client", "internal"]
    start: int
    end: int
    attributes: Attributes
    error: str = ""
    children: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnSpans:
    """Makes the spans. ``environment`` gives the values of ``${NAME}`` in names and addresses."""

    environment: Mapping[str, str]
    content: bool = False

    def of(self, request: Request) -> Span:
        """The request with its turn: stages, questions to the model and calls of actions below it."""
        bot, result = request.bot, request.result
        attributes: Attributes = {
            "http.request.method": request.method,
            "http.route": request.route,
            "url.path": request.route,
            "url.scheme": "http",
            "supportbot.request_id": request.request_id,
        }
        if request.status:
            attributes["http.response.status_code"] = request.status
        error = request.failure or (str(request.status) if request.status >= 500 else "")
        children: tuple[Span, ...] = ()
        if bot is not None and result is not None:
            attributes |= _turn(result, self.content)
            children = tuple(self._inside(bot, result, request))
        elif request.channel:
            attributes["supportbot.channel"] = request.channel
        end = request.ended or request.decided
        return _span(f"{request.method} {request.route}", "server", request.started, end, attributes, error, children)

    def _inside(self, bot: Bot, result: TurnResult, request: Request) -> Iterator[Span]:
        begin = moment = _begin(result, request)
        waited: list[Span] = []
        for stage, seconds in result.stages:
            end = moment + _ns(seconds)
            if stage == "effects":
                below, waited = self._effects(bot, result, begin, moment, end)
            else:
                below = []
            if stage != "effects" or result.outcomes:
                yield _span(stage, "internal", moment, end, {}, "", tuple(below))
            moment = end
        yield from waited

    def _effects(
        self, bot: Bot, result: TurnResult, begin: int, moment: int, end: int
    ) -> tuple[list[Span], list[Span]]:
        """What was asked within the stage, one after the other; and the calls that the reply waited for after it."""
        within: list[Span] = []
        waited: list[Span] = []
        for outcome in result.outcomes:
            if outcome.error in NOT_ASKED:
                continue
            length = _ns(outcome.elapsed)
            if isinstance(outcome.effect, CallModel) or moment + length <= end:
                within.append(self._call(bot, result, outcome, moment, min(moment + length, end)))
                moment += length
            else:  # queued when the turn began, and ended in time
                waited.append(self._call(bot, result, outcome, begin, begin + length))
        return within, waited

    def _call(self, bot: Bot, result: TurnResult, outcome: Outcome, start: int, end: int) -> Span:
        if isinstance(outcome.effect, CallModel):
            attributes = self._question(bot, result, outcome)
            name = f"chat {attributes.get('gen_ai.request.model', '')}".rstrip()
        else:
            attributes = self._action(bot, outcome.effect.action)
            name = f"{attributes['http.request.method']} {attributes.get('url.template', '')}".rstrip()
        return _span(name, "client", start, end, attributes, outcome.error)

    def _question(self, bot: Bot, result: TurnResult, outcome: Outcome) -> Attributes:
        """The model that the settings name was asked; the one that answered may be a fallback."""
        settings = bot.settings.llm
        asked = (expand(settings.model, self.environment) or "").strip() or outcome.model
        attributes: Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _provider(outcome.model or asked),
            "gen_ai.conversation.id": result.session.id,
            "gen_ai.request.max_tokens": settings.max_tokens,
            "gen_ai.request.temperature": settings.temperature,
        }
        if asked:
            attributes["gen_ai.request.model"] = _model(asked)
        if outcome.model and (outcome.ok or outcome.tokens_out):
            attributes["gen_ai.response.model"] = _model(outcome.model)
        if outcome.tokens_in or outcome.tokens_out:
            attributes["gen_ai.usage.input_tokens"] = outcome.tokens_in
            attributes["gen_ai.usage.output_tokens"] = outcome.tokens_out
        if outcome.cost:
            attributes["supportbot.cost"] = outcome.cost
        attributes |= _server(expand(settings.api_base, self.environment) or "")
        if self.content:
            said = result.record.text if result.record is not None else ""
            attributes["gen_ai.input.messages"] = _messages("user", said)
            if outcome.ok:
                attributes["gen_ai.output.messages"] = _messages("assistant", mask(outcome.text))
        return attributes

    def _action(self, bot: Bot, name: str) -> Attributes:
        action = bot.actions.get(name)
        if action is None:  # the bot was exchanged meanwhile
            return {"http.request.method": "_OTHER", "supportbot.action": name}
        attributes: Attributes = {
            "http.request.method": action.method,
            "url.template": action.path.source[:NAME_CHARS],  # as it is written: no visitor's value is in it
            "supportbot.action": action.id,
            "supportbot.connection": action.connection,
        }
        connection = bot.connections.get(action.connection)
        address = expand(connection.base_url, self.environment) if connection is not None else None
        return attributes | _server(address or "")


def _turn(result: TurnResult, content: bool) -> Attributes:
    decision, record = result.decision, result.record
    attributes: Attributes = {
        "gen_ai.conversation.id": result.session.id,
        "supportbot.revision": result.revision,
        "supportbot.channel": result.session.channel,
        "supportbot.handler": decision.handler if decision else GREETING,
        "supportbot.kind": decision.kind if decision else "",
        "supportbot.category": decision.category if decision else result.session.category,
        "supportbot.state": record.state if record else "",
        "supportbot.next_state": result.session.state,
        "supportbot.turn": result.session.turns,
    }
    if content and record is not None:  # a record's texts are masked
        attributes["supportbot.message"] = record.text[:TEXT_CHARS]
        attributes["supportbot.reply"] = record.reply[:TEXT_CHARS]
    return {name: value for name, value in attributes.items() if value != ""}


def _begin(result: TurnResult, request: Request) -> int:
    """When the turn's stages began: as its record says, unless that cannot be (a clock was set meanwhile)."""
    latest = max(request.started, request.decided - _ns(sum(seconds for _, seconds in result.stages)))
    if result.record is None:
        return latest
    return min(max(int(result.record.at.timestamp() * NS), request.started), latest)


def _span(
    name: str,
    kind: Literal["server", "client", "internal"],
    start: int,
    end: int,
    attributes: Attributes,
    error: str,
    children: tuple[Span, ...] = (),
) -> Span:
    if error:
        attributes["error.type"] = error
    return Span(name[:NAME_CHARS], kind, start, max(start, end), attributes, error, children)


def _ns(seconds: float) -> int:
    return int(seconds * NS)


def _provider(name: str) -> str:
    provider = provider_of(name)
    return PROVIDERS.get(provider, provider)


def _model(name: str) -> str:
    """The model's own name: litellm's begins with the provider."""
    return name.split("/", 1)[-1]


def _server(address: str) -> Attributes:
    try:
        parts = urlsplit(address)
        port = parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        return {}
    return {"server.address": parts.hostname, "server.port": port} if parts.hostname else {}


def _messages(role: str, text: str) -> str:
    message: dict[str, object] = {"role": role, "parts": [{"type": "text", "content": text[:TEXT_CHARS]}]}
    if role == "assistant":
        message["finish_reason"] = "unknown"  # required by the conventions; the port to models does not tell it
    return json.dumps([message], ensure_ascii=False)
