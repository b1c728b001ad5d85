"""The answers that each operation documents: every status that can occur."""

from typing import Any

from multitask.web.api.schemas import Error

# Any request may repeat a parameter, name an unknown one, be too large or be one too many, and any may meet a busy
# server.
ALWAYS = (400, 413, 422, 429, 503)
WITH_USER = (401, 403)
WITH_BODY = (408, 411, 415)
WITH_KEY = (409,)


def responses(
    success: dict[int, Any],
    *errors: int,
    user: bool = True,
    body: bool = False,
    moves_money: bool = False,
) -> dict[int, Any]:
    """List the answers of an operation by status.

    `errors` are those of its own rules (404, 409 ...). `user`: it needs a login; `body`: it reads a
    JSON body; `moves_money`: it honours an Idempotency-Key.
    """
    statuses = {*ALWAYS, *errors}
    statuses |= set(WITH_USER) if user else set()
    statuses |= set(WITH_BODY) if body else set()
    statuses |= set(WITH_KEY) if moves_money else set()
    return {**success, **{status: Error for status in sorted(statuses) if status not in success}}


IDEMPOTENCY_KEY = {
    "parameters": [
        {
            "in": "header",
            "name": "Idempotency-Key",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x2B\\x2D-\\x7E]+$"},
            "description": "A repeated request with the same key and body gets the first answer again.",
        }
    ]
}
