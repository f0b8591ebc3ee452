"""What holds for every response: request ids, problems, headers, and who may use the admin paths."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from tests.server.world import World, quick, raw, run

from supportbot.diagnostics import Diagnostic, Place
from supportbot.runtime.metrics import Metrics
from supportbot.runtime.reload import Reloader
from supportbot.server.openapi import document
from supportbot.server.options import Secret, ServerOptions, is_loopback
from supportbot.server.service import SERVICE

ADMIN = "/reset/abc"
TOKEN = "s3cret-\xfcmlaut"


@pytest.mark.parametrize("given", ["abc", "A.b_c-9", "x" * 128])
def test_a_sane_request_id_comes_back(given: str) -> None:
    async def test(world: World) -> None:
        for path in ("/", "/nowhere", "/chat"):
            async with world.client.get(world.url + path, headers={"X-Request-ID": given}) as answer:
                assert answer.headers["X-Request-ID"] == given

    run(test)


@pytest.mark.parametrize("given", ["", " ", "a b", "x" * 129, "<script>", "a/b", "\xfc", "a;b", "'"])
def test_another_one_is_replaced(given: str) -> None:
    async def test(world: World) -> None:
        async with world.client.get(world.url, headers={"X-Request-ID": given}) as answer:
            assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])

    run(test)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("POST", "/", 405),
        ("GET", "/chat", 405),
        ("DELETE", "/chat", 405),
        ("OPTIONS", "/chat", 405),
        ("PUT", "/webhook/salesiq", 405),
        ("POST", "/chat", 415),
        ("GET", "/%00", 404),
        ("GET", "/..%2f..%2fetc/passwd", 404),
        ("GET", "/widget/../../options.py", 404),
        ("GET", "/widget/app.py", 404),
        ("POST", "/reset/", 404),
    ],
)
def test_refusals_are_problems(method: str, path: str, status: int) -> None:
    async def test(world: World) -> None:
        async with world.client.request(method, world.url + path, data=b"x") as answer:
            assert answer.status == status
            assert answer.headers["Content-Type"] == "application/problem+json"
            data = await answer.json()
            assert data["status"] == status
            assert data["request_id"] == answer.headers["X-Request-ID"]
            assert ("Allow" in answer.headers) is (status == 405)

    run(test)


@pytest.mark.parametrize("path", ["/", "/chat", "/nowhere"])
def test_a_refusal_before_any_view_has_the_same_form(path: str) -> None:
    async def test(world: World) -> None:
        request = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nX-Request-ID: r-1\r\nConnection: close\r\n\r\n"
        )
        answer = await raw(world.port, request.encode())
        assert answer.startswith(b"HTTP/1.1 417 ")
        assert b"problem+json" in answer
        assert b"X-Request-ID: r-1\r\n" in answer
        assert b"Content-Security-Policy" in answer

    run(test)


@pytest.mark.parametrize("path", ["/", "/health", "/widget", "/nowhere", "/livez", "/webhook/salesiq"])
def test_every_response_has_the_headers_of_a_careful_server(path: str) -> None:
    async def test(world: World) -> None:
        async with world.client.get(world.url + path) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert "Server" not in answer.headers
            assert "Access-Control-Allow-Origin" not in answer.headers

    run(test)


def test_a_failure_inside_tells_nothing() -> None:
    async def test(world: World) -> None:
        async with world.client.post(f"{world.url}/chat", json={"message": "boom my password"}) as answer:
            assert answer.status == 500
            text = await answer.text()
        assert "secret detail" not in text
        assert "RuntimeError" not in text
        assert "password" not in text

    run(test)


def test_a_store_that_fails_is_a_503_to_try_again() -> None:
    async def test(world: World) -> None:
        async with world.client.post(f"{world.url}/chat", json={"message": "disk"}) as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"]
            assert "disk full" not in await answer.text()

    run(test)


def test_a_chat_turn_over_the_deadline_is_a_503_and_goes_on() -> None:
    async def test(world: World) -> None:
        async with world.client.post(f"{world.url}/chat", json={"message": "slow"}) as answer:
            assert answer.status == 503
            assert answer.headers["Content-Type"] == "application/problem+json"
        assert len(world.conversations.messages) == 1

    run(test, quick())


# --- admin


def token(value: str = TOKEN) -> ServerOptions:
    return ServerOptions(admin_token=Secret(value))


async def asked(world: World, headers: dict[str, str] | None = None) -> int:
    await world.chat("hi", session_id="abc")
    async with world.client.post(world.url + ADMIN, headers=headers) as answer:
        if answer.status != 200:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert TOKEN not in await answer.text()
        return answer.status


def test_on_loopback_without_a_token_admin_paths_are_open_to_this_machine() -> None:
    async def test(world: World) -> None:
        assert await asked(world) == 200
        async with world.client.post(world.url + ADMIN) as answer:
            assert answer.status == 404  # forgotten above

    run(test)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "example.com"},
        {"Host": "localhost.example.com"},
        {"Host": "127.0.0.1.example.com"},
        {"Host": "[::1"},
        {"Host": ""},
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"X-Real-IP": "203.0.113.7"},
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_but_not_to_others_who_only_look_local(headers: dict[str, str]) -> None:
    async def test(world: World) -> None:
        assert await asked(world, headers) == 403

    run(test)


def test_a_page_of_this_server_may() -> None:
    async def test(world: World) -> None:
        assert await asked(world, {"Origin": world.url, "Sec-Fetch-Site": "same-origin"}) == 200

    run(test)


def test_without_a_token_they_are_closed_when_everybody_can_connect() -> None:
    async def test(world: World) -> None:
        assert await asked(world) == 403

    run(test, ServerOptions(host="0.0.0.0"))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer s3cret",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
    ],
)
def test_with_a_token_nothing_else_opens_them(header: str | None) -> None:
    async def test(world: World) -> None:
        assert await asked(world, {} if header is None else {"Authorization": header}) == 401

    run(test, token())


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_token_opens_them(scheme: str) -> None:
    async def test(world: World) -> None:
        assert await asked(world, {"Authorization": f"{scheme} {TOKEN}"}) == 200

    run(test, token())


def test_a_401_says_what_is_missing() -> None:
    async def test(world: World) -> None:
        async with world.client.post(world.url + ADMIN) as answer:
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert "Authorization" in (await answer.json())["detail"]

    run(test, token())


WRONG = tuple(
    Diagnostic(code, "error", Place("rules/secret.yaml", 7, 3), "there is no response 'staff_only'")
    for code in ("missing-reference", "missing-reference", "no-such-state")
)


@pytest.mark.parametrize(
    ("options", "headers", "shown"),
    [
        (ServerOptions(), {}, True),
        (ServerOptions(), {"X-Forwarded-For": "203.0.113.7"}, False),
        (ServerOptions(host="0.0.0.0"), {}, False),
        (token(), {}, False),
        (token(), {"Authorization": "Bearer wrong"}, False),
        (token(), {"Authorization": f"Bearer {TOKEN}"}, True),
    ],
)
def test_health_quotes_wrong_files_only_to_who_may_use_admin_paths(
    options: ServerOptions, headers: dict[str, str], shown: bool
) -> None:
    async def test(world: World) -> None:
        reloader = Reloader(Path(), world.conversations, Metrics())
        world.app[SERVICE].beside.reloader = reloader
        reloader.begin_with(WRONG)
        async with world.client.get(f"{world.url}/health", headers=headers) as answer:
            text = await answer.text()
        found = json.loads(text)
        assert (answer.status, found["status"]) == (200, "degraded")
        assert (found["reload"]["ok"], found["reload"]["codes"]) == (
            False,
            {"missing-reference": 2, "no-such-state": 1},
        )
        assert found["reload"].get("diagnostics") == ([str(item) for item in WRONG] if shown else None)
        assert ("secret.yaml" in text, "staff_only" in text) == (shown, shown)
        jsonschema.validate(found, document()["components"]["schemas"]["Health"])

    run(test, options)


@pytest.mark.parametrize("session_id", ["a%20b", "a%2Fb", "x" * 65, "%C3%A4", "a%0Ab"])
def test_reset_takes_session_ids_only(session_id: str) -> None:
    async def test(world: World) -> None:
        answer = await raw(
            world.port, f"POST /reset/{session_id} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        assert answer.split()[1] in {b"400", b"404"}
        assert b"problem+json" in answer

    run(test)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("bot.localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("2130706433", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_secret_does_not_show() -> None:
    secret = Secret("hunter2")
    options = ServerOptions(admin_token=secret)
    assert "hunter2" not in f"{secret} {secret!r} {options} {options!r} {[secret]}"
    assert secret.same_as("hunter2")
    assert not secret.same_as("hunter")
    assert not Secret("").same_as("")
