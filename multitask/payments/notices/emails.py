"""Emails of notices: in the reader's language, sent by jobs, never twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.core.mail import EmailMultiAlternatives
from django.utils.translation import gettext as _

from multitask import database
from multitask.database import jobs
from multitask.payments.models import EmailState, Notice
from multitask.payments.notices import notices, wording
from multitask.payments.operations import queue
from multitask.users import mail, mailboxes, outbox
from multitask.users.outbox import Outcome


def compose(notice: Notice) -> EmailMultiAlternatives:
    """Write the email of a notice in its reader's language and time zone."""
    with mail.in_language_of(notice.user):
        return mail.compose(
            user=notice.user,
            content=wording.of(notice),
            why=_("You get this message because it is about your money."),
            message_id=f"notice-{notice.pk}",
        )


def send(*, notice_id: int, now: datetime) -> bool:
    """Send a notice's email once; return whether it was sent. The notice itself is on the pages in any case."""
    notice = notices.with_email(notice_id)
    return notice is not None and outbox.send(_NoticeEmail(notice), now=now)


@dataclass(frozen=True, slots=True)
class _NoticeEmail:
    """A notice's email as `outbox` sends it; its record is the notice's row."""

    notice: Notice

    @property
    def name(self) -> str:
        return f"notice {self.notice.pk}"

    @property
    def earlier_attempts(self) -> int:
        return self.notice.email_attempts

    def write(self) -> EmailMultiAlternatives:
        return compose(self.notice)

    def take(self, *, now: datetime) -> bool:
        return notices.claim_email(self.notice, now=now)

    def may_be_sent(self, *, now: datetime) -> bool:
        user = self.notice.user
        if not user.is_active or user.email_confirmed:
            return user.is_active
        # An address that another account has confirmed is not this user's. One that nobody has confirmed may be a
        # stranger's mailbox: it gets a few emails, and then the notice is on the pages alone.
        return not mailboxes.is_anothers(user) and mailboxes.may_send_news(address=user.email, now=now)

    def record(self, outcome: Outcome, *, now: datetime) -> None:
        if outcome is not Outcome.UNKNOWN:
            notices.email_ended(self.notice, _STATES[outcome])


_STATES: Final = {
    Outcome.SENT: EmailState.SENT,
    Outcome.LATER: EmailState.PENDING,  # `sweep` makes a job for it after its pause.
    Outcome.FAILED: EmailState.FAILED,
}


def sweep(*, now: datetime, limit: int = 200) -> int:
    """Queue lost and temporarily refused emails again; return how many. `limit` per transaction."""
    return sum(_defer_lost(batch) for batch in jobs.batches(notices.unsent(now=now), limit))


def are_lost(*, now: datetime) -> bool:
    """Return whether emails are due, lost or not."""
    return bool(notices.unsent(now=now))


@database.transactional
def _defer_lost(notice_ids: Sequence[int]) -> int:
    lost = notices.without_job(notice_ids)
    for notice_id in lost:
        queue.defer(queue.EMAIL, notice_id=notice_id)
    return len(lost)
