"""Stripe's API: how a request is read, who calls, what its answers and errors look like."""

from __future__ import annotations

import secrets

from sandboxes.kit.api import Answer, Api, Request
from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.kit.routing import Route
from sandboxes.kit.uploads import MULTIPART
from sandboxes.stripe import authentication, errors, expansion, forms, params, registry
from sandboxes.stripe.idempotency import Keys, fingerprint
from sandboxes.stripe.sandbox import Sandbox
from sandboxes.stripe.settings import API_VERSION

FORM = "application/x-www-form-urlencoded"
# The only endpoint that takes files.
FILES = "/v1/files"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Stripe-Version, Stripe-Account",
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Expose-Headers": "Request-Id, Stripe-Version",
}


class StripeApi(Api):
    """The API of one offline Stripe."""

    routes = registry.ROUTES
    paths = ("/v1/{tail:.*}", "/v2/{tail:.*}")
    preflight = CORS
    sandbox: Sandbox

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self._keys = Keys(sandbox)

    def new_request_id(self) -> str:
        """Return an id like `req_…`."""
        return f"req_{secrets.token_urlsafe(10).replace('-', 'a').replace('_', 'b')}"

    def read(self, request: Request, request_id: str) -> Call:
        """Read the form, the key, the account it speaks for and the version. Raises 400, 401, 403 and 415."""
        form = _form(request)
        caller = authentication.authenticate(self.sandbox, request.headers, form.pop("key", None))
        authentication.check_version(request.headers)
        return Call(
            method=request.method,
            path=request.path,
            account=caller.account,
            request_id=request_id,
            publishable=caller.publishable,
            idempotency_key=request.headers.get("Idempotency-Key") if request.method == "POST" else None,
            fingerprint=fingerprint(request.method, request.path, form),
            remote=request.remote,
            user_agent=request.headers.get("User-Agent"),
            params=form,
        )

    def result(self, call: Call, route: Route) -> Doc:
        """Run an endpoint and return the object or list, expanded as the call asks."""
        call.params = params.read(route.params, call.params)
        doc = route.run(self.sandbox, call)
        answer = doc if doc.get("object") == "list" or doc.get("deleted") else self.sandbox.render(doc)
        return expansion.expand(self.sandbox, answer, call.get("expand", []))

    def headers(self, request: Request, answer: Answer, request_id: str) -> dict[str, str]:
        """Return Stripe's headers, with those of the request that it repeats."""
        headers = {
            "Request-Id": request_id,
            "Stripe-Version": API_VERSION,
            "Cache-Control": "no-cache, no-store",
            **CORS,
        }
        for name in ("Idempotency-Key", "Stripe-Account"):
            if request.headers.get(name, "").isascii() and name in request.headers:
                headers[name] = request.headers[name]
        if "Idempotency-Key" in headers:
            headers["Original-Request"] = answer.request_id
        if answer.replayed:
            headers["Idempotent-Replayed"] = "true"
        return headers

    def error_body(self, error: ApiError, request_id: str) -> Doc:
        """Return Stripe's error object."""
        return errors.body(error, request_id)

    def unknown_path(self, call: Call) -> ApiError:
        """Return the error for a path that has no endpoint."""
        return ApiError(404, f"Unrecognized request URL ({call.method}: {call.path}). Check the path.", saved=False)

    def needs_secret_key(self) -> ApiError:
        """Return the error for a publishable key at an endpoint that needs a secret one."""
        message = "This API call cannot be made with a publishable API key. Use a secret API key."
        return ApiError(403, message, code="secret_key_required", saved=False)

    def rate_limited(self, call: Call) -> ApiError:
        """Return the error of too many requests, which no key keeps."""
        message = "Request rate limit exceeded. Retry with exponential backoff."
        return ApiError(429, message, code="rate_limit", saved=False)

    def claim(self, call: Call) -> Answer | None:
        """Claim the call's key, or return the answer that is stored under it. Raises 400 and 409."""
        return self._keys.claim(call)

    def release(self, call: Call) -> None:
        """Release the call's key."""
        self._keys.release(call)

    def keep(self, call: Call, answer: Answer) -> None:
        """Store the answer under the call's key, in the caller's transaction."""
        self._keys.save(call, answer)


def _form(request: Request) -> Doc:
    kind = request.content_type
    if kind == MULTIPART and request.path == FILES:
        return {**forms.decode(request.query), **forms.decode_multipart(request.body, _content_type(request))}
    if request.body and kind not in (FORM, ""):
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


def _content_type(request: Request) -> str:
    return request.headers.get("Content-Type", "")
