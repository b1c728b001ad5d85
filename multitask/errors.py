"""The base class of the errors that business rules raise."""

from collections.abc import Mapping
from typing import ClassVar


class DomainError(Exception):
    """The request was refused, for a reason that people can read and programs can recognise.

    `code` is stable and documented; `message` is a sentence for people; `fields` maps the invalid fields of the
    request to messages. Subclasses are defined next to the rule that raises them, with a `code` and a default
    `message`.
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
        """Store the parts; without a `message` the default of the class is used."""
        if message is not None:
            self.message = message
        self.detail = detail
        self.fields: dict[str, str] = dict(fields or {})
        super().__init__(self.message)
