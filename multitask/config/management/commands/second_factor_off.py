"""`manage.py second_factor_off NAME`: lets somebody in again who has lost phone and recovery codes, as the last
administrator may have; for everybody else an administrator does it in the back office."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from multitask.payments import staff_commands
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.users.second_factor import NotOn


class Command(BaseCommand):
    """Removes an account's second factor on the authority of whoever runs the server; the audit trail keeps it."""

    help = "Switch an account's two-step sign-in off. Its sessions lose the staff's powers; its owner is told by email."
    # They would load every page and the API, which takes longer than this.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the account and `--reason`."""
        parser.add_argument("username", help="the user name of an account that exists")
        parser.add_argument("--reason", default="switched off from the command line", help="what the audit trail keeps")

    def handle(self, *_arguments: Any, username: str, reason: str, **_options: Any) -> None:
        """Remove it. Errors: CommandError, and exit 1, for a name that nobody has or an account without one."""
        found = User.objects.filter(username__iexact=username).first()
        if found is None:
            raise CommandError(f"nobody is called {username!r}")
        try:
            staff_commands.remove_second_factor(
                actor=Actor.system("operator"), user_id=found.pk, note=reason, now=timezone.now()
            )
        except NotOn:
            raise CommandError(f"the two-step sign-in of {found.username} is off already") from None
        self.stdout.write(f"{found.username}: two-step sign-in is off; it is set up again at the next sign-in")
