"""What several payment resources share: ids that may be numbers or UUIDs, and links back to our pages."""

import uuid

from django.conf import settings

from multitask.payments.authorization.access import Identifier
from multitask.payments.errors import NotFound
from multitask.web.api.schemas import BIGGEST_ID

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


def own_url(path: str) -> str:
    """The public address of one of our own pages."""
    return f"{settings.PUBLIC_URL}{path}"
