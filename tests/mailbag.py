"""Runs the jobs that write emails, and finds what they wrote."""

import json
import re
from datetime import datetime
from typing import Any

from django.core import mail
from django.core.mail import EmailMessage
from django.db import connection
from django.utils import timezone

from multitask.payments.notices import emails
from multitask.users import account_emails

_TAKE = """
DELETE FROM procrastinate_jobs
 WHERE queue_name = 'emails' AND status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= %s)
RETURNING id, task_name, args
"""
_WORK = {"send_email": emails.send, "send_letter": account_emails.send}


def empty(now: datetime | None = None) -> list[EmailMessage]:
    """Perform every email job that is due; return the messages that went out meanwhile, in order."""
    now, known = now or timezone.now(), len(mail.outbox)
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [now])
        jobs: list[tuple[int, str, Any]] = sorted(cursor.fetchall())
    for _, name, arguments in jobs:
        given = arguments if isinstance(arguments, dict) else json.loads(arguments)
        _WORK[name](**given, now=now)
    return list(mail.outbox[known:])


def lose() -> None:
    """Lose every email job."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'emails'")


def waiting() -> list[dict[str, Any]]:
    """The arguments of email jobs that have not been performed, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT args FROM procrastinate_jobs WHERE queue_name = 'emails' ORDER BY id")
        rows = cursor.fetchall()
    return [row[0] if isinstance(row[0], dict) else json.loads(row[0]) for row in rows]


def path_in(message: EmailMessage) -> str:
    """The path of the one link in a message's text."""
    found = re.search(r"https?://[^/]+(/\S*)", str(message.body))
    assert found, message.body
    return found.group(1)
