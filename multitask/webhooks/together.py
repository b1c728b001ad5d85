"""Payments that funded their escrows, of which many events wait: each is read, then all are applied in one transaction.

Any other payment, and each of a batch that fails, is left to `incoming`, which applies one at a time.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import structlog

from multitask.payments.provider import PaymentState, Subject
from multitask.webhooks import dispatch
from multitask.webhooks.models import IncomingEvent

# How many payments are applied in one transaction.
MOST: Final = 25
# How long payments are read at most: those that were read wait for that, and so do events that come meanwhile.
READING_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


def is_possible(event: IncomingEvent) -> bool:
    """Return whether an event is about a payment."""
    return event.subject == Subject.PAYMENT.value and not event.account_id


def read(events: Sequence[Any]) -> Iterator[tuple[Any, PaymentState]]:
    """Yield events of the first one's provider with the present states of their payments, each payment once.

    It ends when that takes too long, or at the first error.
    """
    deadline = time.monotonic() + READING_SECONDS
    seen: set[str] = set()
    for event in events:
        if not is_possible(event) or event.provider != events[0].provider or event.object_id in seen:
            continue
        seen.add(event.object_id)
        try:
            yield event, dispatch.read_payment(event)
        except Exception as error:
            # `incoming` reads it again, alone, and handles what it raises.
            log.info("payment_not_read", event_id=event.event_id, fault=str(error))
            return
        if time.monotonic() >= deadline:
            return


def apply(found: Sequence[tuple[Any, PaymentState]], *, now: datetime) -> list[Any]:
    """Apply those of the payments that were read that fund their escrows; return the events about them."""
    if not found:
        return []
    states = [state for _, state in found]
    try:
        applied = dispatch.apply_payments(found[0][0].provider, states, now=now)
    except Exception as error:
        log.warning("payments_applied_one_by_one", payments=len(states), fault=str(error))
        return []
    return [event for (event, _), is_applied in zip(found, applied, strict=True) if is_applied]
