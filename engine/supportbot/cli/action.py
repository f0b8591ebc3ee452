"""``supportbot action NAME --dry-run``: the requests that an action would make. Nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from supportbot.adapters.requests import Request, build_request, missing_of
from supportbot.cli.loading import working_bot
from supportbot.cli.options import bot_argument, color_option
from supportbot.cli.output import to_json
from supportbot.cli.terminal import safe, say
from supportbot.config.environment import load
from supportbot.decision.conclude import start_session
from supportbot.decision.render import holds
from supportbot.diagnostics import did_you_mean
from supportbot.errors import UsageError
from supportbot.model.bot import Action, BodyMap, Bot
from supportbot.model.chains import chain_of
from supportbot.model.connections import HeaderAuth, OAuth
from supportbot.model.session import SlotValue
from supportbot.model.steps import Template
from supportbot.runtime.calls import call_scope, with_values

HIDDEN = "***"
_SECRET_HEADERS = frozenset(("authorization", "cookie", "x-api-key", "api-key"))


@click.command("action")
@click.argument("name")
@bot_argument
@click.option("--dry-run", is_flag=True, help="Show the requests; nothing is sent.")
@click.option("--slot", "slots", multiple=True, metavar="NAME=VALUE", help="A slot's value; may be given repeatedly.")
@color_option
def command(name: str, bot_dir: Path | None, dry_run: bool, slots: tuple[str, ...]) -> int:
    """Preview a declared call with made-up values. Secrets are not shown, variables without a value as <NAME>."""
    if not dry_run:
        raise UsageError("an action can only be previewed here: add --dry-run")
    bot, root = working_bot(bot_dir)
    action = bot.actions.get(name)
    if action is None:
        raise UsageError(f"there is no action '{safe(name)}': {did_you_mean(name, bot.actions)}")
    environment = dict(load(root).values)
    missing = missing_of(bot, action, environment)
    environment |= {variable: f"<{variable}>" for variable in missing}
    for line in preview(bot, action, environment, _given(bot, slots)):
        say(line)
    if missing:
        say(f"\nThis action is off until these are set: {', '.join(missing)}")
    return 0


def preview(bot: Bot, action: Action, environment: Mapping[str, str], given: Mapping[str, SlotValue]) -> Iterator[str]:
    """The requests of the whole chain, as text."""
    now = datetime.now(UTC)
    slots = {slot: given.get(slot, f"<{slot}>") for slot in bot.slots}
    saved = {slot for name in chain_of(action, bot.actions) or () for slot, _ in bot.actions[name].save}
    known = {slot: value for slot, value in slots.items() if slot not in saved or slot in given}
    scope: dict[str, Any] = call_scope(bot, start_session(bot, "preview", now), known, now, "SB-REFERENCE")
    for number, name in enumerate(chain_of(action, bot.actions) or (), start=1):
        part = bot.actions[name]
        if part is action:
            for earlier in action.before:
                scope = with_values(scope, _placeholders(bot.actions[earlier], given))
        yield f"{number}. {part.id}: {part.title}"
        if part.condition is not None:
            holds_now = holds(part.condition, scope)
            yield f"   only if {part.condition.source}{'' if holds_now else ' (not so with these values)'}"
        yield from (f"   {line}" for line in _shown(bot, part, scope, environment))
        if part.find is None:  # what is looked for may be missing: show the calls that make it
            scope = with_values(scope, _placeholders(part, given))
        if part.reconcile is not None:
            yield f"   a lost answer is looked for with {part.reconcile.action}; sent again when it is missing"
            yield f"   {part.reconcile.after:g} s later"


def _placeholders(part: Action, given: Mapping[str, SlotValue]) -> dict[str, SlotValue]:
    return {slot: f"<{slot}>" for slot, _ in part.save if slot not in given}


def _shown(bot: Bot, part: Action, scope: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[str]:
    connection = bot.connections[part.connection]
    try:
        request = build_request(connection, part, scope, environment)
    except ValueError as problem:
        yield f"no request: {problem}; look at base_url of '{connection.id}'"
        return
    yield f"{request.method} {safe(str(request.url))}"
    named = connection.auth.name.lower() if isinstance(connection.auth, HeaderAuth) else ""
    for name, value in request.headers.items():
        secret = name.lower() in _SECRET_HEADERS or name.lower() == named
        yield f"{name}: {HIDDEN if secret else safe(value)}"
    if isinstance(connection.auth, OAuth):
        yield f"Authorization: {connection.auth.header.replace('{token}', HIDDEN)}"
    yield from _body(request)
    for name, source in _left_out(part.body, request.body, ""):
        yield f"left out, because {safe(source)} comes out empty: {safe(name)} (a service that requires it will refuse)"


def _body(request: Request) -> Iterator[str]:
    if request.body is not None:
        yield "as a form:" if request.form else "as JSON:"
        yield from safe(to_json(request.body, indent=2), lines=True).splitlines()


def _left_out(tree: object, made: object, path: str) -> Iterator[tuple[str, str]]:
    """The fields of a body that are not in the request, and the templates that they would have had."""
    if not isinstance(tree, BodyMap) or not isinstance(made, dict):
        return
    for key, item in tree.items:
        name = f"{path}.{key}" if path else key
        if isinstance(item, Template) and key not in made:
            yield name, item.source
        else:
            yield from _left_out(item, made.get(key), name)


def _given(bot: Bot, slots: tuple[str, ...]) -> dict[str, SlotValue]:
    given: dict[str, SlotValue] = {}
    for text in slots:
        name, equals, value = text.partition("=")
        if not equals or name not in bot.slots:
            raise UsageError(f"--slot {safe(text)}: write NAME=VALUE; {did_you_mean(name, bot.slots)}")
        given[name] = value
    return given
