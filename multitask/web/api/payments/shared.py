"""What several payment resources share: ids that may be numbers or UUIDs, places of money, links to our pages."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from django.conf import settings
from pydantic import Field

from multitask.payments.authorization.access import Identifier
from multitask.payments.errors import NotFound
from multitask.payments.reads.allocation import Place
from multitask.payments.reads.where import Party, Reason, Where
from multitask.web.api.schemas import BIGGEST_ID, AmountOut, CurrencyOut, Output, amount_out, moment_out

LONGEST_NUMBER = len(str(BIGGEST_ID))


def identifier(text: str) -> Identifier:
    """Read an id from an address: the short number or the public UUID. Raises NotFound for anything else."""
    if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER:
        number = int(text)
        if 1 <= number <= BIGGEST_ID:
            return number
    try:
        found = uuid.UUID(text)
    except ValueError:
        raise NotFound from None
    # `UUID` also reads braces and URNs; an address has one spelling.
    if str(found) != text.lower():
        raise NotFound
    return found


class WhereOut(Output):
    """An amount, the one place where it is, and why it is not further."""

    place: Place
    amount: AmountOut
    currency: CurrencyOut
    reason: Annotated[Reason, Field(description="Why it is not further; docs/api.md explains each word.")]
    until: Annotated[datetime | None, Field(description="When that ends by itself, if it does and the day is known.")]
    depends_on: Annotated[Party | None, Field(description="Who has to act before that; null where nobody has to.")]


def where_fields(row: Where) -> dict[str, Any]:
    """Return the fields of `WhereOut` that show where an amount is, as JSON has them."""
    return {
        "place": row.place,
        "amount": amount_out(row.amount),
        "currency": row.amount.currency,
        "reason": row.reason,
        "until": moment_out(row.until),
        "depends_on": row.depends_on,
    }


def own_url(path: str) -> str:
    """The public address of one of our own pages."""
    return f"{settings.PUBLIC_URL}{path}"
