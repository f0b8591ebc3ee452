"""/openapi.json against the routes, both ways, and against real answers."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
from tests.server.world import World, run

from supportbot.server.app import routes
from supportbot.server.openapi import document

DOCUMENT = document()
WORDS = {"get": "GET", "post": "POST", "delete": "DELETE", "put": "PUT", "patch": "PATCH"}


def declared() -> set[tuple[str, str]]:
    return {(WORDS[name], path) for path, item in DOCUMENT["paths"].items() for name in item}


def test_every_route_is_described_and_nothing_else() -> None:
    assert {(route.method, route.path) for route in routes()} == declared()


def test_every_reference_leads_somewhere() -> None:
    names = set(re.findall(r"#/components/schemas/(\w+)", str(DOCUMENT)))
    assert names <= set(DOCUMENT["components"]["schemas"])
    assert set(DOCUMENT["components"]["schemas"]) <= names


def test_the_schemas_are_schemas() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", ["/", "/health", "/livez", "/readyz", "/openapi.json"])
def test_answers_are_as_described(path: str) -> None:
    async def test(world: World) -> None:
        async with world.client.get(world.url + path) as answer:
            check(await answer.json(), described("get", path, str(answer.status)))

    run(test)


def test_a_reply_and_a_problem_are_as_described() -> None:
    async def test(world: World) -> None:
        check(await world.chat("llm"), described("post", "/chat", "200"))
        async with world.client.post(f"{world.url}/chat", json={"message": 5}) as answer:
            check(await answer.json(), described("post", "/chat", str(answer.status)))

    run(test)


def described(method: str, path: str, status: str) -> dict[str, Any]:
    (content,) = DOCUMENT["paths"][path][method]["responses"][status]["content"].values()
    schema: dict[str, Any] = content["schema"]
    return schema


def check(value: object, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)
