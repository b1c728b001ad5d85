"""Notices that time brings about: unpaid escrows, money that may not be held much longer, stranded money.

Each has a reference that names its subject, its stage and a date, so that it is sent once per stage; the text reads the
date from there. What was sent is known by the notice itself, which is deleted after RETENTION_NOTICE_DAYS: so a stage
that became due longer ago than that is not looked at any more.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Exists, OuterRef

from multitask import database
from multitask.payments.escrow import hold_limits, stranded
from multitask.payments.models import Escrow, Notice, NoticeCursor, Payment
from multitask.payments.notices import notices
from multitask.payments.states import EscrowState, PaymentState

_BATCH: Final = 500
_Read = Callable[[datetime, int], list[Escrow]]
_Due = Callable[[Escrow, datetime], Iterable[Notice]]


def remind(*, now: datetime, limit: int = _BATCH) -> int:
    """Create the notices that are due; return how many. Reads `limit` escrows at a time."""
    NoticeCursor.objects.get_or_create(pk=1)
    made = _each(lambda at, after: _unpaid(at, after, limit), _payment_due, now)
    made += _each(lambda at, after: hold_limits.to_warn(at, limit=limit, after=after), _hold_ending, now)
    return made + _each(lambda _at, after: _stranded(after, limit), _money_stranded, now)


def are_due(*, now: datetime) -> bool:
    """Return whether `remind` has an escrow to look at; its people may have been told already."""
    return bool(_unpaid(now, 0, 1) or hold_limits.to_warn(now, limit=1) or _stranded(0, 1))


def _each(read: _Read, due: _Due, now: datetime) -> int:
    made, after = 0, 0
    while escrows := read(now, after):
        made += _write([notice for escrow in escrows for notice in due(escrow, now)])
        after = escrows[-1].pk
    return made


@database.transactional
def _write(wanted: Sequence[Notice]) -> int:
    # One run at a time: another may have written some of these.
    NoticeCursor.objects.select_for_update().get(pk=1)
    return notices.write(list(wanted))


def _unpaid(now: datetime, after: int, limit: int) -> list[Escrow]:
    unpaid = Escrow.objects.filter(state=EscrowState.PENDING_PAYMENT.value, payment_due_at__gt=now, pk__gt=after)
    # Money that is being processed needs nothing from the client.
    processing = Payment.objects.filter(
        escrow=OuterRef("pk"), state=PaymentState.PENDING.value, provider_status="processing"
    )
    period = settings.UNFUNDED_CANCEL_DAYS - settings.UNFUNDED_REMINDER_DAYS
    longest = max(period, settings.UNFUNDED_LAST_REMINDER_DAYS)
    return list(
        unpaid.filter(~Exists(processing), payment_due_at__lte=now + timedelta(days=longest)).order_by("pk")[:limit]
    )


def _payment_due(escrow: Escrow, now: datetime) -> Iterable[Notice]:
    """The client of an unpaid escrow is reminded some days after asking to pay, and again before it is closed."""
    assert escrow.payment_due_at is not None  # noqa: S101
    last = escrow.payment_due_at - timedelta(days=settings.UNFUNDED_LAST_REMINDER_DAYS)
    first = escrow.payment_due_at - timedelta(days=settings.UNFUNDED_CANCEL_DAYS - settings.UNFUNDED_REMINDER_DAYS)
    kind, due_at = ("payment_due_soon", last) if last <= now else ("payment_due", first)
    if _is_known(due_at, now):
        yield _notice(escrow, escrow.client_id, kind, kind, escrow.payment_due_at, now)


def _hold_ending(escrow: Escrow, now: datetime) -> Iterable[Notice]:
    days = hold_limits.warning(escrow, now)
    if days is None or escrow.hold_until_at is None:
        return
    if not _is_known(escrow.hold_until_at - timedelta(days=days), now):
        return
    for user_id in (escrow.client_id, escrow.freelancer_id):
        yield _notice(escrow, user_id, "hold_ending", f"hold_ending:{days}", escrow.hold_until_at, now)


def _stranded(after: int, limit: int) -> list[Escrow]:
    return list(stranded.found().filter(pk__gt=after).order_by("pk")[:limit])


def _money_stranded(escrow: Escrow, now: datetime) -> Iterable[Notice]:
    since: datetime = escrow.stranded_at  # type: ignore[attr-defined]
    days = stranded.telling(since, now)
    if days is not None and _is_known(since + timedelta(days=days), now):
        yield _notice(escrow, escrow.client_id, "money_stranded", f"stranded:{days}", since, now)


def _is_known(due_at: datetime, now: datetime) -> bool:
    """Return whether a notice that became due then would still be there if it was sent."""
    return now < due_at + timedelta(days=settings.RETENTION_NOTICE_DAYS)


def _notice(escrow: Escrow, user_id: int, kind: str, stage: str, at: datetime, now: datetime) -> Notice:
    reference = f"{stage}:{escrow.pk}:{at:%Y-%m-%d}"
    return Notice(user_id=user_id, kind=kind, reference=reference, escrow=escrow, created_at=now)
