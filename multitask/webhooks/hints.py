"""Unsigned callbacks about payouts: each is a hint at most, which queues a look at a payout that we know.

Anybody can send them. A hint about a payout that is not known costs one look into an index and leaves nothing behind;
one payout is looked at once in `EVERY`, however many hints come. What the hint says is not read: the payout's state is
asked of the provider, within the provider's own limit of inquiries.
"""

from datetime import datetime, timedelta
from typing import Final

from multitask import providers
from multitask.payments.models import Disbursement
from multitask.payments.provider import Disburses, InboundEvent, Subject, supporting
from multitask.webhooks import storage
from multitask.webhooks.models import EventState

EVERY: Final = timedelta(minutes=5)
KIND: Final = "payout.hint"


def take(*, provider_name: str, body: bytes, now: datetime) -> bool:
    """Queue a look at the payout that an unsigned callback names; return whether that is one of ours and is due."""
    provider = providers.get(provider_name)
    payout_id = supporting(provider, Disburses).hinted_payout(body)
    if not payout_id or not _is_known(provider.name, payout_id):
        return False
    number = int(now.timestamp() // EVERY.total_seconds())
    event = InboundEvent(
        id=f"hint:{payout_id}:{number}",
        kind=KIND,
        subject=Subject.PAYOUT,
        object_id=payout_id,
        created_at=now,
        live=False,
    )
    stored = storage.store(provider=provider.name, event=event, payload="{}", state=EventState.RECEIVED, now=now)
    return stored is not None


def _is_known(provider: str, payout_id: str) -> bool:
    """Return whether the payout is ours; one that was paid may still be returned."""
    return Disbursement.objects.filter(provider=provider, provider_payout_id=payout_id).exists()
