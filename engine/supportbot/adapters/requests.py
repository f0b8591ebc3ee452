"""Declared calls as HTTP requests: templates rendered, variables put in. Nothing is sent here."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from yarl import URL

from supportbot.adapters.environment import expand, missing_names
from supportbot.decision.render import render
from supportbot.model.bot import Action, BodyMap, Bot, Connection
from supportbot.model.chains import chain_of
from supportbot.model.connections import BasicAuth, HeaderAuth, OAuth
from supportbot.model.steps import Template


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its access token. ``body`` is JSON-like, or the fields of a form; None for none."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: Any
    form: bool


def missing_of(bot: Bot, action: Action, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Variables without which an action, or one that it needs, cannot be called."""
    names: list[str] = []
    for name in _needed(bot, action):
        part = bot.actions[name]
        connection = bot.connections[part.connection]
        texts = [*connection.texts, *(template.source for template in _templates(part))]
        for text in texts:
            names += missing_names(text, environment)
        names += _missing_oauth(connection, environment)
    return tuple(dict.fromkeys(names))


def _needed(bot: Bot, action: Action) -> Iterator[str]:
    for name in chain_of(action, bot.actions) or ():
        yield name
        reconcile = bot.actions[name].reconcile
        if reconcile is not None:
            yield reconcile.action


def missing_of_connection(connection: Connection, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The same for a connection alone."""
    names = [name for text in connection.texts for name in missing_names(text, environment)]
    return tuple(dict.fromkeys([*names, *_missing_oauth(connection, environment)]))


def build_request(
    connection: Connection, action: Action, scope: Mapping[str, Any], environment: Mapping[str, str]
) -> Request:
    """Raises ValueError for an address that is none."""
    base = (expand(connection.base_url, environment) or "").rstrip("/")
    path = _rendered(action.path, _quoted(scope), environment).strip().lstrip("/")
    query = [(name, _rendered(value, scope, environment)) for name, value in action.query]
    tail = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query if value)
    url = URL(f"{base}/{path}{'?' if tail else ''}{tail}", encoded=True)  # as quoted: nothing is decoded afterwards
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("the base URL is no http address")
    body = None if action.body is None else _body(action.body, scope, environment)
    if action.form and isinstance(body, dict):
        body = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in body.items()}
    return Request(action.method, url, connection_headers(connection, environment), body, action.form)


def _missing_oauth(connection: Connection, environment: Mapping[str, str]) -> tuple[str, ...]:
    auth = connection.auth
    if not isinstance(auth, OAuth):
        return ()
    missing = [name for text in auth.texts for name in missing_names(text, environment)]
    return () if not missing or expand(auth.token, environment) else tuple(missing)


def connection_headers(connection: Connection, environment: Mapping[str, str]) -> dict[str, str]:
    """All headers but that of OAuth. One without a value is left out: a placeholder misleads more than none."""
    made = {name: expand(value, environment) or "" for name, value in connection.headers.items()}
    auth = connection.auth
    if connection.bearer is not None:
        made["Authorization"] = f"Bearer {expand(connection.bearer, environment)}"
    if isinstance(auth, HeaderAuth):
        made[auth.name] = expand(auth.value, environment) or ""
    if isinstance(auth, BasicAuth):
        pair = f"{expand(auth.user, environment)}:{expand(auth.password, environment)}"
        made["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return {name: value for name, value in made.items() if value}


def _templates(action: Action) -> Iterator[Template]:
    yield action.path
    yield from (value for _, value in action.query)
    yield from _in_tree(action.body)


def _in_tree(tree: object) -> Iterator[Template]:
    if isinstance(tree, Template):
        yield tree
    elif isinstance(tree, BodyMap):
        for _, item in tree.items:
            yield from _in_tree(item)
    elif isinstance(tree, tuple):
        for item in tree:
            yield from _in_tree(item)


def _rendered(template: Template, scope: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Variables first, and only those that the bot's author wrote: what a visitor types is never expanded."""
    if "${" in template.source:
        template = replace(template, source=expand(template.source, environment) or "")
    return render(template, scope)


def _body(tree: object, scope: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
    if isinstance(tree, Template):
        return _rendered(tree, scope, environment)
    if isinstance(tree, BodyMap):
        made = ((key, item, _body(item, scope, environment)) for key, item in tree.items)
        return {key: value for key, item, value in made if not _nothing(item, value)}
    if isinstance(tree, tuple):
        made_items = ((item, _body(item, scope, environment)) for item in tree)
        return [value for item, value in made_items if not _nothing(item, value)]
    return tree


def _nothing(tree: object, value: Any) -> bool:
    """A template that came out empty; an empty text that was written so is meant."""
    return isinstance(tree, Template) and value == "" and bool(tree.source)


def _quoted(value: Any) -> Any:
    """The scope with every text percent-encoded, so that a visitor's slot stays one segment of the path."""
    if isinstance(value, str):
        return "" if not value.strip(".") else quote(value, safe="")
    if isinstance(value, Mapping):
        return {key: _quoted(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_quoted(item) for item in value)
    return value
