"""`manage.py second_factor_off NAME`: remove the second factor of an account.

For the last administrator, who has lost phone and recovery codes; for other accounts an administrator does it in the
back office.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from multitask.payments import staff_commands
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.users.second_factor import NotOn


class Command(BaseCommand):
    """Remove the second factor of an account, as the operator of the server; the audit trail records it."""

    help = "Switch off the two-step sign-in of an account. Its sessions lose staff privileges; its owner gets an email."
    # System checks would import all pages and the API, which takes longer than this command.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the user name and `--reason`."""
        parser.add_argument("username", help="the user name of an existing account")
        parser.add_argument(
            "--reason", default="switched off from the command line", help="the note in the audit trail"
        )

    def handle(self, *_arguments: Any, username: str, reason: str, **_options: Any) -> None:
        """Remove it. Raises CommandError (exit 1) if there is no such account or it has no second factor."""
        found = User.objects.filter(username__iexact=username).first()
        if found is None:
            raise CommandError(f"there is no account {username!r}")
        try:
            staff_commands.remove_second_factor(
                actor=Actor.system("operator"), user_id=found.pk, note=reason, now=timezone.now()
            )
        except NotOn:
            raise CommandError(f"the two-step sign-in of {found.username} is already off") from None
        self.stdout.write(f"{found.username}: two-step sign-in is off; it is set up again at the next sign-in")
