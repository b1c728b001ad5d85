"""The way of a request: key, version, fault, endpoint, idempotency, parameters, effect, answer.

Nothing here knows how a request arrived: `sandboxes/stripe/wire.py` takes it from the network, and who runs the
sandbox in a process of their own calls `begin` and `finish`.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandboxes.stripe import authentication, expansion, forms, params, routing
from sandboxes.stripe.box import Box
from sandboxes.stripe.call import Call
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.errors import ApiError
from sandboxes.stripe.faults import Fault
from sandboxes.stripe.idempotency import Answer, Keys, encode, fingerprint
from sandboxes.stripe.settings import API_VERSION

log = logging.getLogger("sandboxes.stripe")
FORM = "application/x-www-form-urlencoded"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Stripe-Version, Stripe-Account",
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Expose-Headers": "Request-Id, Stripe-Version",
}


class Dropped(Exception):
    """The connection is cut instead of an answer."""


@dataclass(frozen=True)
class Request:
    """A request as it came. `headers` finds names in any case; `content_type` is without its parameters."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = FORM
    remote: str | None = None


@dataclass(frozen=True)
class Reply:
    """An answer as it goes out."""

    status: int
    body: bytes
    headers: dict[str, str]


@dataclass
class Work:
    """A request that was accepted and waits for its effect; `delay` is how long a fault holds it, in seconds."""

    request: Request
    call: Call
    route: routing.Route
    mark: str
    fault: Fault | None

    @property
    def delay(self) -> float:
        """Return for how many seconds the answer is held back before the effect."""
        return self.fault.seconds if self.fault and self.fault.kind == "delay" else 0.0


class Pipeline:
    """Answers every request under `/v1/`, in two steps: between them a request is under way and its key taken."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.keys = Keys(box)

    def begin(self, request: Request, *, fault: Fault | None = None) -> Work | Reply:
        """Accept a request, or answer it at once. `fault` goes before the rules. Raises Dropped."""
        request_id = _new_id()
        try:
            begun = self._accepted(request, request_id, fault)
        except ApiError as error:
            begun = Answer(error.status, encode(error.body(request_id)), request_id)
        except Dropped:
            raise
        except Exception:
            log.exception("request %s failed", request_id)
            begun = _broken(request_id)
        return _reply(request, begun, request_id) if isinstance(begun, Answer) else begun

    def finish(self, work: Work) -> Reply:
        """Let an accepted request have its effect, and answer it. Raises Dropped."""
        request_id = work.call.request_id
        try:
            answer = self._faulty(work)
        except ApiError as error:
            answer = Answer(error.status, encode(error.body(request_id)), request_id)
        except Dropped:
            raise
        except Exception:
            log.exception("request %s failed", request_id)
            answer = _broken(request_id)
        finally:
            self.give_up(work)
        return _reply(work.request, answer, request_id)

    def give_up(self, work: Work) -> None:
        """Free the key of a request that has no effect any more."""
        if work.call.idempotency_key is not None:
            self.keys.end(work.call.account, work.call.idempotency_key)

    def _accepted(self, request: Request, request_id: str, fault: Fault | None) -> Work | Answer:
        form = _form(request)
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
        fault = fault or self._fault(call)
        if fault and fault.kind == "drop_request":
            raise Dropped
        if fault and fault.kind == "rate_limit":
            raise ApiError(
                429, "Request rate limit exceeded. Retry with exponential backoff.", code="rate_limit", saved=False
            )
        return self._keyed(Work(request, call, route, fingerprint(request.method, request.path, form), fault))

    def _fault(self, call: Call) -> Fault | None:
        with self.box.store.transaction():
            return self.box.faults.for_request(call.method, call.path)

    def _keyed(self, work: Work) -> Work | Answer:
        """Take the request's key, or return the answer that was given under it before."""
        key = work.call.idempotency_key
        if key is None:
            return work
        return self.keys.begin(work.call.account, key, work.mark) or work

    def _faulty(self, work: Work) -> Answer:
        kind = work.fault.kind if work.fault else None
        if kind == "error_before":
            with self.box.store.transaction():
                return self._saved(work, _broken(work.call.request_id))
        answer = self._effect(work, broken=kind == "error_after")
        self.box.run_due()
        if kind == "drop_response":
            raise Dropped
        return answer

    def _effect(self, work: Work, *, broken: bool) -> Answer:
        """Run the endpoint and keep its answer with its key, in one transaction."""
        box, call = self.box, work.call
        box.call = call
        try:
            with box.store.transaction():
                try:
                    answer = Answer(200, encode(_run(box, call, work.route)), call.request_id)
                except ApiError as error:
                    if not error.keep_effects:
                        raise
                    answer = Answer(error.status, encode(error.body(call.request_id)), call.request_id)
                return self._saved(work, _broken(call.request_id) if broken else answer)
        except ApiError as error:
            answer = Answer(error.status, encode(error.body(call.request_id)), call.request_id)
            if error.saved:
                with box.store.transaction():
                    self._saved(work, answer)
            return answer
        finally:
            box.call = None

    def _saved(self, work: Work, answer: Answer) -> Answer:
        if work.call.idempotency_key is not None:
            self.keys.save(work.call.account, work.call.idempotency_key, work.mark, answer)
        return answer


def _run(box: Box, call: Call, route: routing.Route) -> Doc:
    call.params = params.read(route.params, call.params)
    doc = route.run(box, call)
    answer = doc if doc.get("object") == "list" or doc.get("deleted") else box.render(doc)
    return expansion.expand(box, answer, call.get("expand", []))


def _form(request: Request) -> Doc:
    kind = request.content_type
    if request.body and kind != FORM:
        raise ApiError(
            415 if kind == "application/json" else 400,
            f"Invalid request: the body must be {FORM}, not {kind}.",
            saved=False,
        )
    try:
        text = "&".join(part for part in (request.query, request.body.decode()) if part)
    except UnicodeDecodeError as error:
        raise ApiError(400, "Invalid UTF-8 in the request.", saved=False) from error
    return forms.decode(text)


def refusal(request: Request, error: ApiError) -> Reply:
    """Answer a request that cannot even be read."""
    request_id = _new_id()
    return _reply(request, Answer(error.status, encode(error.body(request_id)), request_id), request_id)


def _new_id() -> str:
    return f"req_{secrets.token_urlsafe(10).replace('-', 'a').replace('_', 'b')}"


def _broken(request_id: str) -> Answer:
    error = ApiError(500, "Something went wrong on the server's side. Retry later.", kind="api_error")
    return Answer(500, encode(error.body(request_id)), request_id)


def _reply(request: Request, answer: Answer, request_id: str) -> Reply:
    headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION, "Cache-Control": "no-cache, no-store", **CORS}
    for name in ("Idempotency-Key", "Stripe-Account"):
        if request.headers.get(name, "").isascii() and name in request.headers:
            headers[name] = request.headers[name]
    if "Idempotency-Key" in headers:
        headers["Original-Request"] = answer.request_id
    if answer.replayed:
        headers["Idempotent-Replayed"] = "true"
    # An error may quote a header that was not text.
    return Reply(answer.status, answer.body.encode(errors="replace"), headers)
