"""`manage.py reencrypt_destinations`: encrypt payout destinations, identities and card tokens under the newest key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from multitask.payments.payouts import reencryption


class Command(BaseCommand):
    """Run it after a new key was put first in DESTINATION_KEYS and every process has started with it."""

    help = "Encrypts payout destinations, identities and card tokens under the first of DESTINATION_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        """Encrypt, and print how many values were under an older key and how many no key decrypts.

        Raises CommandError if one that is still in use is among the latter.
        """
        done = reencryption.reencrypt_all(now=timezone.now())
        self.stdout.write(f"{done.encrypted} encrypted anew; run this again until it is 0, then remove the older keys.")
        self.stdout.write(f"{done.unreadable} unreadable: none of DESTINATION_KEYS decrypts them.")
        if done.unreadable_in_use:
            raise CommandError(
                f"{done.unreadable_in_use} of the unreadable values are still in use. Put the key that is missing back "
                "into DESTINATION_KEYS, or have their owners enter their details again."
            )
