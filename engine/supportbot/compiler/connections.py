"""rules/actions.yaml, ``connections``: where services are, how to sign in, how their answers are read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from supportbot.compiler.context import Context
from supportbot.compiler.graph import duration
from supportbot.compiler.nodes import flag, items, maps, named, section, text, texts, value_place, whole
from supportbot.compiler.pointers import is_pointer
from supportbot.compiler.variables import secret_text, variable_text
from supportbot.config.yaml_nodes import YamlMap
from supportbot.diagnostics import Place
from supportbot.model.connections import (
    ERROR_KINDS,
    Auth,
    BasicAuth,
    Check,
    Connection,
    ErrorKind,
    ErrorRule,
    HeaderAuth,
    OAuth,
    Probe,
    ReadRetry,
)

TIMEOUT, MOST_TIMEOUT = 10.0, 60.0  # seconds
CONCURRENCY = 4
TRIES, FIRST_WAIT = 3, 0.5
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
SECRET_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "cookie"})


def compile_connections(documents: Sequence[YamlMap], context: Context) -> dict[str, Connection]:
    made: dict[str, Connection] = {}
    for document in documents:
        for name, node, place in named(section(document, "connections")):
            if isinstance(node, YamlMap) and context.refs.known("connection").get(name) == place:
                context.refs.only_one(node, "bearer", "auth", "connection")
                retry = section(node, "retry")
                made[name] = Connection(
                    id=name,
                    base_url=variable_text(text(node, "base_url"), value_place(node, "base_url"), context),
                    headers=_headers(section(node, "headers"), context),
                    bearer=_bearer(node, context),
                    timeout=_timeout(node, context),
                    place=place,
                    auth=_auth(section(node, "auth"), context),
                    concurrency=max(1, whole(node, "concurrency", CONCURRENCY)),
                    retry=ReadRetry(
                        max(1, whole(retry, "tries", TRIES)) if retry is not None else TRIES,
                        duration(retry, "wait", FIRST_WAIT, context),
                    ),
                    ok=compile_check(section(node, "ok"), context),
                    errors=tuple(_errors(node, context)),
                    allow_private=flag(node, "allow_private"),
                    check=_probe(section(node, "check"), context),
                )
    return made


def compile_check(node: YamlMap | None, context: Context) -> Check:
    """Conditions on an answer: ``status``, ``equals``, ``exists``, ``absent``."""
    if node is None:
        return Check()
    return Check(tuple(_statuses(node)), tuple(_equals(node, context)), _ways(node, "exists", context),
                 _ways(node, "absent", context))  # fmt: skip


def _timeout(node: YamlMap, context: Context) -> float:
    length = duration(node, "timeout", TIMEOUT, context)
    if length > MOST_TIMEOUT:
        message = f"a call may take at most {MOST_TIMEOUT:g} s"
        context.refs.error("out-of-range", value_place(node, "timeout"), message, "write timeout: 10s")
    return length


def _header_name(name: str, place: Place, context: Context) -> None:
    if not _HEADER.fullmatch(name):
        message = f"{name!r} cannot be the name of a header"
        hint = "names of headers hold letters, digits and -, as in X-Api-Key"
        context.refs.error("bad-request", place, message, hint)


def _headers(node: YamlMap | None, context: Context) -> Mapping[str, str]:
    made: dict[str, str] = {}
    for name, value, place in named(node):
        _header_name(name, place, context)
        if node is not None and isinstance(value, str | int | float):
            check = secret_text if name.lower() in SECRET_HEADERS else variable_text
            made[name] = check(str(value), value_place(node, name), context)
    return MappingProxyType(made)


def _bearer(node: YamlMap, context: Context) -> str | None:
    auth = section(node, "auth")
    return _secret(node, "bearer", context) or (_secret(auth, "bearer", context) if auth is not None else "") or None


def _secret(node: YamlMap, key: str, context: Context) -> str:
    return secret_text(text(node, key), value_place(node, key), context)


def _auth(node: YamlMap | None, context: Context) -> Auth | None:
    if node is None:
        return None
    if (basic := section(node, "basic")) is not None:
        user = variable_text(text(basic, "user"), value_place(basic, "user"), context)
        return BasicAuth(user, _secret(basic, "password", context))
    if (header := section(node, "header")) is not None:
        _header_name(text(header, "name"), value_place(header, "name"), context)
        return HeaderAuth(text(header, "name"), _secret(header, "value", context))
    if (oauth := section(node, "oauth2")) is not None:
        return _oauth(oauth, context)
    return None


def _oauth(node: YamlMap, context: Context) -> OAuth:
    header = text(node, "header", "Bearer {token}")
    if "{token}" not in header:
        hint = 'write header: "Zoho-oauthtoken {token}", or leave it out for "Bearer {token}"'
        message = "this header has no {token}, so the service would never see one"
        context.refs.error("bad-variable", value_place(node, "header"), message, hint)
    return OAuth(
        token_url=variable_text(text(node, "token_url"), value_place(node, "token_url"), context),
        client_id=variable_text(text(node, "client_id"), value_place(node, "client_id"), context),
        client_secret=_secret(node, "client_secret", context),
        refresh_token=_secret(node, "refresh_token", context),
        header=header,
        token=_secret(node, "token", context),
    )


def _probe(node: YamlMap | None, context: Context) -> Probe | None:
    if node is None:
        return None
    path = variable_text(text(node, "path"), value_place(node, "path"), context)
    return Probe("HEAD" if node.get("method") == "HEAD" else "GET", path)


def _errors(node: YamlMap, context: Context) -> Iterator[ErrorRule]:
    for item in maps(node, "errors"):
        kind: ErrorKind | None = next((known for known in ERROR_KINDS if known == item.get("is")), None)
        if not any(item.get(key) is not None for key in ("status", "equals", "exists", "absent")):
            message = f"this rule takes every answer, so that even a success would be '{item.get('is')}'"
            hint = "say which answers it means: status: 429, equals: {/code: X}, exists or absent"
            context.refs.error("empty-condition", item.place, message, hint)
        elif kind is not None:
            yield ErrorRule(compile_check(item, context), kind)


def _statuses(node: YamlMap) -> Iterator[tuple[int, int]]:
    """``404``, ``5xx`` or ``200-204``; the schema has checked their form."""
    for value, _ in items(node, "status"):
        if isinstance(value, int) and not isinstance(value, bool):
            yield value, value
        elif isinstance(value, str) and value.endswith("xx"):
            yield int(value[0]) * 100, int(value[0]) * 100 + 99
        elif isinstance(value, str) and all(part.isdecimal() for part in value.split("-")):
            first, _, last = value.partition("-")
            yield int(first), int(last or first)


def _equals(node: YamlMap, context: Context) -> Iterator[tuple[str, tuple[str, ...]]]:
    found = section(node, "equals")
    for pointer, _, place in named(found):
        if found is not None and is_pointer(pointer, place, context):
            yield pointer, tuple(_plain(value) for value, _ in items(found, pointer))


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ways(node: YamlMap, key: str, context: Context) -> tuple[str, ...]:
    return tuple(pointer for pointer, place in texts(node, key) if is_pointer(pointer, place, context))
