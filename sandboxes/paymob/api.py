"""Paymob's API: how a request is read, who calls, what its answers and errors look like.

Three areas have credentials of their own: `/v1/intention/` and what manages payments take the secret key; the older
API under `/api/` a token that is got for the API key; payouts under `/api/secure/` an OAuth token.
"""

from __future__ import annotations

import json
import secrets
from urllib.parse import parse_qsl

from sandboxes.kit import params
from sandboxes.kit.api import Answer, Api, Request
from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.kit.routing import Route
from sandboxes.paymob import authentication, errors, registry
from sandboxes.paymob.objects import payout_token
from sandboxes.paymob.sandbox import MERCHANT, Sandbox

PAYOUTS = "/api/secure/"
TOKENS = f"{PAYOUTS}o/token/"
# These need no credentials besides what their parameters say.
OPEN = ("/api/auth/tokens", "/api/acceptance/payments/pay")
# These take the secret key, and the token of the older API too.
MANAGED = ("/api/acceptance/void_refund/", "/api/acceptance/capture")


class PaymobApi(Api):
    """The API of one offline Paymob."""

    routes = registry.ROUTES
    paths = ("/v1/{tail:.*}", "/api/{tail:.*}")
    sandbox: Sandbox

    def new_request_id(self) -> str:
        """Return an id, which only the sandbox's own records know."""
        return secrets.token_hex(8)

    def read(self, request: Request, request_id: str) -> Call:
        """Read the body and the credentials. Raises 400 and 401."""
        if request.path == TOKENS:
            given = _form(request) | _query(request.query)
            given["client_is_known"] = authentication.is_payout_client(request.headers, given)
        else:
            given = _json(request) | _query(request.query)
            self._authenticate(request, given)
        return Call(
            method=request.method,
            path=request.path,
            account=MERCHANT,
            request_id=request_id,
            remote=request.remote,
            user_agent=request.headers.get("User-Agent"),
            params=given,
        )

    def result(self, call: Call, route: Route) -> Doc:
        """Run an endpoint and return its body. A refused parameter reads as its area writes it."""
        try:
            call.params = params.read(route.params, call.params)
        except ApiError as error:
            raise _refused(call.path, error) from error
        return route.run(self.sandbox, call)

    def error_body(self, error: ApiError, request_id: str) -> Doc:
        """Return the body of an answer that is not a success."""
        return errors.body(error)

    def headers(self, request: Request, answer: Answer, request_id: str) -> dict[str, str]:
        """Return the headers of an answer."""
        return {"Cache-Control": "no-store"}

    def unknown_path(self, call: Call) -> ApiError:
        """Return the error for a path that has no endpoint."""
        return errors.detail(404, f"There is nothing at {call.method} {call.path}.")

    def rate_limited(self, call: Call) -> ApiError:
        """Return the error with which the fault `rate_limit` answers a call."""
        if call.path.startswith(PAYOUTS):
            return errors.throttled(60)
        return errors.detail(429, "Request was throttled. Expected available in 60 seconds.")

    def broken(self) -> ApiError:
        """Return the error for a failure inside Paymob."""
        return errors.detail(500, "A server error occurred.")

    def _authenticate(self, request: Request, given: Doc) -> None:
        path, headers = request.path, request.headers
        if path.startswith(PAYOUTS):
            if not payout_token.is_valid(self.sandbox, authentication.bearer(headers)):
                raise errors.payout(401, errors.UNAUTHENTICATED)
        elif path.startswith("/v1/"):
            if not authentication.is_secret_key(headers):
                raise errors.unauthenticated()
        elif path not in OPEN and not (path.startswith(MANAGED) and authentication.is_secret_key(headers)):
            authentication.check_auth_token(self.sandbox, headers, given)


def _query(text: str) -> Doc:
    """Return the parameters of an address; a name that is repeated has a list of values."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(text):
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _json(request: Request) -> Doc:
    """Return the body's object. Numbers with decimals become texts, so that they stay exact. Raises 400 and 415."""
    if not request.body:
        return {}
    if request.content_type not in ("application/json", ""):
        raise errors.detail(415, f'Unsupported media type "{request.content_type}" in request.')
    try:
        given = json.loads(request.body, parse_float=str, parse_constant=_refuse_constant)
        # Halves of characters cannot be stored.
        json.dumps(given, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise errors.detail(400, f"JSON parse error - {error}") from error
    if not isinstance(given, dict):
        raise errors.detail(400, "Invalid data. Expected a dictionary.")
    return given


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _form(request: Request) -> Doc:
    try:
        return dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    except ValueError as error:
        raise errors.with_body(400, {"error": "invalid_request"}) from error


def _refused(path: str, error: ApiError) -> ApiError:
    if error.param is None:
        return error
    if path.startswith(PAYOUTS):
        return errors.payout(error.status, errors.of_fields(error))
    return errors.with_body(error.status, errors.of_fields(error), error.message)
