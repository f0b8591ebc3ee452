"""Who may call the webhook: signatures with keys made here, and the token of the address."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from tests.salesiq.world import World, changed, message, run

from supportbot.config.environment import Environment
from supportbot.errors import SettingsError
from supportbot.server.options import ServerOptions
from supportbot.server.signature import HEADER, read_keys

BODY = json.dumps(message("printer offline")).encode()


@cache
def private(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(number: int) -> str:
    key = private(number).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def bare(number: int) -> str:
    return "".join(line for line in pem(number).splitlines() if not line.startswith("-"))


def signed(number: int, body: bytes = BODY) -> str:
    return base64.b64encode(private(number).sign(body, padding.PKCS1v15(), SHA256())).decode()


SPELLINGS = {
    "as shown": pem(1),
    "without its frame": bare(1),
    "on one line": pem(1).replace("\n", "\\n"),
    "with carriage returns": pem(1).replace("\n", "\r\n"),
    "in lines, without its frame": "\n".join(pem(1).splitlines()[1:-1]),
    "pkcs1": private(1).public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode(),
    "two in one text": pem(2) + pem(1),
}


@pytest.mark.parametrize("spelling", list(SPELLINGS))
def test_a_key_is_read_however_it_is_spelled(spelling: str) -> None:
    keys = read_keys([SPELLINGS[spelling]])
    assert keys.accept(BODY, signed(1))
    assert not keys.accept(BODY + b" ", signed(1))
    assert not keys.accept(BODY, signed(3))


def test_several_keys_while_they_are_changed() -> None:
    keys = read_keys([pem(1), "", pem(2)])
    assert keys.accept(BODY, signed(1))
    assert keys.accept(BODY, signed(2))
    assert not keys.accept(BODY, signed(3))


def test_no_keys_ask_nothing() -> None:
    assert not read_keys(["", "  "])


@pytest.mark.parametrize("text", ["nonsense", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "ümlaut"])
def test_a_key_that_is_none_is_reported(text: str) -> None:
    with pytest.raises(SettingsError, match="public_keys, number 1"):
        read_keys([text])


def test_a_key_of_another_kind_is_reported() -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(SettingsError, match="RSA"):
        read_keys([other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()])


def test_only_sha256_and_this_padding_count() -> None:
    keys = read_keys([pem(1)])
    pss = padding.PSS(padding.MGF1(SHA256()), padding.PSS.MAX_LENGTH)
    for made in (private(1).sign(BODY, padding.PKCS1v15(), SHA1()), private(1).sign(BODY, pss, SHA256())):
        assert not keys.accept(BODY, base64.b64encode(made).decode())


@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_any_header_gives_yes_or_no(header: str) -> None:
    assert read_keys([pem(1)]).accept(BODY, header) is False


@given(st.binary(max_size=600))
def test_any_bytes_as_a_signature_give_no(signature: bytes) -> None:
    assert read_keys([pem(1)]).accept(BODY, base64.b64encode(signature).decode()) is False


async def status(world: World, body: bytes, header: str | None = None, query: str = "", **more: Any) -> int:
    headers = {HEADER: header} if header is not None else {}
    async with world.client.post(world.url + query, data=body, headers=headers, **more) as answer:
        data = await answer.json()
        assert ("action" in data) == (answer.status == 200)
        return int(answer.status)


def test_the_webhook_asks_for_a_signature_when_it_has_a_key() -> None:
    async def test(world: World) -> None:
        assert await status(world, BODY, signed(1)) == 200
        assert await status(world, BODY, signed(2)) == 200
        assert await status(world, BODY, f"  {signed(1)} ") == 200
        assert await status(world, BODY, signed(3)) == 401
        assert await status(world, BODY + b"\n", signed(1)) == 401
        assert await status(world, BODY) == 401
        assert await status(world, BODY, "") == 401
        assert await status(world, BODY, "\u00fc\u00df") == 401
        assert await status(world, b"") == 200  # SalesIQ tries the address so; nothing can be done with it
        async with world.client.head(world.url) as answer:
            assert answer.status == 200

    run(test, changed(public_keys=("${KEY}", "${OTHER:-}")), options=options(KEY=pem(1), OTHER=bare(2)))


def options(**environment: str) -> ServerOptions:
    return ServerOptions(environment=Environment(environment))


@pytest.mark.parametrize("secret", ["s3cret", "pässwörd", "a b&c"])
def test_the_address_may_hold_a_token(secret: str) -> None:
    async def test(world: World) -> None:
        async with world.client.post(world.url, params={"token": secret}, data=BODY) as answer:
            assert answer.status == 200
        for query in ("", "?token=", "?token=wrong", "?token=%ff%fe", "?other=" + "x" * 500):
            assert await status(world, BODY, query=query) == 401
        async with world.client.get(world.url) as answer:
            assert answer.status == 200

    run(test, changed(token="${TOKEN:-}"), options=options(TOKEN=secret))


def test_a_key_that_cannot_be_used_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="public_keys"):
        run(_nothing, changed(public_keys=("nonsense",)))


def test_a_key_that_is_wanted_and_missing_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="KEY"):
        run(_nothing, changed(public_keys=("${KEY}",)))


def test_new_settings_that_cannot_be_used_leave_the_old_ones() -> None:
    async def test(world: World) -> None:
        world.talks.bot = replace(changed(public_keys=("nonsense",)), revision="other")
        assert await status(world, BODY) == 401
        assert await status(world, BODY, signed(1)) == 200

    run(test, changed(public_keys=(pem(1),)))


async def _nothing(world: World) -> None:
    raise AssertionError("it started")
