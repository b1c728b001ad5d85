"""Who is told of what: notices follow from the audit trail, so that no command has to think of them.

A job reads new events and writes a notice for each person concerned, once. Ids do not commit in
order, so the cursor stays an hour behind, longer than any transaction lives, and what lies in
between is looked at again; the cursor's lock lets one look at a time, and the unique reference
makes looking twice harmless.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import InterfaceError, OperationalError
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet

from multitask import database
from multitask.database import OutcomeUnknown, jobs
from multitask.payments.models import AuditEvent, EmailState, Escrow, Notice, NoticeCursor
from multitask.payments.notices import wording
from multitask.payments.operations import queue
from multitask.payments.states import EscrowState
from multitask.users.actor import Actor

log = structlog.get_logger(__name__)

BEHIND: Final = timedelta(hours=1)
NEARING: Final = timedelta(days=2)
# A job that has not come by then is deferred once more, and how long to wait after each refusal for now.
LOST: Final = timedelta(minutes=5)
PAUSES: Final = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))

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
    "refund_granted": _both,
    "refund_denied": _both,
    "refund_withdrawn": _freelancer,
    "refund_started": _both,
    "refunded": _both,
    "refund_failed": _client,
    "dispute_opened": _both,
    "dispute_settled": _both,
    "task_cancelled": _both,
    "chargeback_opened": _both,
    "chargeback_won": _both,
    "chargeback_lost": _both,
    "chargeback_warning_closed": _both,
    "withdrawal_completed": _self,
    "withdrawal_failed": _self,
    "account_enabled": _self,
    "account_needs_attention": _self,
}
_ABOUT_MONEY: Final = frozenset({"funded", "released", "refunded", "settled", "dispute_settled"})


def collect(*, now: datetime, limit: int = 500) -> int:
    """Make the notices of new events and defer their emails; return how many were made.

    Works through all new events, `limit` per transaction. An event that fails is logged and passed over, and looked
    at again by each run of the next hour.
    """
    cursor, _ = NoticeCursor.objects.get_or_create(pk=1)
    after, made = cursor.audit_event_id, 0
    # Decided before looking: what is that old by now has committed, so the looks below see it.
    settled = AuditEvent.objects.filter(pk__gt=after, at__lt=now - BEHIND).aggregate(last=Max("pk"))["last"]
    while events := list(_untold().filter(pk__gt=after).values_list("pk", flat=True)[:limit]):
        made += _tell(events, now)
        after = events[-1]
    if settled is not None:
        NoticeCursor.objects.filter(pk=1, audit_event_id__lt=settled).update(audit_event_id=settled)
    return made


def _untold() -> QuerySet[AuditEvent]:
    """Events that somebody may have to be told of and nobody was yet, oldest first."""
    told = Notice.objects.filter(event_id=OuterRef("pk"))
    fresh = AuditEvent.objects.filter(~Exists(told), event__in=RULES)
    return fresh.select_related("escrow").order_by("pk")


def _tell(event_ids: list[int], now: datetime) -> int:
    """Make the notices of some events together, or of each by itself when that fails."""
    try:
        return _tell_together(event_ids, now)
    except OutcomeUnknown:
        raise
    except Exception as error:
        log.exception("notices_failed", first=event_ids[0], last=event_ids[-1])
        if len(event_ids) == 1:
            return 0
        if isinstance(error, OperationalError | InterfaceError):
            raise  # The database is away: each by itself would fail as well.
    return sum(_tell([event_id], now) for event_id in event_ids)


@database.transactional
def _tell_together(event_ids: list[int], now: datetime) -> int:
    # One look at a time: another that was faster has told people of some of these.
    NoticeCursor.objects.select_for_update().get(pk=1)
    events = list(_untold().filter(pk__in=event_ids))
    return _write([notice for event in events for notice in _notices(event, now)])


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


def remind(*, now: datetime, limit: int = 500) -> int:
    """Tell clients whose silence is about to release money; return how many. Writes `limit` per transaction."""
    NoticeCursor.objects.get_or_create(pk=1)
    nearing = Escrow.objects.filter(
        state=EscrowState.FUNDED.value,
        auto_release_at__gt=now,
        auto_release_at__lte=now + NEARING,
        frozen_at=None,
    )
    ids = list(nearing.order_by("auto_release_at", "pk").values_list("pk", flat=True))
    return sum(_remind(ids[first : first + limit], now) for first in range(0, len(ids), limit))


@database.transactional
def _remind(escrow_ids: list[int], now: datetime) -> int:
    NoticeCursor.objects.select_for_update().get(pk=1)
    return _write(
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
    """How many notices somebody has not read; it counts no further than `at_most`."""
    return len(Notice.objects.filter(user_id=user_id, read_at=None).values_list("pk")[:at_most])


def inbox(user_id: int, *, before: int | None = None, limit: int = 20) -> list[Notice]:
    """Somebody's notices, newest first, with what their words are made of; those older than `before`."""
    mine = _with_facts().filter(user_id=user_id)
    if before is not None:
        mine = mine.filter(pk__lt=before)
    return list(mine.order_by("-pk")[:limit])


@database.transactional
def mark_read(*, actor: Actor, now: datetime, up_to: int) -> int:
    """Mark one's own notices read up to the newest that was shown; answers how many."""
    if actor.user_id is None:
        return 0
    return Notice.objects.filter(user_id=actor.user_id, read_at=None, pk__lte=up_to).update(read_at=now)


def with_email(notice_id: int) -> Notice | None:
    """The notice whose email has not been taken for sending, with what it is written from."""
    return _with_facts().filter(pk=notice_id, email_state=EmailState.PENDING.value).first()


@database.transactional
def claim_email(notice: Notice, *, now: datetime) -> bool:
    """Take a notice's email for sending; one of many who ask at once is answered True."""
    taken = Notice.objects.filter(pk=notice.pk, email_state=EmailState.PENDING.value)
    count = taken.update(email_state=EmailState.SENDING.value, email_attempts=F("email_attempts") + 1, emailed_at=now)
    return count == 1


@database.transactional
def email_ended(notice: Notice, state: EmailState) -> None:
    """Write down what became of an email that was taken for sending."""
    ours = Notice.objects.filter(pk=notice.pk, email_state=EmailState.SENDING.value)
    ours.update(email_state=state.value)


def _with_facts() -> QuerySet[Notice]:
    return Notice.objects.select_related(
        "user", "event", "withdrawal", "escrow__agreement", "escrow__client", "escrow__freelancer"
    )


def unsent(*, now: datetime) -> list[int]:
    """Notices whose email is due, also those whose job waits in the queue."""
    due = Q(email_attempts=0, created_at__lte=now - LOST)
    for attempts, pause in enumerate(PAUSES, start=1):
        due |= Q(email_attempts=attempts, emailed_at__lte=now - pause)
    waiting = Notice.objects.filter(due, email_state=EmailState.PENDING.value)
    return list(waiting.order_by("pk").values_list("pk", flat=True))


def without_job(notice_ids: Sequence[int]) -> list[int]:
    """Return those of a batch of notices for whose email no job waits."""
    lost = Notice.objects.filter(~jobs.is_queued(queue.EMAIL, "notice_id"), pk__in=notice_ids)
    return list(lost.order_by("pk").values_list("pk", flat=True))
