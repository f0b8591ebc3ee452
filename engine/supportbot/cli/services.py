"""What ``supportbot doctor`` reads out of the bot and the environment: variables, model, connections, SalesIQ.

Names only: no value of a variable gets into a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from supportbot.adapters.environment import expand
from supportbot.adapters.litellm_model import key_name, provider_of
from supportbot.adapters.requests import missing_of, missing_of_connection
from supportbot.cli.examining import Finding, Status
from supportbot.cli.output import plural
from supportbot.cli.surroundings import connection_off
from supportbot.config.environment import Environment, names_in, references
from supportbot.config.folder import Document
from supportbot.config.yaml_nodes import YamlList, YamlMap
from supportbot.diagnostics import Place
from supportbot.errors import SettingsError
from supportbot.model.bot import Bot
from supportbot.server.salesiq_channel import read_channel

_READ_IN = ("settings", "actions")  # kinds of files whose texts read the environment
# Providers that refuse every question without a key.
_NEED_KEY = frozenset(
    (
        *("anthropic", "cohere", "deepseek", "fireworks_ai", "gemini", "groq", "mistral", "openai", "openrouter"),
        *("perplexity", "together_ai", "xai"),
    )
)
_LISTED = 3  # actions in a line; the connections show all of them
_WITHOUT = {
    "llm.model": "no model is asked",
    "llm.api_base": "the provider's own address is asked",
    "alerts.webhook": "nobody is alerted",
    "channels.salesiq.department": "hand-overs go to all departments",
}


@dataclass(slots=True)
class _Named:
    """Where a variable is named, and whether something stands in for it."""

    default: bool
    needed: bool
    places: list[tuple[str, Place]] = field(default_factory=list)


def variables(documents: Iterable[Document], bot: Bot | None, environment: Mapping[str, str]) -> Iterator[Finding]:
    """A line for each ``${NAME}`` of the bot's YAML, in the order of the files."""
    found: dict[str, _Named] = {}
    for document in documents:
        if document.kind in _READ_IN:
            for key, text, place in _texts(document.data, "", document.data.place):
                needed = Environment({}).missing(text)
                for name, default in references(text).items():
                    known = found.setdefault(name, _Named(False, False))
                    known.default |= bool(default)
                    known.needed |= name in needed
                    known.places.append((key, place))
    for name, named in found.items():
        status, text = _variable(name, named, bot, environment)
        yield Finding("variables", name, status, text)


def _texts(node: object, key: str, place: Place) -> Iterator[tuple[str, str, Place]]:
    """(path of keys, text, place) of all texts below a node."""
    if isinstance(node, str):
        yield key, node, place
    elif isinstance(node, YamlMap):
        for name, value in node.items():
            yield from _texts(value, f"{key}.{name}" if key else name, node.values_at.get(name, place))
    elif isinstance(node, YamlList):
        for value, at in zip(node, node.items_at, strict=False):
            yield from _texts(value, key, at)


def _variable(name: str, named: _Named, bot: Bot | None, environment: Mapping[str, str]) -> tuple[Status, str]:
    key, place = named.places[0]
    where = f"{place.file}:{place.line}"
    if value := environment.get(name):
        if value != value.strip():
            return "note", f"{name} is set, but begins or ends with a blank ({where})"
        return "ok", f"{name} is set"
    if not named.needed:
        if named.default:
            return "ok", f"{name} is not set, its default counts ({where})"
        return "note", f"{name} is not set: {_WITHOUT.get(key, f'{key} stays empty')} ({where})"
    off = [f"'{action}'" for action in _needing(name, bot, environment)]
    if off:
        more = f" and {plural(len(off) - _LISTED, 'more action')}" if len(off) > _LISTED else ""
        return "note", f"{name} is missing, off: {', '.join(off[:_LISTED])}{more} ({where})"
    connections = [f"'{one}'" for one in _connections_needing(name, bot, environment)]
    if connections:
        return "note", f"{name} is missing: the connection {', '.join(connections)} is off ({where})"
    return "note", f"{name} is missing: {key} stays without a value ({where})"


def _needing(name: str, bot: Bot | None, environment: Mapping[str, str]) -> list[str]:
    actions = bot.actions.values() if bot is not None else ()
    return [action.id for action in actions if bot is not None and name in missing_of(bot, action, environment)]


def _connections_needing(name: str, bot: Bot | None, environment: Mapping[str, str]) -> list[str]:
    connections = bot.connections.values() if bot is not None else ()
    return [one.id for one in connections if name in missing_of_connection(one, environment)]


# --- the model ------------------------------------------------------------------------------


def model(bot: Bot, environment: Mapping[str, str]) -> Iterator[Finding]:
    """The model and its fallbacks: named, and able to sign in as far as can be told without asking."""
    settings = bot.settings.llm
    names = [(expand(name, environment) or "").strip() for name in (settings.model, *settings.fallbacks)]
    if not names[0]:
        wanted = names_in(settings.model)
        hint = f": set {', '.join(wanted)}" if wanted else ": name one in llm.model"
        yield Finding("model", "llm", "note", f"no model is configured, the rules answer alone{hint}")
        return
    address = bool((expand(settings.api_base, environment) or "").strip())
    for name in filter(None, names):
        yield _key_of(name, address, environment)


def _key_of(name: str, address: bool, environment: Mapping[str, str]) -> Finding:
    key = key_name(name)
    if environment.get(key):
        return Finding("model", name, "ok", f"{name}, {key} is set")
    if provider_of(name) in _NEED_KEY and not address:
        text = f"{name} cannot be asked: {key} is not set"
        return Finding("model", name, "failed", text, f"set {key}, or leave the model's name empty")
    return Finding("model", name, "note", f"{name} without {key}: fine where it needs no key; --online shows it")


# --- connections ----------------------------------------------------------------------------


def connections(bot: Bot, environment: Mapping[str, str]) -> Iterator[Finding]:
    """A line for each connection, and one for each of its actions that is off, with the reason."""
    for name, connection in bot.connections.items():
        off = connection_off(bot, name, environment)
        base = expand(connection.base_url, environment)
        if base is not None and not _is_address(base):
            named = names_in(connection.base_url)
            where = f"{connection.place.file}:{connection.place.line}"
            remedy = f"set {', '.join(named)} right" if named else f"mend base_url in {where}"
            text = f"the base URL of '{name}' is no http or https address"
            yield Finding("connections", name, "failed", text, remedy)
        elif off:
            yield Finding("connections", name, "note", off)
        else:
            number = sum(action.connection == name for action in bot.actions.values())
            yield Finding("connections", name, "ok", f"'{name}' has all that it needs: {plural(number, 'action')}")
        for action in bot.actions.values():
            missing = missing_of(bot, action, environment) if action.connection == name else ()
            if missing:
                text = f"the action '{action.id}' is off: {', '.join(missing)} not set"
                yield Finding("connections", f"{name}/{action.id}", "note", text)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


# --- SalesIQ --------------------------------------------------------------------------------


def salesiq(bot: Bot, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Who may call the webhook, and whether late answers can be delivered."""
    settings = bot.settings.salesiq
    try:
        channel = read_channel(settings, Environment(environment))
    except SettingsError as problem:
        remedy = "the server does not start until this is mended"
        yield Finding("salesiq", "keys", "failed", str(problem), remedy)
        return
    if channel.keys:
        yield Finding("salesiq", "keys", "ok", "calls of the webhook must be signed by SalesIQ, and the keys are good")
    elif channel.token:
        yield Finding("salesiq", "keys", "ok", "calls of the webhook need the token in its address")
    else:
        hint = _hint((*settings.public_keys, settings.token), "channels.salesiq.public_keys")
        yield Finding("salesiq", "keys", "note", f"anybody who knows the webhook's address can call it: {hint}")
    yield _late_answers(bot, environment)


def _late_answers(bot: Bot, environment: Mapping[str, str]) -> Finding:
    settings = bot.settings.salesiq
    connection = bot.connections.get(settings.connection)
    if connection is not None:
        missing = missing_of_connection(connection, environment)
    else:
        texts = (settings.server, settings.screenname, settings.access_token)
        missing = Environment(environment).missing(*texts)
        if not missing and not all((expand(text, environment) or "").strip() for text in texts):
            missing = tuple(names_in(" ".join(texts))) or ("channels.salesiq.connection",)
    if missing:
        text = f"late answers wait for the visitor's next message: set {', '.join(missing)}"
        return Finding("salesiq", "late answers", "note", text)
    return Finding("salesiq", "late answers", "ok", "late answers are delivered as soon as they are there")


def _hint(texts: Sequence[str], otherwise: str) -> str:
    names = [name for text in texts for name in names_in(text)]
    return f"set {' or '.join(dict.fromkeys(names))}" if names else f"see {otherwise}"
