"""Notices by email: written in the reader's language, sent by jobs, never twice."""

import smtplib
from collections.abc import Sequence
from datetime import datetime

import structlog
from django.core.mail import EmailMultiAlternatives
from django.utils.translation import gettext as _

from multitask import database
from multitask.database import jobs
from multitask.payments.models import EmailState, Notice
from multitask.payments.notices import notices, wording
from multitask.payments.operations import queue
from multitask.users import mail, mailboxes
from multitask.users.models import User

log = structlog.get_logger(__name__)


def compose(notice: Notice) -> EmailMultiAlternatives:
    """Write the email of a notice in its reader's language and time zone."""
    with mail.spoken_to(notice.user):
        return mail.compose(
            user=notice.user,
            said=wording.of(notice),
            why=_("You get this message because it is about your money."),
            message_id=f"notice-{notice.pk}",
        )


def send(*, notice_id: int, now: datetime) -> bool:
    """Send a notice's email once; answers whether it went out.

    It is taken before it is sent: a crash in between leaves it unsent rather than sent twice,
    since the notice itself stands on the pages.
    """
    notice = notices.with_email(notice_id)
    if notice is None:
        return False
    message = compose(notice)
    if not notices.claim_email(notice, now=now):
        return False
    state = _deliver(notice, message) if _has_reader(notice.user, now) else EmailState.FAILED
    if state is not None:
        notices.email_ended(notice, state)
    return state is EmailState.SENT


def _has_reader(user: User, now: datetime) -> bool:
    if not user.is_active or user.email_confirmed:
        return user.is_active
    # An address that somebody else has confirmed is not this user's, whatever was named at registration. One that
    # nobody has confirmed may be a stranger's: beyond a few emails the notice stands on the pages alone.
    return not mailboxes.is_anothers(user) and mailboxes.has_room_for_news(address=user.email, now=now)


def _deliver(notice: Notice, message: EmailMultiAlternatives) -> EmailState | None:
    """Hand it to the server; None when nobody knows what became of it."""
    try:
        mail.deliver(message)
    except mail.NotTaken as refusal:
        is_last = refusal.is_final or notice.email_attempts >= len(notices.PAUSES)
        log.warning("email_refused", notice=notice.pk, is_last=is_last)
        return EmailState.FAILED if is_last else EmailState.PENDING
    except (OSError, smtplib.SMTPException) as error:
        log.warning("email_outcome_unknown", notice=notice.pk, reason=type(error).__name__)
        return None
    return EmailState.SENT


def sweep(*, now: datetime, limit: int = 200) -> int:
    """Defer again every email that was lost, or refused for now; return how many. Looks at `limit` per transaction."""
    return sum(_defer_lost(batch) for batch in jobs.batches(notices.unsent(now=now), limit))


@database.transactional
def _defer_lost(notice_ids: Sequence[int]) -> int:
    lost = notices.without_job(notice_ids)
    for notice_id in lost:
        queue.defer(queue.EMAIL, notice_id=notice_id)
    return len(lost)
