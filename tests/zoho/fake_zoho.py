"""A Zoho on loopback: accounts, Desk v1, SalesIQ v2, with their error forms, faults on demand and a ledger of writes.

What it refuses and how it answers follows the public documentation as far as that goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "1000.CLIENTCANARY", "secret-canary-5b1f", "1000.refresh-canary.77aa"
ORG_ID, DEPARTMENT = "55778119", "1892000000006907"
UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
DIGITS = re.compile(r"[0-9]+")

TICKET_FIELDS = {
    *("departmentId", "contactId", "contact", "subject", "description", "email", "phone", "priority", "status"),
    *("channel", "category", "subCategory", "classification", "language", "cf", "assigneeId", "teamId", "productId"),
    *("dueDate", "uploads", "layoutId", "resolution", "secondaryContacts"),
}
CALL_FIELDS = {
    *("contactId", "departmentId", "subject", "startTime", "status", "direction", "duration", "ticketId", "ownerId"),
    *("teamId", "priority", "description", "cf", "reminder", "recordingUrl", "layoutId"),
}
CALL_STATUSES = {"Completed", "Scheduled", "Missed", "Canceled", "In Progress"}

# Faults of one request: what the service does, and what its caller sees of it.
BEFORE = ("500_before", "drop_before", "429", "401")  # nothing happens
AFTER = ("500_after", "drop_after", "slow_after", "204_after", "html_after")  # it happens, the answer is lost
LATE = ("late",)  # it happens after the caller gave up
FAULTS = (*BEFORE, *AFTER, *LATE)


@dataclass(frozen=True, slots=True)
class Write:
    """One entry of the ledger."""

    kind: str
    body: Mapping[str, Any]
    at: float


@dataclass
class FakeZoho:
    """``plan``: fault of a request, or an empty text. ``slow``: seconds that a slow answer takes."""

    plan: Callable[[str, str], str] = lambda _method, _path: ""
    slow: float = 20.0
    lag: float = 0.0  # seconds until the search finds a new contact
    token_seconds: float = 3600.0
    refreshes: list[float] = field(default_factory=list)
    refresh_answers: list[tuple[int, str]] = field(default_factory=list)
    ledger: list[Write] = field(default_factory=list)
    requests: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    tokens: dict[str, float] = field(default_factory=dict)
    contacts: list[dict[str, Any]] = field(default_factory=list)
    tickets: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    _ids: int = 1892000000042000

    @contextlib.asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[FakeZoho]:
        app = web.Application()
        app.add_routes(
            [
                web.post("/oauth/v2/token", self._token),
                web.get("/api/v1/departments/{id}", self._desk(self._department)),
                web.get("/api/v1/contacts/search", self._desk(self._search)),
                web.post("/api/v1/contacts", self._desk(self._add_contact)),
                web.get("/api/v1/contacts/{id}/tickets", self._desk(self._contact_tickets)),
                web.post("/api/v1/tickets", self._desk(self._add_ticket)),
                web.get("/api/v1/calls", self._desk(self._list_calls)),
                web.post("/api/v1/calls", self._desk(self._add_call)),
                web.route("*", "/api/v2/{screen}/conversations/{id}/{verb}", self._salesiq),
                web.route("*", "/{tail:.*}", self._nowhere),
            ]
        )
        # A client that goes away does not stop what it asked for.
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()

    def environment(self) -> dict[str, str]:
        """What a bot needs to talk with it."""
        return {
            "DESK_URL": f"{self.url}/api/v1",
            "ZOHO_ACCOUNTS_URL": self.url,
            "ZOHO_CLIENT_ID": CLIENT_ID,
            "ZOHO_CLIENT_SECRET": CLIENT_SECRET,
            "ZOHO_REFRESH_TOKEN": REFRESH_TOKEN,
            "DESK_ORG_ID": ORG_ID,
            "DESK_DEPARTMENT_ID": DEPARTMENT,
            "SALESIQ_URL": f"{self.url}/api/v2/acme",
            "SUPPORTBOT_ALLOW_PRIVATE": "127.0.0.1",
        }

    def writes(self, kind: str) -> list[Write]:
        return [write for write in self.ledger if write.kind == kind]

    # --- accounts -----------------------------------------------------------------------------

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        self.refreshes.append(time.time())
        if request.query:
            self.violations.append("secrets in the address of a token request")
        if self.refresh_answers:
            status, body = self.refresh_answers.pop(0)
            return web.Response(
                status=status, text=body, content_type="text/html" if "<" in body else "application/json"
            )
        if len([at for at in self.refreshes if at > time.time() - 600]) > 10:
            return web.json_response(THROTTLED, status=400)
        if form.get("client_id") != CLIENT_ID:
            return web.json_response({"error": "invalid_client"})
        if form.get("client_secret") != CLIENT_SECRET:
            return web.json_response({"error": "invalid_client_secret"})
        if form.get("grant_type") == "authorization_code":
            if form.get("code") != "1000.grant-canary":
                return web.json_response({"error": "invalid_code"})
            return web.json_response(
                {"access_token": self.new_token(), "refresh_token": REFRESH_TOKEN, "expires_in": 3600}
            )
        if form.get("refresh_token") != REFRESH_TOKEN:
            return web.json_response({"error": "invalid_code"})
        answer = {
            "access_token": self.new_token(),
            "api_domain": "https://www.zohoapis.example",
            "token_type": "Bearer",
        }
        return web.json_response({**answer, "expires_in": self.token_seconds})

    def new_token(self) -> str:
        token = f"1000.token-canary-{random.randrange(16**12):012x}"
        self.tokens[token] = time.time() + self.token_seconds
        return token

    def expire(self) -> None:
        """All tokens end at once, as when another process bought too many."""
        self.tokens.clear()

    # --- Desk ---------------------------------------------------------------------------------

    def _desk(self, view: Callable[[web.Request, Any], Awaitable[web.StreamResponse]]) -> Any:
        async def guarded(request: web.Request) -> web.StreamResponse:
            raw = await request.read()
            self.requests.append((request.method, request.path_qs, dict(request.headers), raw))
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            fault = self.plan(request.method, request.path)
            if fault:
                self.faults[fault] += 1
            if fault == "401" or scheme != "Zoho-oauthtoken" or self.tokens.get(token, 0.0) < time.time():
                self.tokens.pop(token, None)
                return refuse(401, "INVALID_OAUTH")
            if not DIGITS.fullmatch(request.headers.get("orgId", "")):
                self.violations.append("orgId is no number")
                return refuse(500, "INTERNAL_SERVER_ERROR")
            if fault.startswith("{"):  # an answer of its own
                answer = json.loads(fault)
                return web.json_response(answer["body"], status=answer["status"], headers=answer.get("headers"))
            return await self._with_fault(request, raw, fault, view)

        return guarded

    async def _with_fault(
        self, request: web.Request, raw: bytes, fault: str, view: Callable[..., Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if fault == "500_before":
            return refuse(500, "INTERNAL_SERVER_ERROR")
        if fault == "429":
            return refuse(429, "TOO_MANY_REQUESTS")
        if fault == "drop_before":
            return drop(request)
        if fault == "late":
            await asyncio.sleep(self.slow)
        answer = await view(request, json.loads(raw) if raw else None)
        if fault == "slow_after":
            await asyncio.sleep(self.slow)
        if fault == "drop_after":
            return drop(request)
        if fault == "500_after":
            return refuse(500, "INTERNAL_SERVER_ERROR")
        if fault == "204_after":
            return web.Response(status=204)
        if fault == "html_after":
            return web.Response(text="<html>Please sign in</html>", content_type="text/html")
        return answer

    async def _department(self, request: web.Request, _body: Any) -> web.StreamResponse:
        if request.match_info["id"] != DEPARTMENT:
            return self._invalid("/departmentId")
        return web.json_response({"id": DEPARTMENT, "name": "Support", "isEnabled": True})

    async def _search(self, request: web.Request, _body: Any) -> web.StreamResponse:
        now = time.time()
        known = [item for item in self.contacts if item["at"] <= now - self.lag]
        for key in ("email", "phone"):
            wanted = request.query.get(key)
            if wanted is not None:
                pattern = re.compile(re.escape(wanted).replace(r"\*", ".*"), re.IGNORECASE)
                known = [item for item in known if pattern.fullmatch(item.get(key) or "")]
        if not known:
            return web.Response(status=204)
        rows = [{key: value for key, value in item.items() if key != "at"} for item in known]
        return web.json_response({"data": rows[: int(request.query.get("limit", "10"))], "count": len(rows)})

    async def _add_contact(self, _request: web.Request, body: Any) -> web.StreamResponse:
        if not isinstance(body, dict) or not body.get("lastName"):
            return self._invalid("/lastName")
        made = {**body, "id": self._new_id(), "at": time.time()}
        self.contacts.append(made)
        self.ledger.append(Write("contact", body, time.time()))
        return web.json_response({key: value for key, value in made.items() if key != "at"})

    async def _contact_tickets(self, request: web.Request, _body: Any) -> web.StreamResponse:
        rows = [item for item in self.tickets if item["contactId"] == request.match_info["id"]]
        if not rows:
            return web.Response(status=204)
        return web.json_response({"data": rows[::-1][: int(request.query.get("limit", "10"))]})

    async def _add_ticket(self, _request: web.Request, body: Any) -> web.StreamResponse:
        wrong = [*unknown(body, TICKET_FIELDS), *ticket_problems(body, {item["id"] for item in self.contacts})]
        if wrong:
            return self._invalid(*wrong)
        made = {**body, "id": self._new_id(), "ticketNumber": str(101 + len(self.tickets)), "statusType": "Open"}
        self.tickets.append(
            {**made, "webUrl": "https://desk.example.com/t/1", "createdTime": "2026-11-22T10:00:00.000Z"}
        )
        self.ledger.append(Write("ticket", body, time.time()))
        return web.json_response(self.tickets[-1])

    async def _list_calls(self, request: web.Request, _body: Any) -> web.StreamResponse:
        if not self.calls:
            return web.Response(status=204)
        return web.json_response({"data": self.calls[::-1][: int(request.query.get("limit", "10"))]})

    async def _add_call(self, _request: web.Request, body: Any) -> web.StreamResponse:
        wrong = [*unknown(body, CALL_FIELDS), *call_problems(body, {item["id"] for item in self.contacts})]
        if wrong:
            return self._invalid(*wrong)
        self.calls.append({**body, "id": self._new_id()})
        self.ledger.append(Write("call", body, time.time()))
        return web.json_response(self.calls[-1])

    def _invalid(self, *fields: str) -> web.Response:
        self.violations.extend(fields)
        errors = [{"fieldName": name, "errorType": "invalid"} for name in fields]
        return web.json_response({"errorCode": "INVALID_DATA", "message": "no", "errors": errors}, status=422)

    def _new_id(self) -> str:
        self._ids += 1
        return str(self._ids)

    # --- SalesIQ ------------------------------------------------------------------------------

    async def _salesiq(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.requests.append((request.method, request.path_qs, dict(request.headers), raw))
        fault = self.plan(request.method, request.path)
        if fault.startswith("{"):
            answer = json.loads(fault)
            return web.json_response(answer["body"], status=answer["status"])
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Zoho-oauthtoken" or self.tokens.get(token, 0.0) < time.time():
            return web.json_response({"error": {"code": 1002, "message": "Invalid authorization header."}})
        if request.method != "PUT":
            return web.json_response({"error": {"code": 1004, "message": "Invalid Request Type."}})
        verb = request.match_info["verb"]
        if verb not in ("close", "transfer"):
            return web.json_response({"error": {"code": 1006, "message": "Invalid URL"}})
        self.ledger.append(Write(verb, json.loads(raw) if raw else {}, time.time()))
        data = {"id": request.match_info["id"], "reference_id": "151", "status": "Attended Online"}
        return web.json_response({"url": request.path, "object": "conversations", "data": data})

    async def _nowhere(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs, dict(request.headers), b""))
        return refuse(404, "URL_NOT_FOUND")


async def serve_for_people(port: int) -> None:
    async with FakeZoho().running(port) as zoho:
        print("Put these lines into .env of the bot:\n")
        print("\n".join(f"{name}={value}" for name, value in zoho.environment().items()), flush=True)
        print("\nWrites:", flush=True)
        seen = 0
        while True:
            await asyncio.sleep(0.2)
            for write in zoho.ledger[seen:]:
                print(write.kind, json.dumps(dict(write.body)), flush=True)
            seen = len(zoho.ledger)


THROTTLED = {
    "error_description": "You have made too many requests continuously. Please try again after some time.",
    "error": "Access Denied",
    "status": "failure",
}


def refuse(status: int, code: str, **headers: str) -> web.Response:
    return web.json_response({"errorCode": code, "message": "no"}, status=status, headers=headers)


def drop(request: web.Request) -> web.Response:
    """The connection ends without an answer."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def unknown(body: Any, allowed: set[str]) -> list[str]:
    return [f"/{key}" for key in body if key not in allowed] if isinstance(body, dict) else ["/"]


def ticket_problems(body: Any, contacts: set[str]) -> list[str]:
    """Fields that break Desk's rules for a ticket."""
    wrong = []
    if not DIGITS.fullmatch(str(body.get("departmentId", ""))) or not isinstance(body.get("departmentId"), str):
        wrong.append("/departmentId")
    inline = body.get("contact")
    known = body.get("contactId") in contacts
    if not known and not (isinstance(inline, dict) and inline.get("lastName") and inline.get("email")):
        wrong.append("/contactId")
    if not 1 <= len(body.get("subject", "")) <= 1000:
        wrong.append("/subject")
    if len(body.get("description", "")) > 65_535 or re.search(r"<(?!br>)", body.get("description", "")):
        wrong.append("/description")
    for key, most in (("email", 150), ("phone", 120)):
        if key in body and not 1 <= len(body[key]) <= most:
            wrong.append(f"/{key}")
    if "email" in body and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", body["email"]):
        wrong.append("/email")
    wrong += [f"/{key}" for key in ("priority", "status") if key in body and not body[key]]
    return wrong


def call_problems(body: Any, contacts: set[str]) -> list[str]:
    """Fields that break Desk's rules for a call."""
    wrong = []
    if not DIGITS.fullmatch(str(body.get("departmentId", ""))) or not isinstance(body.get("departmentId"), str):
        wrong.append("/departmentId")
    if body.get("contactId") not in contacts:
        wrong.append("/contactId")
    if not 1 <= len(body.get("subject", "")) <= 300:
        wrong.append("/subject")
    if not UTC_TIME.fullmatch(body.get("startTime", "")):
        wrong.append("/startTime")
    if body.get("status") not in CALL_STATUSES:
        wrong.append("/status")
    if body.get("direction") not in (None, "inbound", "outbound"):
        wrong.append("/direction")
    if len(body.get("description", "")) > 65_535:
        wrong.append("/description")
    return wrong


if __name__ == "__main__":  # to try a bot by hand: python -m tests.zoho.fake_zoho [PORT]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve_for_people(int(sys.argv[1]) if len(sys.argv) > 1 else 8099))
