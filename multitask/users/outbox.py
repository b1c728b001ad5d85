"""The one place that sends emails: each at most once, and again only when the server certainly refused it.

Its record (`Email`) is the row of a notice or the job of an account email.
"""

import smtplib
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

import structlog
from django.core.mail import EmailMultiAlternatives, get_connection

# How long to wait before each further attempt, after the server has refused an email for now.
PAUSES: Final = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
)
_PERMANENT: Final = 500

log = structlog.get_logger(__name__)


class Outcome(StrEnum):
    """The outcome of an attempt to send an email."""

    SENT = "sent"
    LATER = "later"  # Refused for now: try again after the pause that belongs to the attempt.
    FAILED = "failed"  # Refused for good, too often, or without a reader.
    UNKNOWN = "unknown"  # It may have been sent, so it is never sent again.


class Email(Protocol):
    """An email that can be sent, with its record."""

    @property
    def name(self) -> str:
        """The name of the email in the log; no address."""

    @property
    def earlier_attempts(self) -> int:
        """How often the server has refused it for now."""

    def write(self) -> EmailMultiAlternatives:
        """Write the message in its reader's language."""

    def take(self, *, now: datetime) -> bool:
        """Record that it is about to be sent; False when it has been taken before."""

    def may_be_sent(self, *, now: datetime) -> bool:
        """Return whether it has a reader, and whether that mailbox may get another email."""

    def record(self, outcome: Outcome, *, now: datetime) -> None:
        """Record what became of it; after LATER, see to it that it is sent again after its pause."""


def send(email: Email, *, now: datetime) -> bool:
    """Send an email at most once; return whether it was sent.

    It is taken right before it is sent: a crash in between leaves it unsent rather than sent twice. Whatever else can
    fail comes before.
    """
    message, may_be_sent = email.write(), email.may_be_sent(now=now)
    if not email.take(now=now):
        return False
    outcome = _deliver(message, email) if may_be_sent else Outcome.FAILED
    email.record(outcome, now=now)
    return outcome is Outcome.SENT


def _deliver(message: EmailMultiAlternatives, email: Email) -> Outcome:
    try:
        _hand_over(message)
    except _Refused as refusal:
        is_last = refusal.is_final or email.earlier_attempts >= len(PAUSES)
        log.warning("email_refused", email=email.name, is_last=is_last)
        return Outcome.FAILED if is_last else Outcome.LATER
    except (OSError, smtplib.SMTPException) as error:
        log.warning("email_outcome_unknown", email=email.name, reason=type(error).__name__)
        return Outcome.UNKNOWN
    return Outcome.SENT


class _Refused(Exception):
    """The mail server certainly did not take the message; `is_final` when another attempt is of no use.

    Every other error while sending leaves it unknown whether the message was sent.
    """

    def __init__(self, *, is_final: bool) -> None:
        super().__init__("refused for good" if is_final else "refused for now")
        self.is_final = is_final


def _hand_over(message: EmailMultiAlternatives) -> None:
    """Send a message to the mail server. Raises _Refused; any other error leaves the outcome unknown."""
    connection = get_connection()
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        raise _Refused(is_final=False) from error
    try:
        _transmit(connection, message)
    finally:
        # The outcome is known by now: an error while closing the connection changes nothing.
        with suppress(OSError, smtplib.SMTPException):
            connection.close()


def _transmit(connection: Any, message: EmailMultiAlternatives) -> None:
    try:
        connection.send_messages([message])
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _Refused(is_final=all(code >= _PERMANENT for code in codes)) from error
    except smtplib.SMTPResponseException as error:
        raise _Refused(is_final=error.smtp_code >= _PERMANENT) from error
    except (smtplib.SMTPNotSupportedError, ValueError) as error:
        # The message cannot be written in the form that the server takes; nothing was sent.
        raise _Refused(is_final=True) from error
