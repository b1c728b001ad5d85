"""The result of the last check of the books, for the alerts."""

from datetime import datetime, timedelta

from multitask import database
from multitask.database.clocks import AHEAD
from multitask.payments.models import BooksCheck


def full_proof_is_due(*, days: int, now: datetime) -> bool:
    """Return whether no full proof has found the ledger sound for this many days, less half an hour.

    One that found a violation of the ledger's own invariants is repeated each hour, so that the alert stays until the
    ledger is sound again. What else is broken is checked by the hourly proof until it holds.
    """
    check = BooksCheck.objects.first()
    if check is None or check.proven_at is None or check.proven_at > now + AHEAD:
        return True
    return now - check.proven_at >= timedelta(days=days, minutes=-30)


@database.transactional
def record(*, violations: int, is_proven: bool, now: datetime) -> None:
    """Store when the books were checked and how many violations were found.

    `is_proven` if a full proof found no violation of the ledger's own invariants.
    """
    found: dict[str, object] = {"checked_at": now, "violations": violations}
    if is_proven:
        found["proven_at"] = now
    BooksCheck.objects.update_or_create(id=1, defaults=found)
