"""Notices by email: text and HTML, in the reader's language, sent by jobs, never twice."""

import smtplib
from datetime import datetime
from typing import Final

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone, translation

from multitask.payments import notice_words, notices
from multitask.payments.models import Notice

log = structlog.get_logger(__name__)

# The server answered that it will not take the message: it certainly was not sent.
REFUSED: Final = (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused, ConnectionRefusedError)


def compose(notice: Notice) -> EmailMultiAlternatives:
    """Write the email of a notice in its reader's language and time zone."""
    with translation.override(notice.user.language), timezone.override(notice.user.time_zone):
        said = notice_words.of(notice)
        context = {
            "said": said,
            "user": notice.user,
            "address": f"{settings.PUBLIC_URL}{said.address}",
            "direction": "rtl" if translation.get_language_bidi() else "ltr",
            "language": translation.get_language(),
        }
        message = EmailMultiAlternatives(
            subject=said.title,
            body=render_to_string("payments/email.txt", context),
            to=[notice.user.email],
            headers={"Message-ID": f"<notice-{notice.pk}@{settings.EMAIL_DOMAIN}>", "Auto-Submitted": "auto-generated"},
        )
        message.attach_alternative(render_to_string("payments/email.html", context), "text/html")
        return message


def send(*, notice_id: int, now: datetime) -> bool:
    """Send a notice's email once.

    It is claimed before it is sent: a crash in between leaves it unsent rather than sent twice,
    since the notice itself stands on the pages.
    """
    notice = notices.claim_email(notice_id=notice_id)
    if notice is None:
        return False
    try:
        compose(notice).send()
    except REFUSED as error:
        log.warning("email_refused", notice=notice.pk, reason=type(error).__name__)
        notices.email_ended(notice, sent=False, now=now)
        return False
    notices.email_ended(notice, sent=True, now=now)
    return True
