"""Notices to users. They are derived from the audit trail, so commands do not create them.

A job reads new events and writes a notice for each person concerned, once. Ids do not commit in
order, so the cursor stays an hour behind, longer than any transaction lasts, and the events in
between are read again. The cursor's lock allows one run at a time, and the unique reference
makes reading twice harmless.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import InterfaceError, OperationalError
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet

from multitask import database
from multitask.database import OutcomeUnknown, jobs, purging
from multitask.database.clocks import AHEAD
from multitask.payments.authorization import approvals
from multitask.payments.models import AuditEvent, EmailState, Escrow, Notice, NoticeCursor, Refund
from multitask.payments.notices import wording
from multitask.payments.operations import queue
from multitask.payments.states import OPEN_REFUNDS, EscrowState
from multitask.users import outbox
from multitask.users.actor import Actor, Role
from multitask.users.models import User

log = structlog.get_logger(__name__)

BEHIND: Final = timedelta(hours=1)
NEARING: Final = timedelta(days=2)
# A job that has not run after this time counts as lost and is queued again.
LOST: Final = timedelta(minutes=5)

Who = Callable[[AuditEvent], Iterable[int | None]]


def _client(event: AuditEvent) -> list[int | None]:
    return [event.escrow.client_id if event.escrow else None]


def _freelancer(event: AuditEvent) -> list[int | None]:
    return [event.escrow.freelancer_id if event.escrow else None]


def _both(event: AuditEvent) -> list[int | None]:
    return [*_client(event), *_freelancer(event)]


def _self(event: AuditEvent) -> list[int | None]:
    return [event.user_id]


def _contested(event: AuditEvent) -> list[int | None]:
    """Return both sides; the client alone where the bank contests a payment that is not in escrow."""
    return _both(event) if event.details.get("is_in_escrow", 1) else _client(event)


def _bearers(event: AuditEvent) -> list[int | None]:
    """Return the sides that a loss concerns: the payee if any of their money, or of the escrow, was taken."""
    borne = event.details
    concerns_payee = any(borne.get(name) for name in ("escrow_minor", "payee_minor", "receivable_minor"))
    return _freelancer(event) if concerns_payee else []


def _client_and_bearers(event: AuditEvent) -> list[int | None]:
    """Return the sides of a booked loss: the client got the money back, whoever bears it."""
    return [*_client(event), *_bearers(event)]


def _finance(event: AuditEvent) -> list[int | None]:
    """Return the staff that moves money."""
    roles = [role.value for role in (Role.FINANCE, Role.ADMIN)]
    return list(User.objects.filter(staff_role__in=roles, is_active=True).order_by("pk").values_list("pk", flat=True))


# Users get no notice of their own actions, except where their money has moved or will go elsewhere.
RULES: Final[dict[str, Who]] = {
    "funded": _both,
    "delivered": _client,
    "released": _both,
    "settled": _freelancer,
    "refund_requested": _freelancer,
    "refund_accepted": _client,
    "refund_refused": _client,
    "refund_granted": _both,
    "refund_denied": _both,
    "refund_withdrawn": _freelancer,
    "refund_started": _both,
    "refund_awaits_destination": _client,
    "refund_needs_other_destination": _client,
    "refunded": _both,
    "refund_failed": _client,
    "refund_paid_by_bank": _client,
    "dispute_opened": _both,
    "dispute_settled": _both,
    "task_cancelled": _both,
    "payment_expired": _both,
    "chargeback_opened": _contested,
    "chargeback_escalated": _contested,
    "chargeback_won": _contested,
    "chargeback_lost": _contested,
    "chargeback_warning_closed": _contested,
    "chargeback_prevented": _contested,
    "loss_booked": _client_and_bearers,
    "loss_reversed": _bearers,
    "refunded_outside": _bearers,
    "withdrawal_completed": _self,
    "withdrawal_failed": _self,
    "withdrawal_cancelled": _self,
    "withdrawal_cancel_refused": _self,
    "withdrawal_waits": _self,
    "budget_short": _finance,
    "account_enabled": _self,
    "account_needs_attention": _self,
    "account_details_due": _self,
    "account_paused": _self,
    "account_ended": _self,
    "destination_added": _self,
    "destination_removed": _self,
    "identity_submitted": _self,
    "identity_confirmed": _self,
    "identity_rejected": _self,
}
_ABOUT_MONEY: Final = frozenset(
    {"funded", "released", "refunded", "settled", "dispute_settled", "loss_booked", "withdrawal_cancelled"}
)
# Somebody else may have done them in their name.
_ABOUT_SAFETY: Final = frozenset({"destination_added", "destination_removed", "identity_submitted"})


def collect(*, now: datetime, limit: int = 500) -> int:
    """Create the notices of new events and queue their emails; return how many were created.

    It processes all new events, `limit` per transaction. An event that fails is logged and skipped, and retried by
    each run of the next hour.
    """
    cursor, _ = NoticeCursor.objects.get_or_create(pk=1)
    after, made = cursor.audit_event_id, 0
    # Determined before reading: events that are this old have committed, so the reads below see them.
    settled = AuditEvent.objects.filter(pk__gt=after, at__lt=now - BEHIND).aggregate(last=Max("pk"))["last"]
    while events := list(_without_notices().filter(pk__gt=after).values_list("pk", flat=True)[:limit]):
        made += _create_notices(events, now)
        after = events[-1]
    if settled is not None:
        NoticeCursor.objects.filter(pk=1, audit_event_id__lt=settled).update(audit_event_id=settled)
    return made


def are_due(*, now: datetime) -> bool:
    """Return whether `collect` has events to read, or its cursor has fallen far behind."""
    cursor = NoticeCursor.objects.filter(pk=1).first()
    after = cursor.audit_event_id if cursor else 0
    long_ago = AuditEvent.objects.filter(pk__gt=after, at__lt=now - 2 * BEHIND)
    return _without_notices().filter(pk__gt=after).exists() or long_ago.exists()


def _without_notices() -> QuerySet[AuditEvent]:
    """Select events of kinds that create notices and have none yet, oldest first."""
    existing = Notice.objects.filter(event_id=OuterRef("pk"))
    fresh = AuditEvent.objects.filter(~Exists(existing), event__in=RULES)
    return fresh.select_related("escrow").order_by("pk")


def _create_notices(event_ids: list[int], now: datetime) -> int:
    """Create the notices of these events in one transaction; if it fails, in one transaction per event."""
    try:
        return _create_in_one_transaction(event_ids, now)
    except OutcomeUnknown:
        raise
    except Exception as error:
        log.exception("notices_failed", first=event_ids[0], last=event_ids[-1])
        if len(event_ids) == 1:
            return 0
        if isinstance(error, OperationalError | InterfaceError):
            raise  # The database is unavailable, so single events would fail too.
    return sum(_create_notices([event_id], now) for event_id in event_ids)


@database.transactional
def _create_in_one_transaction(event_ids: list[int], now: datetime) -> int:
    # One run at a time: another may have written notices of some of these.
    NoticeCursor.objects.select_for_update().get(pk=1)
    events = list(_without_notices().filter(pk__in=event_ids))
    return write([notice for event in events for notice in _notices(event, now)])


def _notices(event: AuditEvent, now: datetime) -> Iterable[Notice]:
    for user_id in dict.fromkeys(RULES[event.event](event)):
        is_own_action = user_id == event.actor_id and event.event not in _ABOUT_MONEY | _ABOUT_SAFETY
        if user_id is not None and not is_own_action:
            yield Notice(
                user_id=user_id,
                kind=event.event,
                reference=f"event:{event.pk}",
                event=event,
                escrow_id=event.escrow_id,
                withdrawal_id=event.withdrawal_id,
                created_at=now,
            )


def write(wanted: list[Notice]) -> int:
    """Insert the notices that do not exist yet, and queue an email for each; the caller holds the cursor's lock."""
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


def remind(*, now: datetime, limit: int = 500) -> int:
    """Remind clients before an automatic release; return how many. Reads `limit` escrows at a time."""
    NoticeCursor.objects.get_or_create(pk=1)
    made, after = 0, (now, 0)
    while nearing := _nearing(after, now=now, limit=limit):
        made += _remind([escrow_id for _, escrow_id in nearing], now)
        after = nearing[-1]
    return made


def are_nearing(*, now: datetime) -> bool:
    """Return whether `remind` has an escrow to look at; its client may have been reminded already."""
    return bool(_nearing((now, 0), now=now, limit=1))


def _nearing(after: tuple[datetime, int], *, now: datetime, limit: int) -> list[tuple[datetime, int]]:
    """Return time and id of the next automatic releases after `after`, earliest first."""
    at, escrow_id = after
    open_refunds = Refund.objects.filter(
        escrow=OuterRef("pk"), source="escrow", state__in=[state.value for state in OPEN_REFUNDS]
    )
    nearing = Escrow.objects.filter(
        # What stops the release also stops its announcement.
        ~approvals.open_for_outer(),
        ~Exists(open_refunds),
        Q(auto_release_at__gt=at) | Q(auto_release_at=at, pk__gt=escrow_id),
        state=EscrowState.FUNDED.value,
        auto_release_at__gt=now,
        auto_release_at__gte=at,
        auto_release_at__lte=now + NEARING,
        frozen_at=None,
    )
    found = nearing.order_by("auto_release_at", "pk").values_list("auto_release_at", "pk")[:limit]
    return [(at, escrow_id) for at, escrow_id in found if at is not None]


@database.transactional
def _remind(escrow_ids: list[int], now: datetime) -> int:
    NoticeCursor.objects.select_for_update().get(pk=1)
    return write(
        [
            Notice(
                user_id=escrow.client_id,
                kind="auto_release_nearing",
                reference=wording.reminder_reference(escrow),
                escrow=escrow,
                created_at=now,
            )
            for escrow in Escrow.objects.filter(pk__in=escrow_ids, auto_release_at__isnull=False).order_by("pk")
        ]
    )


def unread(user_id: int, *, at_most: int = 100) -> int:
    """Return how many unread notices a user has, counted up to `at_most`."""
    return len(Notice.objects.filter(user_id=user_id, read_at=None).values_list("pk")[:at_most])


def inbox(user_id: int, *, before: int | None = None, limit: int = 20) -> list[Notice]:
    """Return a user's notices, newest first, with the related rows of their texts; only those older than `before`."""
    mine = _with_facts().filter(user_id=user_id)
    if before is not None:
        mine = mine.filter(pk__lt=before)
    return list(mine.order_by("-pk")[:limit])


@database.transactional
def mark_read(*, actor: Actor, now: datetime, up_to: int) -> int:
    """Mark the actor's notices as read, up to the newest that was shown; return how many."""
    if actor.user_id is None:
        return 0
    return Notice.objects.filter(user_id=actor.user_id, read_at=None, pk__lte=up_to).update(read_at=now)


def purge(*, before: datetime) -> int:
    """Delete notices that are older than a moment, unless their email still has to be sent; return how many."""
    ended = Notice.objects.exclude(email_state=EmailState.PENDING.value)
    return purging.delete_oldest(ended, at="created_at", before=before)


def with_email(notice_id: int) -> Notice | None:
    """Return a notice whose email is pending, with the related rows of its text; None if it is not pending."""
    return _with_facts().filter(pk=notice_id, email_state=EmailState.PENDING.value).first()


@database.transactional
def claim_email(notice: Notice, *, now: datetime) -> bool:
    """Claim a notice's email for sending; only one of several concurrent calls returns True."""
    taken = Notice.objects.filter(pk=notice.pk, email_state=EmailState.PENDING.value)
    count = taken.update(email_state=EmailState.SENDING.value, email_attempts=F("email_attempts") + 1, emailed_at=now)
    return count == 1


@database.transactional
def email_ended(notice: Notice, state: EmailState) -> None:
    """Record the outcome of a claimed email."""
    ours = Notice.objects.filter(pk=notice.pk, email_state=EmailState.SENDING.value)
    ours.update(email_state=state.value)


def _with_facts() -> QuerySet[Notice]:
    return Notice.objects.select_related(
        "user", "event", "withdrawal", "escrow__agreement", "escrow__client", "escrow__freelancer"
    )


def unsent(*, now: datetime) -> list[int]:
    """Return the ids of notices whose email is due, including those with a queued job."""
    due = Q(email_attempts=0) & (Q(created_at__lte=now - LOST) | Q(created_at__gt=now + AHEAD))
    due |= Q(email_attempts__gt=0, emailed_at__gt=now + AHEAD)
    for attempts, pause in enumerate(outbox.PAUSES, start=1):
        due |= Q(email_attempts=attempts, emailed_at__lte=now - pause)
    waiting = Notice.objects.filter(due, email_state=EmailState.PENDING.value)
    return list(waiting.order_by("pk").values_list("pk", flat=True))


def without_job(notice_ids: Sequence[int]) -> list[int]:
    """Return those of the given notices whose email has no queued job."""
    lost = Notice.objects.filter(~jobs.is_queued(queue.EMAIL, "notice_id"), pk__in=notice_ids)
    return list(lost.order_by("pk").values_list("pk", flat=True))
