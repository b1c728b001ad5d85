"""Webhook deliveries: signed, retried with growing pauses on the virtual clock, resumed after a restart."""

from __future__ import annotations

import asyncio
import time

import aiohttp

from sandboxes.kit.documents import Doc
from sandboxes.kit.faults import Fault
from sandboxes.kit.outbox import Message, Outbox, Webhooks
from sandboxes.kit.sandbox import Sandbox

PER_ENDPOINT = 4
LONGEST_WAIT = 1.0


class Deliverer:
    """Sends due deliveries. The state is in the store; this object only holds the attempts in progress."""

    def __init__(self, sandbox: Sandbox, webhooks: Webhooks, *, timeout: float) -> None:
        self.sandbox = sandbox
        self.outbox = Outbox(sandbox, webhooks)
        self._timeout = timeout
        self._in_progress: dict[int, asyncio.Task[None]] = {}
        self._busy: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Start to deliver, with what was pending when the last process ended."""
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        self._session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        with self.sandbox.store.transaction():
            # Attempts missed while the sandbox was down do not count: the next one is made now.
            self.sandbox.store.db.execute(
                "UPDATE deliveries SET held = 0, due = max(due, ?) WHERE status = 'pending' AND due <= ?",
                (self.sandbox.clock.exact(), self.sandbox.clock.exact()),
            )
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; attempts in progress are cancelled and stay pending."""
        tasks = [task for task in (self._loop, *self._in_progress.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    async def cancel(self) -> None:
        """Cancel the attempts in progress, and those that start meanwhile."""
        while self._in_progress:
            running = dict(self._in_progress)
            for task in running.values():
                task.cancel()
            await asyncio.gather(*running.values(), return_exceptions=True)
            # A task that was cancelled before its first step has not removed itself.
            for ident, task in running.items():
                if self._in_progress.get(ident) is task:
                    del self._in_progress[ident]
        self._busy.clear()

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._wake.set()

    async def drain(self, seconds: float) -> bool:
        """Wait until nothing is due or in progress, for at most some real seconds; return whether that happened."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._launch()
            if not self._in_progress and not self._due():
                return True
            self._wake.clear()
            await self._pause(0.05)
        return False

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            self._launch()
            await self._pause(LONGEST_WAIT if not self._in_progress else 0.05)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return

    def _due(self) -> list[Doc]:
        return [delivery for delivery in self.outbox.due() if delivery["id"] not in self._in_progress]

    def _launch(self) -> None:
        for delivery in self._due():
            endpoint = delivery["endpoint"]
            if self._busy.get(endpoint, 0) >= PER_ENDPOINT:
                continue
            self._busy[endpoint] = self._busy.get(endpoint, 0) + 1
            task = asyncio.create_task(self._deliver(delivery))
            self._in_progress[delivery["id"]] = task

    async def _deliver(self, delivery: Doc) -> None:
        try:
            await self._attempt(delivery)
        finally:
            self._in_progress.pop(delivery["id"], None)
            self._busy[delivery["endpoint"]] -= 1
            self._wake.set()

    async def _attempt(self, delivery: Doc) -> None:
        opened = self.outbox.opened(delivery)
        if opened is None:
            self.outbox.finish(delivery, "dropped", "the endpoint is gone or disabled")
            return
        event, endpoint = opened
        fault = self._fault(delivery, event, endpoint)
        if fault and fault.kind == "webhook_lost":
            self.outbox.finish(delivery, "lost", "lost by a fault rule")
            return
        if fault and fault.kind in ("webhook_delayed", "webhook_reordered"):
            self._put_off(delivery, fault)
            return
        note = await self._send(self.outbox.message(event, endpoint))
        if fault and fault.kind == "webhook_doubled":
            await self._send(self.outbox.message(event, endpoint))
        self.outbox.settle(delivery, note)
        self._release(delivery["endpoint"])

    def _fault(self, delivery: Doc, event: Doc, endpoint: Doc) -> Fault | None:
        if delivery["attempts"]:
            return None
        with self.sandbox.store.transaction():
            return self.sandbox.faults.for_webhook(event["type"], endpoint["url"])

    def _put_off(self, delivery: Doc, fault: Fault) -> None:
        """Postpone a delivery: a delayed one to a later virtual time, a reordered one until the next has been sent."""
        is_held = fault.kind == "webhook_reordered"
        self.outbox.put_off(delivery, fault.kind, seconds=0 if is_held else fault.seconds, is_held=is_held)
        if is_held:
            asyncio.get_running_loop().call_later(fault.seconds, self._release, delivery["endpoint"])

    def _release(self, endpoint: str) -> None:
        self.outbox.release(endpoint)
        self._wake.set()

    async def _send(self, message: Message) -> str:
        """Send once. Returns "" for success, or what went wrong."""
        if self._session is None:
            return "not started"
        try:
            async with self._session.post(
                message.url, data=message.body, headers=message.headers, allow_redirects=False
            ) as reply:
                return "" if 200 <= reply.status < 300 else f"answered {reply.status}"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
