"""What is deleted when its time is over, of every table that would grow without end.

`docs/operations.md` lists all tables, and why the others stay. Each deletes in batches (`database.purging`), so it may
be broken off anywhere, and runs of two workers do no harm.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import Error

from multitask.database import jobs, purging
from multitask.payments.authorization import rate_limits
from multitask.payments.notices import notices
from multitask.users import sessions, throttle
from multitask.web.api import idempotency
from multitask.webhooks import retention as events

log = structlog.get_logger(__name__)


def _failed_jobs(now: datetime) -> int:
    return jobs.purge(before=now - timedelta(days=settings.RETENTION_FAILED_JOB_DAYS))


def _page_sessions(now: datetime) -> int:
    return purging.delete(Session.objects.filter(expire_date__lt=now))


def _notices(now: datetime) -> int:
    return notices.purge(before=now - timedelta(days=settings.RETENTION_NOTICE_DAYS))


RULES: Final[Mapping[str, Callable[[datetime], int]]] = {
    "idempotency records": lambda now: idempotency.purge(now=now),
    "refresh tokens": lambda now: sessions.purge(now=now),
    "page sessions": _page_sessions,
    "login attempts": lambda now: throttle.purge(now=now),
    "calls at the provider": lambda now: rate_limits.purge(now=now),
    "failed jobs": _failed_jobs,
    "payloads of webhooks": lambda now: events.clear_payloads(now=now),
    "webhooks": lambda now: events.purge(now=now),
    "notices": _notices,
}


def apply(*, now: datetime) -> dict[str, int]:
    """Apply every rule; return how many rows each has deleted or emptied. An error in one does not stop the others.

    Raises the first error at the end.
    """
    done: dict[str, int] = {}
    failures: list[Exception] = []
    for name, rule in RULES.items():
        try:
            done[name] = rule(now)
        except Error as error:
            log.exception("retention_failed", rule=name)
            failures.append(error)
    if failures:
        raise failures[0]
    return done
