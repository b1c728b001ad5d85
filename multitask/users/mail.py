"""Writes emails in their reader's language, as text and HTML; `outbox` sends them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone, translation

from multitask.users.models import User


@dataclass(frozen=True, slots=True)
class MessageText:
    """The text of an email; `address` is a path on our pages, `button` the text of its link."""

    title: str
    text: str
    address: str
    button: str


def language_of(user: User) -> str:
    """Return the language of a user's profile if the pages have it, else English."""
    return user.language if user.language in dict(settings.LANGUAGES) else "en"


@contextmanager
def in_language_of(user: User) -> Iterator[None]:
    """Activate a user's language and time zone."""
    with translation.override(language_of(user)), timezone.override(user.zone):
        yield


def compose(*, user: User, content: MessageText, why: str, message_id: str, to: str = "") -> EmailMultiAlternatives:
    """Write an email to the user's own address unless another is given; call it inside `in_language_of`."""
    context = {
        "content": content,
        "user": user,
        "why": why,
        "address": f"{settings.PUBLIC_URL}{content.address}",
        "direction": "rtl" if translation.get_language_bidi() else "ltr",
        "language": translation.get_language(),
    }
    message = EmailMultiAlternatives(
        # A subject is one line; the title of a task may contain line breaks.
        subject=" ".join(content.title.split()),
        body=render_to_string("users/letter.txt", context),
        to=[to or user.email],
        headers={"Message-ID": f"<{message_id}@{settings.EMAIL_DOMAIN}>", "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(render_to_string("users/letter.html", context), "text/html")
    return message
