"""rules/responses.yaml: what the bot says, by language and channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Any

from supportbot.compiler.context import Context
from supportbot.compiler.nodes import named, section, texts, value_place
from supportbot.config.yaml_nodes import YamlMap
from supportbot.diagnostics import Place, did_you_mean
from supportbot.model.bot import Response, Wording
from supportbot.model.steps import Template

# Those that are served, and those that people write from through one of them.
CHANNELS = frozenset(
    {"chat", "salesiq", "whatsapp", "facebook", "instagram", "messenger", "telegram", "line", "wechat"}
)
Key = tuple[str | None, str | None]


def define_responses(documents: Sequence[YamlMap], context: Context) -> None:
    for document in documents:
        for name, _, place in named(section(document, "responses")):
            context.refs.define("response", name, place)


def compile_responses(documents: Sequence[YamlMap], languages: Sequence[str], context: Context) -> dict[str, Response]:
    made: dict[str, Response] = {}
    known = context.refs.known("response")
    for document in documents:
        node = section(document, "responses")
        for name, value, place in named(node):
            if node is not None and known.get(name) == place:
                wordings = _response(value, value_place(node, name), languages, context)
                if (None, None) not in wordings and isinstance(value, YamlMap):
                    hint = 'add text: "..." or variants: ["...", "..."]'
                    context.refs.error("empty-response", place, f"the response '{name}' has no text", hint)
                made[name] = Response(name, MappingProxyType(wordings), place)
    return made


def _response(value: Any, place: Place, languages: Sequence[str], context: Context) -> dict[Key, Wording]:
    if isinstance(value, str):
        return {(None, None): Wording((context.template(value, place),))}
    if not isinstance(value, YamlMap):
        return {}
    wordings = dict(_by_channel(value, None, Wording(()), context))
    node = section(value, "languages")
    for language, entry, at in named(node):
        if language not in languages and "settings" not in context.refs.lost:
            hint = f"add it to `languages` in supportbot.yaml, which has {', '.join(languages)}"
            context.refs.error("unknown-language", at, f"the bot does not speak '{language}'", hint)
        elif node is not None:
            own = None if language == languages[0] else language
            made = _by_channel(_as_map(entry, value_place(node, language)), own, Wording(()), context)
            wordings |= {key: wording for key, wording in made if wording.variants}
    return {key: wording for key, wording in wordings.items() if wording.variants}


def _by_channel(node: YamlMap, language: str | None, usual: Wording, context: Context) -> Iterator[tuple[Key, Wording]]:
    """The wording of one language, then those of its channels, which keep what they do not change."""
    usual = _wording(node, usual, context)
    yield (language, None), usual
    channels = section(node, "channels")
    for channel, entry, at in named(channels):
        if channels is not None and context.refs.identifier(channel, at, "channel"):
            if channel not in CHANNELS:
                message = f"there is no channel '{channel}': nobody ever gets this text"
                context.refs.warn("unknown-channel", at, message, did_you_mean(channel, CHANNELS))
            yield (language, channel), _wording(_as_map(entry, value_place(channels, channel)), usual, context)


def _wording(node: YamlMap, usual: Wording, context: Context) -> Wording:
    context.refs.only_one(node, "text", "variants", "response")
    variants = tuple(_templates(node, "text", context)) or tuple(_templates(node, "variants", context))
    suggestions = tuple(_templates(node, "suggestions", context))
    given = "suggestions" in node
    return Wording(variants or usual.variants, suggestions if given else usual.suggestions)


def _templates(node: YamlMap, key: str, context: Context) -> Iterator[Template]:
    return (context.template(value, place) for value, place in texts(node, key))


def _as_map(value: Any, place: Place) -> YamlMap:
    """``fr: "Bonjour"`` is short for ``fr: {text: "Bonjour"}``."""
    if isinstance(value, YamlMap):
        return value
    made = YamlMap(place)
    if isinstance(value, str):
        made["text"] = value
        made.values_at["text"] = place
    return made
