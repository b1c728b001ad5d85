"""Payments that funded their escrows, of which many events wait: each is read, then all are applied in one transaction.

Any other payment, and each of a batch that fails, is left to `incoming`, which applies one at a time.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog

from multitask import providers
from multitask.payments.provider import PaymentState, Subject
from multitask.webhooks import dispatch
from multitask.webhooks.models import IncomingEvent

# How many payments are applied in one transaction.
MOST: Final = 25
# How long payments are read at most: those that were read wait for that, and so do events that come meanwhile.
READING_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Read:
    """An event about a payment, and its present state, or what was raised when it was read."""

    event: Any
    found: PaymentState | Exception

    def apply(self, now: datetime) -> None:
        """Apply the state, as `dispatch.refresh` does. Raises what that raises."""
        if isinstance(self.found, Exception):
            raise self.found
        dispatch.apply(self.event, providers.get(self.event.provider), self.found, now=now)


def is_possible(event: IncomingEvent) -> bool:
    """Return whether an event is about a payment."""
    return event.subject == Subject.PAYMENT.value and not event.account_id


def read(events: Sequence[Any]) -> Iterator[Read]:
    """Yield the events about payments of the first one's provider, each payment once, with what is read.

    It ends when that takes too long, or at the first error.
    """
    deadline = time.monotonic() + READING_SECONDS
    seen: set[str] = set()
    for event in events:
        if not is_possible(event) or event.provider != events[0].provider or event.object_id in seen:
            continue
        seen.add(event.object_id)
        try:
            found: PaymentState | Exception = dispatch.read_payment(event)
        except Exception as error:
            found = error
        yield Read(event, found)
        if isinstance(found, Exception) or time.monotonic() >= deadline:
            return


def apply(read: Sequence[Read], *, now: datetime) -> list[Read]:
    """Apply those of the payments that fund their escrows; return them."""
    states = {each.event.pk: each.found for each in read if isinstance(each.found, PaymentState)}
    if not states:
        return []
    try:
        applied = dispatch.apply_payments(read[0].event.provider, list(states.values()), now=now)
    except Exception as error:
        log.warning("payments_applied_one_by_one", payments=len(states), fault=str(error))
        return []
    funded = {event_id for event_id, is_applied in zip(states, applied, strict=True) if is_applied}
    return [each for each in read if each.event.pk in funded]
