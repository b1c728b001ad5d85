"""Paymob's errors: `{"detail": …}`, the errors of fields, or what payouts answer; who raises one decides its body."""

from __future__ import annotations

import re
from typing import Any

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError

UNAUTHENTICATED = "Authentication credentials were not provided."
# How the kit's refusals of parameters read at Paymob, whose API is written with Django REST framework.
_MESSAGES = {
    "parameter_missing": "This field is required.",
    "parameter_unknown": "This field is not known.",
    "parameter_invalid_empty": "This field may not be blank.",
    "parameter_invalid_string": "Not a valid string.",
    "parameter_invalid_integer": "A valid integer is required.",
    "url_invalid": "Enter a valid URL.",
    "email_invalid": "Enter a valid email address.",
}


def with_body(status: int, body: Doc, message: str = "") -> ApiError:
    """Return an error with an exact body."""
    return ApiError(status, message or str(body), body=body)


def detail(status: int, message: str) -> ApiError:
    """Return `{"detail": …}`."""
    return with_body(status, {"detail": message}, message)


def message(status: int, text: str) -> ApiError:
    """Return `{"message": …}`."""
    return with_body(status, {"message": text}, text)


def field(name: str, text: str, status: int = 400) -> ApiError:
    """Return `{name: [text]}`."""
    return with_body(status, {name: [text]}, f"{name}: {text}")


def unauthenticated() -> ApiError:
    """Return the refusal of a call of collecting without valid credentials."""
    return detail(401, UNAUTHENTICATED)


def body(error: ApiError) -> Doc:
    """Return the body of an error."""
    given = error.details.get("body")
    if isinstance(given, dict):
        return given
    return of_fields(error) if error.param and error.status == 400 else {"detail": error.message}


def of_fields(error: ApiError) -> Doc:
    """Return the errors of fields for a refused parameter: `billing_data[email]` becomes two levels."""
    told: Any = [_MESSAGES.get(error.code or "", error.message)]
    for name in reversed(re.findall(r"[^\[\]]+", error.param or "non_field_errors")):
        told = {name: told}
    return dict(told)


def payout(status: int, description: str | Doc, code: str | None = None) -> ApiError:
    """Return a failure of payouts: `status_description` is text, or the errors of fields."""
    told = {
        "disbursement_status": "failed",
        "status_description": description,
        "status_code": code or str(status),
    }
    return with_body(status, told, str(description))


def payout_field(name: str, text: str) -> ApiError:
    """Return the refusal of one field of a payout."""
    return payout(400, {name: [text]})


def throttled(seconds: int) -> ApiError:
    """Return the refusal of one inquiry too many in a minute."""
    text = f"Request was throttled. Expected available in {seconds} seconds."
    return with_body(429, {"status_description": text, "status_code": "429"}, text)
