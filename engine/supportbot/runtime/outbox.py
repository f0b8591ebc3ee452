"""The worker that makes queued calls happen: once where that can be told, visibly given up where it cannot.

A write is noted in the store before it is sent. Whatever ends the process then, whoever goes on finds a write whose
outcome is unknown, and looks for it before another one is sent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from supportbot.decision.render import holds, render
from supportbot.errors import StoreError
from supportbot.model.bot import Action, Bot
from supportbot.runtime.calls import CallResult, Calls, with_values
from supportbot.runtime.ports import Clock
from supportbot.runtime.queued import Outbox, QueuedCall

log = logging.getLogger("supportbot.outbox")

Tell = Callable[[QueuedCall], Awaitable[None]]
Alert = Callable[[str], None]

_LONG_WAIT = 10.0  # seconds; whoever asks for more has no room for other calls either
_AUTH_TRIES = 3  # each may cost a new token, and services give few of them
_SHARED_FOR = 3600.0  # seconds that an answer is shared; Zoho's search finds a new contact within minutes
_TELL_AFTER = 5.0  # a call that ended so long ago and that nobody told of is told of now


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. ``tries`` of a step, with pauses from ``first`` to ``most``, before it is given up.

    ``lease``: how long a call belongs to the process that works on it. ``look``: how often other processes' leftovers
    are looked for. ``grace``: how long calls in work may take to end when the process stops.
    """

    tries: int = 20
    first: float = 0.5
    most: float = 900.0
    lease: float = 120.0
    look: float = 1.0
    parallel: int = 16
    grace: float = 5.0


class OutboxWorker:
    """``bot`` gives the bot of this moment. ``tell`` is called when a call ended and nobody waits for it."""

    def __init__(
        self,
        bot: Callable[[], Bot],
        outbox: Outbox,
        calls: Calls,
        clock: Clock,
        alert: Alert = lambda _text: None,
        patience: Patience | None = None,
    ) -> None:
        self._bot = bot
        self._outbox = outbox
        self._calls = calls
        self._clock = clock
        self._alert = alert
        self._patience = patience or Patience()
        self.tell: Tell | None = None
        self.owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        self._wake = asyncio.Event()
        self._working: dict[str, asyncio.Task[None]] = {}
        self._waiters: dict[str, asyncio.Future[QueuedCall]] = {}
        self._beaten = 0.0
        self._closed_until: dict[str, float] = {}  # connections whose quota is used up

    def missing(self, bot: Bot, action: Action) -> tuple[str, ...]:
        return self._calls.missing(bot, action)

    # --- for a turn ---------------------------------------------------------------------------

    def expect(self, ids: Iterable[str]) -> None:
        """Announce that ``wait`` follows; before the calls are written, so that none can slip through."""
        for call_id in ids:
            self._waiters[call_id] = asyncio.get_running_loop().create_future()

    async def wait(self, ids: Iterable[str], seconds: float) -> tuple[QueuedCall, ...]:
        """Calls that end within so many seconds; the others are told of later."""
        known = {call_id: self._waiters[call_id] for call_id in ids if call_id in self._waiters}
        self._wake.set()
        try:
            if known:
                await asyncio.wait(known.values(), timeout=seconds)
            return tuple(future.result() for future in known.values() if future.done() and not future.cancelled())
        finally:
            self.forget(known)

    def forget(self, ids: Iterable[str]) -> None:
        for call_id in ids:
            future = self._waiters.pop(call_id, None)
            if future is not None:
                future.cancel()

    # --- the loop -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled. A store that fails is tried again."""
        with suppress(StoreError):
            await self._free_the_dead()
        try:
            while True:
                try:
                    await self.once()
                except StoreError as failure:
                    log.error("the outbox cannot be read: %s", failure)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._patience.look):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            await self._stop()

    async def once(self) -> None:
        """Start what is due, and tell of what ended unnoticed."""
        room = self._patience.parallel - len(self._working)
        await self._beat()
        if room > 0:
            now = self._now()
            for call in await self._outbox.take(self.owner, now, now + self._patience.lease, room):
                if call.id in self._working:  # its lease ran out because this process was held up
                    continue
                task = asyncio.create_task(self._work(call))
                self._working[call.id] = task
                task.add_done_callback(partial(self._ended, call.id))
        for call in await self._outbox.untold(self._now() - _TELL_AFTER, 50):
            if call.id not in self._waiters:
                await self._tell(call)

    async def _stop(self) -> None:
        """Calls in work may end; those that do not in time are looked for by whoever goes on with them."""
        tasks = list(self._working.values())
        if tasks:
            await asyncio.wait(tasks, timeout=self._patience.grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _beat(self) -> None:
        """Calls in work stay this process's, however long they wait for room, tokens or the network."""
        now = self._now()
        if self._working and now - self._beaten > self._patience.lease / 4:
            self._beaten = now
            await self._outbox.extend(self.owner, list(self._working), now + self._patience.lease)

    async def idle(self) -> None:
        """Wait until nothing is in work."""
        while self._working:
            await asyncio.wait(list(self._working.values()))

    def _ended(self, call_id: str, _task: asyncio.Task[None]) -> None:
        self._working.pop(call_id, None)
        self._wake.set()

    def _now(self) -> float:
        return self._clock.now().timestamp()

    async def _free_the_dead(self) -> None:
        """Calls of processes of this machine that are no more need not wait for their lease to end."""
        gone = [owner for owner in await self._outbox.owners() if _is_gone(owner)]
        await self._outbox.free(gone)

    # --- one call -----------------------------------------------------------------------------

    async def _work(self, call: QueuedCall) -> None:
        try:
            await self._advance(call)
        except StoreError as failure:  # its lease ends, then it is taken up again
            log.error("call %s: %s", call.id, failure)
        except Exception as failure:
            # The class only: texts of exceptions may quote what a visitor wrote.
            log.error("call %s stopped: %s", call.id, type(failure).__name__)
            await self._after_a_bug(call.id, type(failure).__name__)

    async def _advance(self, call: QueuedCall) -> None:
        bot = self._bot()
        chain = call.chain  # as it was when it began: a step must mean the same after the bot was changed
        if gone := [name for name in chain if name not in bot.actions]:
            await self._give_up(call, "failed", f"this bot has no action {gone[0]} any more")
            return
        while call.step < len(chain):
            part = bot.actions[chain[call.step]]
            stepped = await self._step(bot, part, call)
            if stepped is None:
                return  # somebody else's by now
            call, result = stepped
            if result.verdict != "done":
                await self._later(call, part.connection, result)
                return
            call = replace(call, step=call.step + 1, values={**call.values, **result.values}, attempts=0, sent_at=0.0)
            if call.step < len(chain) and not await self._keep(call):
                return
        await self._finish(replace(call, state="done", error="", reason=""))

    async def _step(self, bot: Bot, part: Action, call: QueuedCall) -> tuple[QueuedCall, CallResult] | None:
        scope = with_values(call.scope, call.values)
        closed = self._closed_until.get(part.connection, 0.0) - self._now()
        if part.condition is not None and not holds(part.condition, scope):
            return call, CallResult("done")
        if closed > 0:
            reason = "the quota is used up"
            return call, CallResult("again", error="rate_limited", wait=closed, reason=reason, counts=False)
        key = render(part.once_for, scope) if part.once_for is not None else ""
        if key:
            shared = await self._shared(part, key, call)
            if shared is not None:
                return replace(call, sent_at=0.0), shared
        if part.writes and call.sent_at:
            looked = await self._look(bot, part, call)
            if looked is not None:
                if key and looked.verdict == "done":
                    await self._outbox.share(part.id, key, looked.values, self._now())
                return call, looked
        writing = call

        async def sending() -> bool:
            """Noted before it goes out: whoever goes on after a crash knows that it may have happened."""
            return await self._keep(replace(writing, sent_at=self._now()))

        result = await self._calls.call(bot, part, scope, sending)
        if result.verdict == "lost":
            return None
        # From its end on: the service may work on it as long after that as it likes to.
        call = replace(call, sent_at=self._now() if result.verdict == "unknown" else 0.0)
        if key and result.verdict == "done":
            await self._outbox.share(part.id, key, result.values, self._now())
        return call, result

    async def _look(self, bot: Bot, part: Action, call: QueuedCall) -> CallResult | None:
        """Whether an earlier write happened; None when it surely did not and may be sent again."""
        if part.reconcile is None:
            reason = "it is not known whether it happened, and nothing can tell (no reconcile)"
            return CallResult("refused", error="timeout", reason=reason)
        read = bot.actions[part.reconcile.action]
        result = await self._calls.call(bot, read, with_values(call.scope, call.values))
        if result.verdict != "done":
            return replace(result, verdict="again" if result.verdict != "off" else "off")
        if result.found == "yes":
            return CallResult("done", {slot: result.values.get(slot, "") for slot, _ in part.save})
        left = call.sent_at + part.reconcile.after - self._now()
        if left <= 0 and result.found == "perhaps":
            reason = "it is not known whether it happened, because the list that would tell is cut off"
            return CallResult("refused", error="timeout", reason=reason)
        if left <= 0:
            return None
        # It may still be under way there: looking again soon costs little, sending again could double it.
        reason = "it is not there yet"
        return CallResult("unknown", error="timeout", wait=min(left, 5.0), reason=reason, counts=False)

    async def _shared(self, part: Action, key: str, call: QueuedCall) -> CallResult | None:
        now = self._now()
        since = now - _SHARED_FOR
        values = await self._outbox.shared(part.id, key, since)
        if values is not None:
            return CallResult("done", values)
        if await self._outbox.reserve(part.id, key, call.id, (since, now, now + self._patience.lease)):
            return None
        reason = "the same call is under way"
        return CallResult("again", error="failed", wait=self._patience.first, reason=reason, counts=False)

    async def _after_a_bug(self, call_id: str, reason: str) -> None:
        """It counts as a try, so that it ends some day; whether a write went out is what the store says."""
        with suppress(StoreError):
            call = await self._outbox.find(call_id)
            if call is not None and call.state == "waiting":
                await self._later(call, "", CallResult("again", error="failed", reason=reason))

    async def _later(self, call: QueuedCall, connection: str, result: CallResult) -> None:
        if result.verdict == "refused":
            await self._give_up(call, result.error, result.reason)
            return
        attempts = call.attempts + (1 if result.counts else 0)
        if attempts >= (_AUTH_TRIES if result.error == "auth" else self._patience.tries):
            error = "timeout" if call.sent_at else result.error
            await self._give_up(call, error, f"{attempts} tries, the last one: {result.reason}")
            return
        if result.error == "rate_limited" and result.wait > _LONG_WAIT and result.counts:
            self._closed_until[connection] = self._now() + result.wait
        pause = min(self._patience.first * 2 ** min(attempts, 30), self._patience.most)
        wait = max(result.wait, pause * random.uniform(0.5, 1.0)) if result.counts else result.wait
        await self._outbox.keep(
            replace(call, attempts=attempts, due_at=self._now() + wait, error=result.error, reason=result.reason),
            self.owner,
            0.0,
        )
        log.info("call %s of %s is tried again in %.1f s: %s", call.id, call.action, wait, result.reason)
        asyncio.get_running_loop().call_later(wait, self._wake.set)

    async def _give_up(self, call: QueuedCall, error: str, reason: str) -> None:
        log.error("call %s of %s was given up: %s", call.id, call.action, reason)
        self._alert(f"action {call.action} ({call.id}) was given up: {reason}")
        await self._finish(replace(call, state="dead", error=error or "failed", reason=reason))

    async def _finish(self, call: QueuedCall) -> None:
        call = replace(call, finished_at=self._now())
        if not await self._outbox.keep(call, self.owner, 0.0):
            return
        future = self._waiters.get(call.id)
        if future is not None and not future.done():
            future.set_result(call)
        else:
            await self._tell(call)

    async def _keep(self, call: QueuedCall) -> bool:
        return await self._outbox.keep(call, self.owner, self._now() + self._patience.lease)

    async def _tell(self, call: QueuedCall) -> None:
        if self.tell is not None:
            await self.tell(call)


def _is_gone(owner: str) -> bool:
    """Whether an owner was a process of this machine that does not run any more."""
    host, _, rest = owner.partition("/")
    pid = rest.partition("/")[0]
    if host != socket.gethostname() or not pid.isdecimal() or int(pid) == os.getpid():
        return host == socket.gethostname() and pid == str(os.getpid())
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
