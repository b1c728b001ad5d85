"""`manage.py reencrypt_destinations`: encrypt payout destinations and identities under the newest key."""

from typing import Any

from django.core.management.base import BaseCommand

from multitask.payments.payouts import reencryption


class Command(BaseCommand):
    """Run it after a new key was put first in DESTINATION_KEYS and every process has started with it."""

    help = "Encrypts payout destinations and identities under the first of DESTINATION_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        """Encrypt and print how many values were under an older key."""
        count = reencryption.reencrypt_all()
        self.stdout.write(f"{count} encrypted anew; run this again until it is 0, then remove the older keys.")
