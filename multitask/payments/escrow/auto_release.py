"""Release because the client has been silent since the delivery."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db.models import Exists, OuterRef

from multitask import database
from multitask.payments.authorization import approvals, locks
from multitask.payments.books import audit
from multitask.payments.errors import (
    DisputeOpen,
    EscrowFrozen,
    NotFunded,
    RefundInProgress,
    WrongState,
)
from multitask.payments.escrow import milestone_states, release_records, releases
from multitask.payments.escrow.release_records import Release
from multitask.payments.models import Escrow, Refund
from multitask.payments.states import OPEN_REFUNDS, EscrowState, MilestoneState
from multitask.users.actor import Actor

AUTO_RELEASE: Final = Actor.system("auto_release")
_ANSWERABLE: Final = (MilestoneState.DELIVERED.value, MilestoneState.COMPLETED.value)


def due(*, now: datetime) -> list[int]:
    """Return the ids of all escrows whose client has not answered a delivery in time, oldest first."""
    open_refunds = Refund.objects.filter(
        escrow=OuterRef("pk"), source="escrow", state__in=[s.value for s in OPEN_REFUNDS]
    )
    due = Escrow.objects.filter(
        ~Exists(open_refunds),
        ~approvals.open_for_outer(),
        state=EscrowState.FUNDED.value,
        auto_release_at__lte=now,
        frozen_at=None,
        milestone__state__in=_ANSWERABLE,
    )
    return list(due.order_by("auto_release_at").values_list("pk", flat=True))


@database.transactional
def release(*, escrow_id: int, now: datetime) -> bool:
    """Release one escrow because of silence; return False if it is no longer due."""
    decided = _decide(locks.lock_by_id(escrow_id), now)
    if decided is not None:
        release_records.write(decided)
    return decided is not None


def release_together(escrow_ids: Sequence[int], *, now: datetime) -> int:
    """Release escrows because of silence, in one transaction; return how many were still due.

    Those whose payees owe the platform are released alone after that: what one recovers changes what the next owes.
    """
    released, left = database.run_together(lambda: _release_together(escrow_ids, now))
    return released + sum(release(escrow_id=escrow_id, now=now) for escrow_id in left)


def _release_together(escrow_ids: Sequence[int], now: datetime) -> tuple[int, list[int]]:
    """Release escrows whose payees owe nothing; return how many, and the others.

    The escrows are locked before anything else, in one order: other commands lock one and then what belongs to it.
    """
    decided: list[Release] = []
    left: list[int] = []
    for escrow in [locks.lock_by_id(escrow_id) for escrow_id in sorted(escrow_ids)]:
        release = _decide(escrow, now, put_off=left)
        if release is not None:
            decided.append(release)
    release_records.write_many(decided)
    return len(decided), left


def _decide(escrow: Escrow, now: datetime, *, put_off: list[int] | None = None) -> Release | None:
    """Return the release of a locked escrow, or None if it is not due; one whose payee owes goes to `put_off`."""
    if escrow.auto_release_at is None or escrow.auto_release_at > now:
        return None
    try:
        owes = releases.require_releasable(escrow)
    except (DisputeOpen, EscrowFrozen, NotFunded, RefundInProgress, WrongState):
        return None
    if escrow.milestone.state not in _ANSWERABLE:
        return None
    if owes and put_off is not None:
        put_off.append(escrow.pk)
        return None
    if escrow.milestone.state == MilestoneState.DELIVERED.value:
        milestone_states.advance(escrow.milestone, MilestoneState.COMPLETED, now)
        audit.record("completed", actor=AUTO_RELEASE, now=now, escrow=escrow)
    silence = f"No answer within {escrow.auto_release_days} days of delivery"
    return releases.decide(escrow, escrow.remaining, actor=AUTO_RELEASE, now=now, note=silence, owes=owes)
