"""Emails to people: written in their language, as text and HTML, and handed to the mail server with care."""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string
from django.utils import timezone, translation

from multitask.users.models import User

_PERMANENT = 500


@dataclass(frozen=True, slots=True)
class Said:
    """Something in words; `address` is a path on our pages, `button` what its link is called."""

    title: str
    text: str
    address: str
    button: str


class NotTaken(Exception):
    """The mail server certainly did not take the message; `is_final` when asking again is of no use.

    Every other error while sending leaves it unknown whether the message is on its way.
    """

    def __init__(self, *, is_final: bool) -> None:
        """Keep whether to ask again."""
        super().__init__("refused for good" if is_final else "refused for now")
        self.is_final = is_final


def language_of(user: User) -> str:
    """The language of somebody's profile, if the pages have it, else English."""
    return user.language if user.language in dict(settings.LANGUAGES) else "en"


@contextmanager
def spoken_to(user: User) -> Iterator[None]:
    """Speak somebody's language, in their time zone."""
    with translation.override(language_of(user)), timezone.override(user.zone):
        yield


def compose(*, user: User, said: Said, why: str, message_id: str, to: str = "") -> EmailMultiAlternatives:
    """Write an email, to the user's own address unless another is named; call it while `spoken_to`."""
    context = {
        "said": said,
        "user": user,
        "why": why,
        "address": f"{settings.PUBLIC_URL}{said.address}",
        "direction": "rtl" if translation.get_language_bidi() else "ltr",
        "language": translation.get_language(),
    }
    message = EmailMultiAlternatives(
        # A subject is one line, whatever the title of a task holds.
        subject=" ".join(said.title.split()),
        body=render_to_string("users/letter.txt", context),
        to=[to or user.email],
        headers={"Message-ID": f"<{message_id}@{settings.EMAIL_DOMAIN}>", "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(render_to_string("users/letter.html", context), "text/html")
    return message


def deliver(message: EmailMultiAlternatives) -> None:
    """Hand a message to the mail server. Raises NotTaken, or what leaves the outcome unknown."""
    connection = get_connection()
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        raise NotTaken(is_final=False) from error
    try:
        _send(connection, message)
    finally:
        # The message's fate is known by now: how the server takes leave changes nothing.
        with suppress(OSError, smtplib.SMTPException):
            connection.close()


def _send(connection: Any, message: EmailMultiAlternatives) -> None:
    try:
        connection.send_messages([message])
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise NotTaken(is_final=all(code >= _PERMANENT for code in codes)) from error
    except smtplib.SMTPResponseException as error:
        raise NotTaken(is_final=error.smtp_code >= _PERMANENT) from error
    except (smtplib.SMTPNotSupportedError, ValueError) as error:
        # It could not be written down in the form that the server takes; nothing was sent.
        raise NotTaken(is_final=True) from error
