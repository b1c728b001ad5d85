"""What the HTTP layer itself refuses, before any rule of the business is asked."""

from collections.abc import Mapping

from multitask.errors import DomainError


class Refused(DomainError):
    """A request that is refused for its form; `retry_after` is in seconds."""

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
        """Keep what is said, and when to come again."""
        super().__init__(message, detail=detail, fields=fields)
        self.retry_after = retry_after
