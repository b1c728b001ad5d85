"""Webhook deliveries: signed, retried with growing pauses on the virtual clock, resumed after a restart."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time

import aiohttp

from stripe_sandbox.box import Box
from stripe_sandbox.documents import Doc
from stripe_sandbox.faults import Fault

PER_ENDPOINT = 4
LONGEST_WAIT = 1.0


def signature(body: bytes, secrets: list[str], moment: int) -> str:
    """Return the Stripe-Signature header: one v1 for each secret that is in force."""
    signed = b"%d." % moment + body
    marks = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={moment}", *(f"v1={mark}" for mark in marks)])


class Deliverer:
    """Sends what is due. The state is in the store; this object only holds what is on its way."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self._flying: dict[int, asyncio.Task[None]] = {}
        self._busy: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Begin to deliver; what was pending when the last process ended goes out again."""
        timeout = aiohttp.ClientTimeout(total=self.box.settings.webhook_timeout)
        self._session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        with self.box.store.transaction():
            # Attempts missed while the sandbox was down do not count: the next one is made now.
            self.box.store.db.execute(
                "UPDATE deliveries SET held = 0, due = max(due, ?) WHERE status = 'pending' AND due <= ?",
                (self.box.clock.exact(), self.box.clock.exact()),
            )
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; what is on its way stays pending."""
        tasks = [task for task in (self._loop, *self._flying.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    async def forget(self) -> None:
        """Cut what is on its way, and what starts meanwhile."""
        while self._flying:
            flying = dict(self._flying)
            for task in flying.values():
                task.cancel()
            await asyncio.gather(*flying.values(), return_exceptions=True)
            # One that was cut before its first step has not taken itself off the list.
            for ident, task in flying.items():
                if self._flying.get(ident) is task:
                    del self._flying[ident]
        self._busy.clear()

    def wake(self) -> None:
        """Look again for what is due."""
        self._wake.set()

    async def drain(self, seconds: float) -> bool:
        """Wait until nothing is due or on its way, for at most some real seconds; tell whether it came to that."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._launch()
            if not self._flying and not self._due():
                return True
            self._wake.clear()
            await self._pause(0.05)
        return False

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            self._launch()
            await self._pause(LONGEST_WAIT if not self._flying else 0.05)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return

    def _due(self) -> list[Doc]:
        rows = self.box.store.db.execute(
            "SELECT * FROM deliveries WHERE status = 'pending' AND held = 0 AND due <= ? ORDER BY due, id LIMIT 500",
            (self.box.clock.exact(),),
        )
        return [dict(row) for row in rows if row["id"] not in self._flying]

    def _launch(self) -> None:
        for delivery in self._due():
            endpoint = delivery["endpoint"]
            if self._busy.get(endpoint, 0) >= PER_ENDPOINT:
                continue
            self._busy[endpoint] = self._busy.get(endpoint, 0) + 1
            task = asyncio.create_task(self._deliver(delivery))
            self._flying[delivery["id"]] = task

    async def _deliver(self, delivery: Doc) -> None:
        try:
            await self._attempt(delivery)
        finally:
            self._flying.pop(delivery["id"], None)
            self._busy[delivery["endpoint"]] -= 1
            self._wake.set()

    async def _attempt(self, delivery: Doc) -> None:
        event, endpoint = self._opened(delivery)
        if event is None or endpoint is None or endpoint["status"] != "enabled":
            self._finish(delivery, "dropped", "the endpoint is gone or disabled")
            return
        fault = self._fault(delivery, event, endpoint)
        if fault and fault.kind == "webhook_lost":
            self._finish(delivery, "lost", "lost by a fault rule")
            return
        if fault and fault.kind in ("webhook_delayed", "webhook_reordered"):
            await self._put_off(delivery, fault)
            return
        note = await self._send(event, endpoint)
        if fault and fault.kind == "webhook_doubled":
            await self._send(event, endpoint)
        self._settle(delivery, note)
        self._release(delivery)

    def _opened(self, delivery: Doc) -> tuple[Doc | None, Doc | None]:
        with self.box.store.transaction():
            store = self.box.store
            return store.get(delivery["event"], "event"), store.get(delivery["endpoint"], "webhook_endpoint")

    def _fault(self, delivery: Doc, event: Doc, endpoint: Doc) -> Fault | None:
        if delivery["attempts"]:
            return None
        with self.box.store.transaction():
            return self.box.faults.for_webhook(event["type"], endpoint["url"])

    async def _put_off(self, delivery: Doc, fault: Fault) -> None:
        """Delayed: due later on the virtual clock. Reordered: held until the next delivery has gone out."""
        held = int(fault.kind == "webhook_reordered")
        with self.box.store.transaction():
            self.box.store.db.execute(
                "UPDATE deliveries SET due = due + ?, held = ?, attempts = attempts + 1, note = ? WHERE id = ?",
                (0 if held else fault.seconds, held, fault.kind, delivery["id"]),
            )
        if held:
            asyncio.get_running_loop().call_later(fault.seconds, self._release, delivery)

    def _release(self, delivery: Doc) -> None:
        with self.box.store.transaction():
            self.box.store.db.execute(
                "UPDATE deliveries SET held = 0 WHERE endpoint = ? AND held = 1", (delivery["endpoint"],)
            )
        self._wake.set()

    async def _send(self, event: Doc, endpoint: Doc) -> str:
        """Send once. Returns "" for success, or what went wrong."""
        body = json.dumps(self.box.render(event), indent=2, ensure_ascii=False).encode()
        # The receiver checks the age of the signature against real time, so the virtual clock stays out of it.
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (offline sandbox)",
            "Stripe-Signature": signature(body, self._secrets(endpoint), int(time.time())),
        }
        if self._session is None:
            return "not started"
        try:
            async with self._session.post(endpoint["url"], data=body, headers=headers, allow_redirects=False) as reply:
                return "" if 200 <= reply.status < 300 else f"answered {reply.status}"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return f"{type(error).__name__}: {error}"

    def _secrets(self, endpoint: Doc) -> list[str]:
        now = self.box.clock.exact()
        older = [old["secret"] for old in endpoint["_old_secrets"] if old["until"] > now]
        return [endpoint["_secret"], *older]

    def _settle(self, delivery: Doc, note: str) -> None:
        if not note:
            self._finish(delivery, "succeeded", "")
            return
        pauses = self.box.settings.retry_pauses
        attempts = delivery["attempts"]
        if attempts >= len(pauses):
            self._finish(delivery, "failed", note)
            return
        with self.box.store.transaction():
            self.box.store.db.execute(
                "UPDATE deliveries SET attempts = attempts + 1, due = ?, note = ? WHERE id = ?",
                # Counted from when the attempt was due, so that one long advance plays every attempt.
                (delivery["due"] + pauses[attempts], note, delivery["id"]),
            )

    def _finish(self, delivery: Doc, status: str, note: str) -> None:
        with self.box.store.transaction():
            self.box.store.db.execute(
                "UPDATE deliveries SET status = ?, note = ?, attempts = attempts + 1 WHERE id = ?",
                (status, note, delivery["id"]),
            )
