"""The base of every error that a rule of the business raises."""

from collections.abc import Mapping
from typing import ClassVar


class DomainError(Exception):
    """A refusal that a person can read and a program can tell apart.

    `code` is stable and documented; `message` is a sentence for people; `fields` says which
    field of the request is at fault, when one is. Subclasses live beside the rule that raises
    them and give a `code` and a default `message` of their own.
    """

    code: ClassVar[str] = "refused"
    message: str = "The request was refused."

    def __init__(
        self,
        message: str | None = None,
        *,
        detail: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        """Keep what is said; without a `message` the class's own sentence stands."""
        if message is not None:
            self.message = message
        self.detail = detail
        self.fields: dict[str, str] = dict(fields or {})
        super().__init__(self.message)
