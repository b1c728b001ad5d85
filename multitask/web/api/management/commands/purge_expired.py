"""`manage.py purge_expired`: delete expired responses, sessions and login attempts."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from multitask.payments.authorization import rate_limits
from multitask.users import sessions, throttle
from multitask.web.api import idempotency


class Command(BaseCommand):
    """Delete expired rows; safe to run at any time."""

    help = "Delete idempotency records, refresh tokens, login attempts and counted calls whose time is over."

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete them and print the number of each."""
        now = timezone.now()
        deleted = {
            "idempotency records": idempotency.purge(now=now),
            "refresh tokens": sessions.purge(now=now),
            "login attempts": throttle.purge(now=now),
            "calls at the provider": rate_limits.purge(now=now),
        }
        for kind, count in deleted.items():
            self.stdout.write(f"{kind}: {count}")
