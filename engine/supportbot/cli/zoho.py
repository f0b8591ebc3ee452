"""``supportbot zoho``: get a refresh token, and post recorded SalesIQ payloads at a running bot."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from supportbot.cli.options import color_option
from supportbot.cli.terminal import safe, say
from supportbot.errors import UsageError

SCOPES = (
    *("Desk.tickets.CREATE", "Desk.tickets.READ", "Desk.contacts.READ", "Desk.contacts.CREATE"),
    *("Desk.activities.calls.CREATE", "Desk.activities.calls.READ", "Desk.search.READ", "Desk.basic.READ"),
    *("SalesIQ.conversations.UPDATE", "SalesIQ.callbacks.UPDATE"),
)
ACCOUNTS = "https://accounts.zoho.com"
TIMEOUT = 15.0
_HERE = ("127.0.0.1", "localhost", "::1")  # a fake, to try it out
_WHY = {
    "invalid_code": "the code is wrong, used already, or older than the minutes it lives: make a new one",
    "invalid_client": "the client id is wrong, or the account is in another data center: see --accounts",
    "invalid_client_secret": "the client secret is wrong: copy it again",
}


@click.group("zoho")
def command() -> None:
    """Zoho: sign in once, replay what SalesIQ sends."""


@command.command("login")
@click.option("--accounts", default=ACCOUNTS, show_default=True, help="Accounts address of your data center.")
@click.option("--write", type=click.Path(path_type=Path, dir_okay=False), help="Put the lines into this .env file.")
@color_option
def login(accounts: str, write: Path | None) -> int:
    """Turn a self client's grant code into a refresh token. Nothing is stored, except in the file of --write."""
    accounts = _address(accounts)
    say("1. Open https://api-console.zoho.com (of your data center), Add Client, Self Client.")
    say("2. Under Generate Code take these scopes, and the longest time:")
    say(f"   {','.join(SCOPES)}")
    say("3. Copy what it shows. The code lives a few minutes only.\n")
    client_id = click.prompt("Client ID", err=True).strip()
    secret = click.prompt("Client Secret", hide_input=True, err=True).strip()
    code = click.prompt("Code", hide_input=True, err=True).strip()
    answer = asyncio.run(_exchange(accounts, client_id, secret, code))
    token = answer.get("refresh_token")
    if not isinstance(token, str) or not token:
        error = str(answer.get("error") or "no refresh token in the answer")
        reason = _WHY.get(error, "wait some minutes and try again")
        say(f"Zoho gives no refresh token ({safe(error)}): {reason}", err=True)
        return 1
    lines = [f"ZOHO_CLIENT_ID={client_id}", f"ZOHO_CLIENT_SECRET={secret}", f"ZOHO_REFRESH_TOKEN={token}"]
    if accounts != ACCOUNTS:
        lines.append(f"ZOHO_ACCOUNTS_URL={accounts}")
    if write is None:
        say("\nPut these lines where the server gets its environment from, e.g. .env, never into YAML:\n")
        say("\n".join(lines))
    else:
        put_lines(write, lines)
        say(f"\n{write} now has {', '.join(line.partition('=')[0] for line in lines)}")
    return 0


@command.command("replay")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--url", default="http://127.0.0.1:8080/webhook/salesiq", show_default=True, help="The bot's webhook.")
@color_option
def replay(file: Path, url: str) -> int:
    """Post recorded payloads (JSON Lines, or a JSON list) at a running bot, and print each with its answer.

    Exit code 1 when an answer is not 200 with a valid action.
    """
    payloads = list(_payloads(file))
    return asyncio.run(_replay(payloads, url))


async def _exchange(accounts: str, client_id: str, secret: str, code: str) -> dict[str, Any]:
    import aiohttp  # only these verbs and serve need it

    form = {"grant_type": "authorization_code", "client_id": client_id, "client_secret": secret, "code": code}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session,
            session.post(f"{accounts.rstrip('/')}/oauth/v2/token", data=form, allow_redirects=False) as response,
        ):
            status, text = response.status, await response.read()
    except (aiohttp.ClientError, TimeoutError, ValueError) as failure:
        raise UsageError(f"{accounts} cannot be asked ({type(failure).__name__}): check --accounts") from None
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if status == 404 or not isinstance(answer, dict):
        raise UsageError(f"{accounts} is no token service of Zoho (status {status}): check --accounts")
    return answer


async def _replay(payloads: list[Any], url: str) -> int:
    import aiohttp

    wrong = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:
        for number, payload in enumerate(payloads, start=1):
            body = payload if isinstance(payload, str) else json.dumps(payload)
            say(f"{number} > {safe(body)}")
            try:
                async with session.post(url, data=body.encode()) as response:
                    status, text = response.status, await response.text()
            except (aiohttp.ClientError, TimeoutError) as failure:
                raise UsageError(f"{url} does not answer ({type(failure).__name__}): is the server running?") from None
            say(f"{number} < {status} {safe(text)}\n")
            wrong += not _valid(status, text)
    say(f"{len(payloads)} payloads, {wrong} answers that SalesIQ would not take")
    return int(wrong > 0)


def _valid(status: int, text: str) -> bool:
    try:
        answer = json.loads(text)
    except ValueError:
        return False
    return status == 200 and isinstance(answer, dict) and bool(answer.get("action")) and "replies" in answer


def _payloads(file: Path) -> Iterator[Any]:
    """Raises UsageError for what is no JSON."""
    text = file.read_text("utf-8")
    try:
        if text.lstrip().startswith("["):
            yield from json.loads(text)
            return
        for line in text.splitlines():
            if line.strip():
                yield json.loads(line)
    except ValueError as problem:
        raise UsageError(f"{file} is no JSON: {problem}; write one payload a line, or a list") from None


def put_lines(path: Path, lines: list[str]) -> None:
    """Lines ``NAME=value`` in place of those of the same names, the others as they were; readable by its owner only."""
    names = {line.partition("=")[0] for line in lines}
    try:
        known = path.read_text("utf-8").splitlines() if path.exists() else []
        kept = [line for line in known if _name(line) not in names]
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write("\n".join([*kept, *lines, ""]))
        os.replace(fresh, path.resolve())
    except (OSError, ValueError) as problem:
        raise UsageError(f"{path} cannot be written: {problem}") from None


def _name(line: str) -> str:
    return line.strip().removeprefix("export ").partition("=")[0].strip()


def _address(accounts: str) -> str:
    """The accounts address as it is used. Raises UsageError before anybody has typed a secret."""
    cleaned = accounts.strip().rstrip("/")
    try:
        parts = urlsplit(cleaned)
        good = bool(parts.hostname) and not (parts.path or parts.query or parts.fragment or parts.username)
    except ValueError:
        good = False
    if good and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HERE)):
        return cleaned
    raise UsageError(f"{safe(accounts)} is no accounts address: write it as {ACCOUNTS} or https://accounts.zoho.eu")
