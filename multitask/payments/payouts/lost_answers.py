"""Payouts from the budget that ended without the provider's answer: they are looked up by our reference.

Finance may decide that a payout was not made which the provider has made all the same. Nothing else would show that:
polls and callbacks know a payout by the provider's id, which came with no answer.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from django.db.models import Exists, OuterRef, Q, QuerySet

from multitask.payments.models import Disbursement, Operation
from multitask.payments.operations import engine
from multitask.payments.payouts import disbursements
from multitask.payments.payouts.budget import DISBURSE, DISBURSE_REFUND
from multitask.payments.provider import CannotTell, DestinationKind, Disburses, Found, PayoutState, Unknown

log = structlog.get_logger(__name__)

KINDS: Final = (DISBURSE, DISBURSE_REFUND)
NOT_MADE: Final = "payout_not_made"


def found(*, since: datetime, until: datetime) -> QuerySet[Disbursement]:
    """Select the payouts that ended from `since` until before `until`, and whose call may have had an effect.

    A call that the provider clearly refused had none.
    """
    is_doubtful = Q(is_uncertain=True) | Q(last_error_code=NOT_MADE)
    sent = Operation.objects.filter(is_doubtful, kind__in=KINDS, subject_id=OuterRef("pk"), sent_at__isnull=False)
    ended = Disbursement.objects.filter(ended_at__gte=since, ended_at__lt=until)
    return ended.filter(Exists(sent), provider_payout_id=None)


def look_for(disbursement: Disbursement) -> PayoutState | None:
    """Return the provider's state of a payout, found by the name of its latest attempt; None if it is not listed.

    Calls the provider, outside any transaction. Raises Unavailable if it takes no inquiries now. What the provider
    answers unclearly counts as not listed.
    """
    kind = DISBURSE if disbursement.refund_id is None else DISBURSE_REFUND
    call = engine.latest(kind, disbursement.pk)
    if call is None or call.sent_at is None:
        return None
    try:
        answer = engine.provider_for(disbursement.provider, Disburses).find_disbursement(
            reference=disbursements.reference(disbursement, call.generation),
            kind=DestinationKind(disbursement.destination.kind),
        )
    except Unknown as error:
        answer = CannotTell(error.code, error.message)
    if not isinstance(answer, Found):
        log.info("lost_payout_not_found", payout=str(disbursement), answer=str(answer))
        return None
    # Under the name by which it is known here, whichever attempt it was.
    return replace(answer.object, reference=str(disbursement.reference))


def look_for_named(reference: str) -> PayoutState | None:
    """Return the provider's state of the payout with this reference, as `look_for` does."""
    wanted = Disbursement.objects.select_related("destination").filter(reference=UUID(reference)).first()
    return None if wanted is None else look_for(wanted)
