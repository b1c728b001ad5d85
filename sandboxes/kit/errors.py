"""Errors of an API as endpoints raise them; the provider decides what the body of the answer looks like."""

from __future__ import annotations


class ApiError(Exception):
    """An answer that is not a success.

    `kind`, `code`, `param` and `details` are what the provider's body says besides the message.
    `saved`: the idempotency key of the request keeps this answer. Refused parameters are not kept.
    `keep_effects`: what was written before the error stays (a declined card leaves a failed charge).
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str | None = None,
        code: str | None = None,
        param: str | None = None,
        saved: bool = True,
        keep_effects: bool = False,
        **details: object,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.saved = saved
        self.keep_effects = keep_effects
        self.details = details


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
