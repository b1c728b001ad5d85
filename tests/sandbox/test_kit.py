"""Another provider's sandbox is written with the kit alone: JSON, its own keys, errors, webhooks and control calls."""

import asyncio
import hashlib
import hmac
import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from sandboxes.kit import outbox, params, server
from sandboxes.kit.api import Answer, Api, Request
from sandboxes.kit.call import Call
from sandboxes.kit.control.endpoints import Control, Endpoint
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.kit.outbox import Message
from sandboxes.kit.routing import route
from sandboxes.kit.sandbox import Behaviour, Sandbox
from sandboxes.kit.settings import Settings
from tests.sandbox.receiver import Receiver
from tests.sandbox_process import free_port

HMAC_KEY = b"hmac"
ORDER = {
    "amount_cents": params.Int(required=True, least=1),
    "items": params.Array(params.Str()),
    "urgent": params.Bool(),
}


@route("POST", "/api/orders", ORDER)
def order(sandbox: Sandbox, call: Call) -> Doc:
    """Take a payment, which is confirmed a minute later."""
    doc = sandbox.add({"id": sandbox.ids.new("ord_", 8), "object": "order", "status": "pending", **call.params}, "us")
    sandbox.journal.post("order", doc["id"], "egp", ("card/x", -doc["amount_cents"]), ("us", doc["amount_cents"]))
    sandbox.clock.schedule("order.pay", doc["id"], 60)
    return doc


@route("GET", "/api/orders/{ident}")
def read_order(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read an order."""
    return sandbox.find("order", ident)


def pay(sandbox: Sandbox, ident: str) -> None:
    """Confirm an order and send its webhook."""
    paid = sandbox.store.save({**sandbox.find("order", ident), "status": "paid"})
    event = {"id": sandbox.ids.new("evt_", 8), "object": "event", "type": "TRANSACTION", "order": paid}
    sandbox.add(event, "us")
    outbox.enqueue(sandbox, event["id"], "hook")


class OtherApi(Api):
    """An API of JSON bodies and tokens, without idempotency keys."""

    routes = (order, read_order)
    paths = ("/api/{tail:.*}",)
    numbers = itertools.count()

    def new_request_id(self) -> str:
        return str(next(self.numbers))

    def read(self, request: Request, request_id: str) -> Call:
        if request.headers.get("Authorization") != "Token secret":
            raise ApiError(401, "Authentication credentials were not provided.")
        given = json.loads(request.body) if request.body else {}
        return Call(request.method, request.path, "us", request_id, params=given)

    def error_body(self, error: ApiError, request_id: str) -> Doc:
        return {"detail": error.message, "field": error.param}

    def headers(self, request: Request, answer: Answer, request_id: str) -> dict[str, str]:
        return {"X-Request": request_id}


class OtherWebhooks:
    """Webhooks that are signed with one key of the merchant."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def listeners(self, event: Doc) -> list[Doc]:
        return self.sandbox.store.find("webhook_endpoint")

    def message(self, event: Doc, endpoint: Doc, moment: float | None) -> Message:
        body = json.dumps(event["order"]).encode()
        return Message(f"{endpoint['url']}?hmac={hmac.new(HMAC_KEY, body, hashlib.sha512).hexdigest()}", body, {})


async def refuse_order(control: Control[Sandbox], _given: Doc, ident: str) -> Doc:
    """Fail an order."""
    with control.sandbox.store.transaction():
        return control.sandbox.store.save({**control.sandbox.find("order", ident), "status": "failed"})


def playing(url: str, script: Callable[[Any], Awaitable[None]], data: Path | None = None) -> None:
    """Start the provider, whose webhooks go to `url`, and let the script call it: `call(method, path, body)`."""

    def prepare(sandbox: Sandbox) -> None:
        if sandbox.store.get("hook") is None:
            sandbox.add({"id": "hook", "object": "webhook_endpoint", "url": url, "status": "enabled"}, "us")

    settings = replace(Settings(), port=free_port(), data=data, seed=1)

    async def play() -> None:
        sandbox = Sandbox(settings, Behaviour(timers={"order.pay": pay}, renderers={}, prepare=prepare))
        own = [Endpoint("POST", "/_sandbox/orders/{ident}/refuse", refuse_order)]
        api, webhooks = OtherApi(sandbox), OtherWebhooks(sandbox)
        runner = web.AppRunner(server.application(api, webhooks, webhook_timeout=5, control=own))
        await runner.setup()
        await web.TCPSite(runner, settings.host, settings.port).start()

        async def call(method: str, path: str, body: Any = None, token: str = "secret") -> tuple[int, Any]:
            headers = {"Authorization": f"Token {token}"}
            async with aiohttp.request(method, f"{sandbox.base_url}{path}", json=body, headers=headers) as reply:
                return reply.status, await reply.json()

        try:
            await script(call)
        finally:
            await runner.cleanup()

    asyncio.run(play())


def test_another_provider_takes_json_and_sends_its_own_webhooks(receiver: Receiver) -> None:
    async def script(call: Any) -> None:
        status, made = await call("POST", "/api/orders", {"amount_cents": 500, "items": ["a", "b"], "urgent": True})
        assert (status, made["status"], made["items"], made["urgent"]) == (200, "pending", ["a", "b"], True)
        await call("POST", "/_sandbox/clock", {"seconds": 61})
        assert (await call("GET", f"/api/orders/{made['id']}"))[1]["status"] == "paid"
        assert (await call("GET", "/_sandbox/money/journal"))[1]["entries"][0]["object"] == made["id"]
        [delivery] = (await call("GET", "/_sandbox/webhooks"))[1]["deliveries"]
        assert (delivery["type"], delivery["status"]) == ("TRANSACTION", "succeeded")
        assert (await call("POST", f"/_sandbox/orders/{made['id']}/refuse", {}))[1]["status"] == "failed"

    playing(receiver.url, script)


def test_another_provider_has_its_own_errors_and_the_same_faults(receiver: Receiver) -> None:
    async def script(call: Any) -> None:
        assert await call("GET", "/api/orders/x", token="wrong") == (
            401, {"detail": "Authentication credentials were not provided.", "field": None},
        )  # fmt: skip
        assert (await call("GET", "/api/orders/x"))[0] == 404
        assert (await call("GET", "/api/nothing"))[0] == 404
        assert (await call("POST", "/api/orders", {"amount_cents": True}))[1]["field"] == "amount_cents"
        assert (await call("POST", "/api/orders", {"amount_cents": 1, "items": "a"}))[1]["field"] == "items"
        await call("POST", "/_sandbox/faults", {"kind": "error_before", "method": "POST", "count": 1})
        await call("POST", "/_sandbox/faults", {"kind": "rate_limit", "method": "GET", "count": 1})
        assert [(await call("POST", "/api/orders", {"amount_cents": 1}))[0] for _ in range(2)] == [500, 200]
        assert [(await call("GET", "/api/orders/x"))[0] for _ in range(2)] == [429, 404]

    playing(receiver.url, script)


def test_another_provider_keeps_its_state_and_forgets_it_when_told(receiver: Receiver, tmp_path: Path) -> None:
    made: list[str] = []

    async def first(call: Any) -> None:
        made.append((await call("POST", "/api/orders", {"amount_cents": 5}))[1]["id"])

    async def second(call: Any) -> None:
        assert (await call("GET", f"/api/orders/{made[0]}"))[0] == 200
        assert (await call("POST", "/_sandbox/reset", {}))[1] == {"ok": True}
        assert (await call("GET", f"/api/orders/{made[0]}"))[0] == 404
        assert len((await call("GET", "/_sandbox/objects/webhook_endpoint"))[1]["data"]) == 1

    playing(receiver.url, first, tmp_path)
    playing(receiver.url, second, tmp_path)
