"""The view of the SalesIQ webhook: whatever comes, a valid action goes back in time."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web
from msgspec.structs import replace

from supportbot.decision.conclude import start_session
from supportbot.errors import StoreError
from supportbot.model.decision import Reply, Suggested
from supportbot.model.session import Message, Session
from supportbot.runtime.delivery import Delivery
from supportbot.runtime.results import TurnResult
from supportbot.runtime.unstored import unstored_handover
from supportbot.server import logs, salesiq
from supportbot.server.bodies import read_body
from supportbot.server.middlewares import STARTED
from supportbot.server.problems import Problem, encode, json_response
from supportbot.server.responses import Prepared
from supportbot.server.salesiq import Event
from supportbot.server.salesiq_channel import Channel, Voice
from supportbot.server.salesiq_reply import Body, View, plain, render, shorter
from supportbot.server.service import SERVICE, Service
from supportbot.server.signature import HEADER

RESERVE = 0.1  # of the deadline: what is left for writing the answer while others are being written
NO_CALLBACKS = frozenset({"instagram"})  # late answers are not delivered there
REFUSED = {"WWW-Authenticate": 'Signature realm="salesiq"'}


async def salesiq_ping(request: web.Request) -> web.Response:
    """GET and HEAD: SalesIQ tries the address when a bot is saved."""
    return json_response({"status": "ok", "channel": "salesiq"})


async def salesiq_event(request: web.Request) -> web.StreamResponse:
    """POST: one event. Content types are not looked at, because SalesIQ does not keep to them.

    401 for a caller who is not SalesIQ; 200 and an action for everything else.
    """
    service = request.app[SERVICE]
    channel = service.channel
    if not channel.allows(request.query.get("token", "")):
        raise Problem(401, "The address of this webhook holds a token that is missing or wrong here.", REFUSED)
    deadline = request[STARTED] + service.reply_deadline * (1 - RESERVE)
    try:
        async with asyncio.timeout_at(deadline):
            body = await read_body(request, service.options.limits)
    except (Problem, TimeoutError) as problem:
        return _unread(service, channel, problem)
    if body.strip() and channel.keys and not channel.keys.accept(body, request.headers.get(HEADER, "")):
        raise Problem(401, f"The header {HEADER} does not hold a good signature of this body.", REFUSED)
    try:
        content = await _answer(service, channel, _event(body, service), request[STARTED], deadline)
    except Exception as failure:  # SalesIQ drops a chat whose webhook answers anything but 200
        logs.log_failure("event failed", failure, channel="salesiq")
        service.beside.failed("webhook_exception", type(failure).__name__)
        content = plain(Suggested(service.options.texts.trouble))
    return Prepared(content if isinstance(content, bytes) else encode(content))


def _unread(service: Service, channel: Channel, problem: Problem | TimeoutError) -> web.Response:
    """A body that did not arrive whole: nobody can tell whose it is."""
    if channel.keys:
        raise Problem(401, "The body did not arrive, so its signature cannot be checked.", REFUSED, closes=True)
    logs.log(logging.WARNING, "unreadable event", channel="salesiq", detail=str(problem) or "too slow")
    response = json_response(plain(Suggested(service.options.texts.trouble)))
    response.force_close()
    return response


def _event(body: bytes, service: Service) -> Event:
    payload = salesiq.read_object(body, service.options.limits)
    if body.strip() and not payload:
        logs.log(logging.WARNING, "unreadable event", channel="salesiq", detail="it is no JSON object")
    event = salesiq.parse(payload, logs.REQUEST_ID.get())
    logs.SESSION_ID.set(event.session_id)
    return event


async def _answer(service: Service, channel: Channel, event: Event, started: float, deadline: float) -> Body | bytes:
    """The action that answers an event."""
    message = event.message(service.now())
    session = _unstored(service, message)
    voice = Voice(service.bot, session, service.options.texts)
    view = View(
        service.bot,
        channel,
        service.options.environment,
        service.options.texts,
        message.at,
        event.platform,
        event.preview,
    )
    if event.kind == "failure":
        return plain(voice("trouble"), view)
    if event.kind == "too_long":
        return shorter(event.failed) or plain(voice("trouble"), view)
    if event.kind == "wordless":
        return plain(voice("words_please"), view)
    if event.kind == "greet" and not event.known:
        return render(service.greeting(message), session, view)
    if event.kind == "handover_failed" and not (event.known and service.bot.settings.handover_failed):
        return plain(voice("nobody_free"), view)
    if service.wait_for_session(message.session_id) or service.is_full():
        return plain(voice("busy"), view)
    return await _Turn(service, event, message, view, voice).answer(started, deadline)


def _unstored(service: Service, message: Message) -> Session:
    """The conversation as far as the event tells it: enough to word a text without asking the store."""
    session = start_session(service.bot, message.session_id, message.at, message.channel)
    return replace(session, visitor=message.visitor)


class _Turn:
    """One turn, and what SalesIQ hears of it: its reply, or a text in its place and the reply later."""

    def __init__(self, service: Service, event: Event, message: Message, view: View, voice: Voice) -> None:
        self.service = service
        self.event = event
        self.message = message
        self.view = view
        self.voice = voice
        can_push = service.push is not None and event.request_id and event.platform not in NO_CALLBACKS
        self.delivery = Delivery(self._push if can_push else None)

    async def answer(self, started: float, deadline: float) -> Body | bytes:
        patience = deadline
        if self.delivery.push is not None:
            patience = min(deadline, started + self.view.channel.settings.pending_after)
        task = self.service.start(self._work())
        try:
            body = await self.service.wait(task, patience)
            self.service.beside.worked("webhook_exception")
            return body
        except TimeoutError as failure:
            if task.done():  # the turn's own failure
                return self._failed(failure)
        except asyncio.CancelledError:
            self.delivery.postpone()  # SalesIQ hung up: what it did not hear is owed
            raise
        except Exception as failure:
            logs.log_failure("turn failed", failure, channel="salesiq")
            return self._failed(failure)
        return await self._instead(task)

    def _failed(self, failure: BaseException) -> Body:
        """An apology; but whoever asks for a person gets one, although nothing can be read or stored."""
        self.service.beside.failed("webhook_exception", type(failure).__name__)
        asked = self.event.kind == "message" and isinstance(failure, StoreError)
        reply = unstored_handover(self.view.bot, self.message) if asked else None
        if reply is None:
            return plain(self.voice("trouble"), self.view)
        return render(reply, _unstored(self.service, self.message), self.view)

    async def _instead(self, task: asyncio.Task[bytes]) -> Body | bytes:
        part = self.voice("late" if self.delivery.push is None else "pending")
        if not self.delivery.postpone(part.suggestions if self.delivery.push is None else ()):
            return await task  # stored already: only its last step is missing
        if self.delivery.push is not None:
            return {"action": "pending", "replies": [part.text]}
        logs.log(logging.WARNING, "answered at the deadline", channel="salesiq")
        self.service.metrics.count(self.service.metrics.late, "salesiq")
        return plain(part, self.view)

    async def _work(self) -> bytes:
        talks, request_id = self.service.conversations, logs.REQUEST_ID.get()
        try:
            if self.event.kind == "handover_failed":
                steps = self.service.bot.settings.handover_failed
                result = await talks.aside(self.message, steps, request_id, self.delivery)
                self.service.observe(result)
                return self._rendered(result)
            greets = self.event.kind == "greet"
            answer = await self.service.answer(self.message, self._rendered, greets=greets, delivery=self.delivery)
        except Exception:
            if self.delivery.late and self.service.push is not None and self.delivery.push is not None:
                await self.service.push.respond(self.event.request_id, plain(self.voice("trouble"), self.view))
            raise
        return answer.body

    def _rendered(self, result: TurnResult) -> bytes:
        return encode(render(result.reply, result.session, self.view))

    async def _push(self, session: Session, reply: Reply) -> bool:
        if self.service.push is None:
            return False
        taken = await self.service.push.respond(self.event.request_id, render(reply, session, self.view))
        logs.log(logging.INFO if taken else logging.WARNING, "late answer", channel="salesiq", delivered=taken)
        return taken
