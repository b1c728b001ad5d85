"""Stripe's errors: the body, the status, and whether the idempotency key keeps them."""

from __future__ import annotations

from sandboxes.stripe.documents import Doc


class ApiError(Exception):
    """An answer that is not a success.

    `saved`: the key of the request keeps this answer. Refused parameters are not kept.
    `keep_effects`: what was written before the error stays (a declined card leaves a failed charge).
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        saved: bool = True,
        keep_effects: bool = False,
        **details: object,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.saved = saved
        self.keep_effects = keep_effects
        self.error: Doc = {"type": kind, "message": message, "code": code, "param": param, **details}

    def body(self, request_id: str) -> Doc:
        """Return the body of the answer, without the names that are empty."""
        error = {name: value for name, value in self.error.items() if value is not None}
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        if self.error.get("code"):
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{str(self.error['code']).replace('_', '-')}"
        return {"error": error}


def bad_param(message: str, param: str | None, code: str | None = None) -> ApiError:
    """Return the refusal of a parameter, which no idempotency key keeps."""
    return ApiError(400, message, code=code, param=param, saved=False)


def unknown_params(names: list[str]) -> ApiError:
    """Return the refusal of names that the endpoint does not take."""
    plural = "s" if len(names) > 1 else ""
    return bad_param(f"Received unknown parameter{plural}: {', '.join(names)}", names[0], "parameter_unknown")


def missing_param(name: str) -> ApiError:
    """Return the refusal of a request that lacks a required parameter."""
    return bad_param(f"Missing required param: {name}.", name, "parameter_missing")


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
