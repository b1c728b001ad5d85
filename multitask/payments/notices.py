"""Who is told of what: notices follow from the audit trail, so that no command has to think of them.

A job reads new events and writes a notice for each person concerned, once. Ids do not commit in
order, so the cursor stays an hour behind, longer than any transaction lives, and what lies in
between is looked at again; the unique reference makes looking twice harmless.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Max

from multitask import database
from multitask.payments import queue
from multitask.payments.models import AuditEvent, EmailState, Escrow, Notice, NoticeCursor
from multitask.payments.states import EscrowState
from multitask.users.actor import Actor

BEHIND: Final = timedelta(hours=1)
NEARING: Final = timedelta(days=2)

Who = Callable[[AuditEvent], Iterable[int | None]]


def _client(event: AuditEvent) -> list[int | None]:
    return [event.escrow.client_id if event.escrow else None]


def _freelancer(event: AuditEvent) -> list[int | None]:
    return [event.escrow.freelancer_id if event.escrow else None]


def _both(event: AuditEvent) -> list[int | None]:
    return [*_client(event), *_freelancer(event)]


def _self(event: AuditEvent) -> list[int | None]:
    return [event.user_id]


# Nobody is told of what they did themselves, except where money of theirs has moved.
RULES: Final[dict[str, Who]] = {
    "funded": _both,
    "delivered": _client,
    "released": _both,
    "settled": _freelancer,
    "refund_requested": _freelancer,
    "refund_accepted": _client,
    "refund_refused": _client,
    "refund_withdrawn": _freelancer,
    "refund_started": _both,
    "refunded": _both,
    "refund_failed": _client,
    "dispute_opened": _both,
    "dispute_settled": _both,
    "task_cancelled": _both,
    "chargeback_opened": _both,
    "withdrawal_completed": _self,
    "withdrawal_failed": _self,
    "account_enabled": _self,
    "account_needs_attention": _self,
}
_ABOUT_MONEY: Final = frozenset({"funded", "released", "refunded", "settled", "dispute_settled"})


@database.transactional
def collect(*, now: datetime, limit: int = 500) -> int:
    """Make the notices of new events and defer their emails; answers how many."""
    cursor, _ = NoticeCursor.objects.select_for_update().get_or_create(pk=1)
    events = list(_untold(cursor.audit_event_id, limit))
    wanted = [notice for event in events for notice in _notices(event, now)]
    made = _write(wanted)
    if len(events) < limit:
        # Everything older than the margin was looked at; what commits late is younger than that.
        settled = AuditEvent.objects.filter(pk__gt=cursor.audit_event_id, at__lt=now - BEHIND)
        cursor.audit_event_id = settled.aggregate(last=Max("pk"))["last"] or cursor.audit_event_id
        cursor.save()
    return made


def _untold(after: int, limit: int) -> Iterable[AuditEvent]:
    """Events that somebody is to be told of and nobody was yet."""
    told = Notice.objects.filter(event_id__gt=after).values("event_id")
    fresh = AuditEvent.objects.filter(pk__gt=after, event__in=RULES).exclude(pk__in=told)
    return fresh.select_related("escrow").order_by("pk")[:limit]


def _notices(event: AuditEvent, now: datetime) -> Iterable[Notice]:
    for user_id in dict.fromkeys(RULES[event.event](event)):
        is_own_deed = user_id == event.actor_id and event.event not in _ABOUT_MONEY
        if user_id is not None and not is_own_deed:
            yield Notice(
                user_id=user_id,
                kind=event.event,
                reference=f"event:{event.pk}",
                event=event,
                escrow_id=event.escrow_id,
                withdrawal_id=event.withdrawal_id,
                created_at=now,
            )


def _write(wanted: list[Notice]) -> int:
    """Insert what is new and defer an email for each of it."""
    references = {(notice.user_id, notice.reference) for notice in wanted}
    known = set(
        Notice.objects.filter(reference__in={reference for _, reference in references}).values_list(
            "user_id", "reference"
        )
    )
    fresh = [notice for notice in wanted if (notice.user_id, notice.reference) not in known]
    for notice in Notice.objects.bulk_create(fresh):
        queue.defer(queue.EMAIL, notice_id=notice.pk)
    return len(fresh)


@database.transactional
def remind(*, now: datetime, limit: int = 500) -> int:
    """Tell clients whose silence is about to release money; answers how many."""
    NoticeCursor.objects.select_for_update().get_or_create(pk=1)
    nearing = Escrow.objects.filter(
        state=EscrowState.FUNDED.value,
        auto_release_at__gt=now,
        auto_release_at__lte=now + NEARING,
        frozen_at=None,
    ).order_by("auto_release_at")
    return _write(
        [
            Notice(
                user_id=escrow.client_id,
                kind="auto_release_nearing",
                reference=f"auto_release:{escrow.pk}:{escrow.auto_release_at:%Y-%m-%d}",
                escrow=escrow,
                created_at=now,
            )
            for escrow in nearing[:limit]
        ]
    )


def unread(user_id: int) -> int:
    """How many notices somebody has not read."""
    return Notice.objects.filter(user_id=user_id, read_at=None).count()


@database.transactional
def mark_read(*, actor: Actor, now: datetime) -> int:
    """Mark all of one's own notices read; answers how many."""
    if actor.user_id is None:
        return 0
    return Notice.objects.filter(user_id=actor.user_id, read_at=None).update(read_at=now)


@database.transactional
def claim_email(*, notice_id: int) -> Notice | None:
    """Take a notice's email for sending, once and for all; None when it is taken or sent already."""
    related = Notice.objects.select_related("user", "event", "escrow__task", "escrow__client", "escrow__freelancer")
    taken = Notice.objects.filter(pk=notice_id, email_state=EmailState.PENDING.value).update(
        email_state=EmailState.SENDING.value
    )
    return related.select_related("withdrawal").get(pk=notice_id) if taken else None


def email_ended(notice: Notice, *, sent: bool, now: datetime) -> None:
    """Write down that the email went out, or was refused for good."""
    state = EmailState.SENT if sent else EmailState.FAILED
    Notice.objects.filter(pk=notice.pk).update(email_state=state.value, emailed_at=now if sent else None)
