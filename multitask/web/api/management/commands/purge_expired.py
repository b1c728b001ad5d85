"""`manage.py purge_expired`: delete what is kept for a time and whose time is over."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from multitask.web.api import retention


class Command(BaseCommand):
    """Apply the retention of every table; safe to run at any time, and again after it was broken off."""

    help = "Delete rows whose time is over: sessions, attempts to sign in, idempotency records, webhooks and others."

    def handle(self, *args: Any, **options: Any) -> None:
        """Apply the rules and print the number of rows of each."""
        for kind, count in retention.apply(now=timezone.now()).items():
            self.stdout.write(f"{kind}: {count}")
