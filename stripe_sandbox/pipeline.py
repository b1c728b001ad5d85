"""The way of a request: key, version, fault, endpoint, idempotency, parameters, effect, answer."""

from __future__ import annotations

import asyncio
import logging
import secrets

from aiohttp import web

from stripe_sandbox import authentication, expansion, forms, params, routing
from stripe_sandbox.box import Box
from stripe_sandbox.call import Call
from stripe_sandbox.documents import Doc
from stripe_sandbox.errors import ApiError
from stripe_sandbox.faults import Fault
from stripe_sandbox.idempotency import Answer, Keys, encode, fingerprint
from stripe_sandbox.settings import API_VERSION

log = logging.getLogger("stripe_sandbox")
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Stripe-Version, Stripe-Account",
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Expose-Headers": "Request-Id, Stripe-Version",
}


class Dropped(Exception):
    """The connection is cut instead of an answer."""


class Pipeline:
    """Answers every request under `/v1/`."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.keys = Keys(box)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, or cut its connection when a fault says so."""
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=CORS)
        request_id = f"req_{secrets.token_urlsafe(10).replace('-', 'a').replace('_', 'b')}"
        try:
            answer = await self._answer(request, request_id)
        except Dropped:
            _cut(request)
            raise asyncio.CancelledError from None
        except ApiError as error:
            answer = Answer(error.status, encode(error.body(request_id)), request_id)
        except Exception:
            log.exception("request %s failed", request_id)
            answer = _broken(request_id)
        return _response(request, answer, request_id)

    async def _answer(self, request: web.Request, request_id: str) -> Answer:
        form = await _form(request)
        caller = authentication.authenticate(self.box, request.headers, form.pop("key", None))
        authentication.check_version(request.headers)
        route = routing.match(request.method, request.path)
        if route is None:
            raise ApiError(
                404, f"Unrecognized request URL ({request.method}: {request.path}). Check the path.", saved=False
            )
        if caller.publishable and not route.publishable:
            raise ApiError(
                403, "This API call cannot be made with a publishable API key. Use a secret API key.",
                code="secret_key_required", saved=False,
            )  # fmt: skip
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        call = Call(
            request.method, request.path, caller.account, request_id, caller.publishable, key,
            request.remote, request.headers.get("User-Agent"), form,
        )  # fmt: skip
        fault = self._fault(call)
        if fault and fault.kind == "drop_request":
            raise Dropped
        if fault and fault.kind == "rate_limit":
            raise ApiError(
                429, "Request rate limit exceeded. Retry with exponential backoff.", code="rate_limit", saved=False
            )
        return await self._keyed(call, route, fingerprint(request.method, request.path, form), fault)

    def _fault(self, call: Call) -> Fault | None:
        with self.box.store.transaction():
            return self.box.faults.for_request(call.method, call.path)

    async def _keyed(self, call: Call, route: routing.Route, mark: str, fault: Fault | None) -> Answer:
        key = call.idempotency_key
        if key is None:
            return await self._faulty(call, route, mark, fault)
        saved = self.keys.begin(call.account, key, mark)
        if saved is not None:
            return saved
        try:
            return await self._faulty(call, route, mark, fault)
        finally:
            self.keys.end(call.account, key)

    async def _faulty(self, call: Call, route: routing.Route, mark: str, fault: Fault | None) -> Answer:
        kind = fault.kind if fault else None
        if fault and kind == "delay":
            await asyncio.sleep(fault.seconds)
        if kind == "error_before":
            with self.box.store.transaction():
                return self._saved(call, mark, _broken(call.request_id))
        answer = self._effect(call, route, mark, broken=kind == "error_after")
        self.box.run_due()
        if kind == "drop_response":
            raise Dropped
        return answer

    def _effect(self, call: Call, route: routing.Route, mark: str, *, broken: bool) -> Answer:
        """Run the endpoint and keep its answer with its key, in one transaction."""
        box = self.box
        box.call = call
        try:
            with box.store.transaction():
                try:
                    answer = Answer(200, encode(_run(box, call, route)), call.request_id)
                except ApiError as error:
                    if not error.keep_effects:
                        raise
                    answer = Answer(error.status, encode(error.body(call.request_id)), call.request_id)
                return self._saved(call, mark, _broken(call.request_id) if broken else answer)
        except ApiError as error:
            answer = Answer(error.status, encode(error.body(call.request_id)), call.request_id)
            if error.saved:
                with box.store.transaction():
                    self._saved(call, mark, answer)
            return answer
        finally:
            box.call = None

    def _saved(self, call: Call, mark: str, answer: Answer) -> Answer:
        if call.idempotency_key is not None:
            self.keys.save(call.account, call.idempotency_key, mark, answer)
        return answer


def _run(box: Box, call: Call, route: routing.Route) -> Doc:
    call.params = params.read(route.params, call.params)
    doc = route.run(box, call)
    answer = doc if doc.get("object") == "list" or doc.get("deleted") else box.render(doc)
    return expansion.expand(box, answer, call.get("expand", []))


async def _form(request: web.Request) -> Doc:
    query = request.query_string
    try:
        body = (await request.read()) if request.can_read_body else b""
    except web.HTTPRequestEntityTooLarge as error:
        raise ApiError(413, "The request is too large.", saved=False) from error
    kind = request.content_type
    if body and kind != "application/x-www-form-urlencoded":
        raise ApiError(
            415 if kind == "application/json" else 400,
            f"Invalid request: the body must be application/x-www-form-urlencoded, not {kind}.",
            saved=False,
        )
    try:
        text = "&".join(part for part in (query, body.decode()) if part)
    except UnicodeDecodeError as error:
        raise ApiError(400, "Invalid UTF-8 in the request.", saved=False) from error
    return forms.decode(text)


def _broken(request_id: str) -> Answer:
    error = ApiError(500, "Something went wrong on the server's side. Retry later.", kind="api_error")
    return Answer(500, encode(error.body(request_id)), request_id)


def _response(request: web.Request, answer: Answer, request_id: str) -> web.Response:
    headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION, "Cache-Control": "no-cache, no-store", **CORS}
    for name in ("Idempotency-Key", "Stripe-Account"):
        if request.headers.get(name, "").isascii() and name in request.headers:
            headers[name] = request.headers[name]
    if "Idempotency-Key" in headers:
        headers["Original-Request"] = answer.request_id
    if answer.replayed:
        headers["Idempotent-Replayed"] = "true"
    # An error may quote a header that was not text.
    body = answer.body.encode(errors="replace")
    return web.Response(
        status=answer.status, body=body, content_type="application/json", charset="utf-8", headers=headers
    )


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
