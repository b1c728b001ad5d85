"""Schemas that all resources share: bodies, amounts, ids, lists, errors."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from multitask import text
from multitask.money import Money, MoneyError
from multitask.web.api import validation
from multitask.web.api.parsing import Number

T = TypeVar("T")

BIGGEST_ID = 2**63 - 1


class Body(BaseModel):
    """A request body: only known fields, of exactly their types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Empty(Body):
    """The empty body of a request whose address says everything."""


NOTHING = Empty()


class Output(BaseModel):
    """A response body."""

    model_config = ConfigDict(frozen=True)


class Error(Output):
    """Every answer that is not a success."""

    error: str = Field(description="A sentence for people.")
    code: str = Field(description="A stable word for programs.")
    detail: str = Field(description="More about this case; the same sentence when there is no more.")
    fields: dict[str, str] = Field(description="What is wrong, by field of the request.")


class Message(Output):
    """A success without data."""

    message: str


class Page(Output, Generic[T]):
    """One page of a list."""

    count: int = Field(description="How many there are on all pages.")
    next: str | None = Field(description="The address of the next page, if there is one.")
    previous: str | None = Field(description="The address of the page before, if there is one.")
    results: list[T]


# An id in an address. What cannot be an id is answered 404.
Id = Annotated[int, Field(ge=1, le=BIGGEST_ID)]
# The same in a body, as a whole JSON number.
IdIn = Annotated[int, Field(strict=True, ge=1, le=BIGGEST_ID)]


def _literal(value: Any) -> str:
    """Return the amount as it was written; refuse what is no number."""
    if isinstance(value, Number):
        return value.literal
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    if value is None:
        raise validation.own("required", "This is required.")
    raise validation.own("amount_invalid", 'Write the amount as a decimal number, like "85.00".')


AmountIn = Annotated[
    str,
    BeforeValidator(_literal),
    WithJsonSchema(
        {
            "title": "Amount",
            "description": "Major units, exactly as written: no exponent, no more decimals than the currency has.",
            "anyOf": [
                {"type": "string", "pattern": "^(0|[1-9][0-9]{0,12})(\\.[0-9]{1,3})?$"},
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000_000},
            ],
            "examples": ["85.00", 85],
        }
    ),
]
AmountOut = Annotated[
    str,
    Field(description="Major units with all decimals of the currency.", examples=["85.00"]),
]


def money(amount: str, currency: str, *, field: str = "amount", minimum_minor: int = 1) -> Money:
    """Read an amount that was sent, in a currency that is known only now.

    Raises the MoneyError that fits, with the field named.
    """
    try:
        return Money.parse(amount, currency, minimum_minor=minimum_minor)
    except MoneyError as error:
        at_fault = "currency" if error.code == "currency_unknown" else field
        error.fields.setdefault(at_fault, error.message)
        raise


def amount_out(value: Money) -> str:
    """Write an amount for an answer."""
    return value.to_major_string()


def moment_out(value: datetime | None) -> str | None:
    """Write a moment in UTC for an answer: milliseconds, cut off, and none for a whole second."""
    if value is None:
        return None
    text = value.isoformat(timespec="milliseconds" if value.microsecond else "seconds")
    return f"{text.removesuffix('+00:00')}Z" if text.endswith("+00:00") else text


CurrencyIn = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code.", examples=["USD"])]
CurrencyOut = Annotated[str, Field(description="ISO 4217 code.", examples=["USD"])]


# Sent as text, since JSON has no dates; without a time zone the moment would be ambiguous.
def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise validation.own("invalid", "This is not a moment that can be kept.") from None


MomentIn = Annotated[AwareDatetime, Field(strict=False), AfterValidator(_in_utc)]


def _line(value: str) -> str:
    found = text.complaint(value, longest=len(value))
    if found:
        raise validation.own("invalid_text", found)
    return value


def _lines(value: str) -> str:
    found = text.complaint(text.tidy(value), longest=len(value), lines=True)
    if found:
        raise validation.own("invalid_text", found)
    return text.tidy(value)


# Text from people, of one line and of several; give the longest length beside it with Field(max_length=...).
Line = Annotated[str, AfterValidator(_line)]
Lines = Annotated[str, AfterValidator(_lines)]
