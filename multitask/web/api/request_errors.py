"""Requests that the HTTP layer refuses before any business rule is checked."""

from collections.abc import Mapping

from multitask.errors import DomainError


class Refused(DomainError):
    """A malformed request; `retry_after` is in seconds."""

    code = "bad_request"
    message = "The request cannot be understood."

    def __init__(
        self,
        message: str | None = None,
        *,
        detail: str | None = None,
        fields: Mapping[str, str] | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Store the message and when to retry."""
        super().__init__(message, detail=detail, fields=fields)
        self.retry_after = retry_after
