"""Stripe's errors: the body of the answer, and the refusals that many endpoints share."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError


def body(error: ApiError, request_id: str) -> Doc:
    """Return the body of the answer, without the names that are empty."""
    named = {
        "type": error.kind or "invalid_request_error",
        "message": error.message,
        "code": error.code,
        "param": error.param,
        **error.details,
    }
    shown = {name: value for name, value in named.items() if value is not None}
    shown["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
    if error.code:
        shown["doc_url"] = f"https://stripe.com/docs/error-codes/{error.code.replace('_', '-')}"
    return {"error": shown}


def missing(kind: str, ident: str, *, param: str = "id") -> ApiError:
    """Return resource_missing: 404 for the object in the path, 400 for one that a parameter names."""
    status = 404 if param == "id" else 400
    message = f"No such {kind.replace('_', ' ') if kind == 'payment_method' else kind}: '{ident}'"
    return ApiError(status, message.replace("payment method", "PaymentMethod"), code="resource_missing", param=param)


def refused(message: str, *, code: str | None = None, param: str | None = None, **details: object) -> ApiError:
    """Return the refusal of a request whose parameters are right but whose object or money does not allow it."""
    return ApiError(400, message, code=code, param=param, **details)  # type: ignore[arg-type]


def unauthorized(message: str) -> ApiError:
    """Return the refusal of a key."""
    return ApiError(401, message, saved=False)
