"""`manage.py staff_role NAME ROLE`: how the first of the staff gets in; later ones are made in the back office."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from multitask.payments import staff_commands
from multitask.users import accounts
from multitask.users.actor import Actor
from multitask.users.models import StaffRole

NOBODY = "none"


class Command(BaseCommand):
    """Gives an account a role among the staff, as whoever runs the server may; the audit trail keeps it."""

    help = "Give an account a role among the staff, or take it away."
    # They would load every page and the API, which takes longer than this.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the account, the role and `--reason`."""
        roles = [role for role in StaffRole.values if role]
        parser.add_argument("username", help="the user name of an account that exists")
        parser.add_argument("role", choices=[*roles, NOBODY], help="its role from now on")
        parser.add_argument("--reason", default="set from the command line", help="what the audit trail keeps")

    def handle(self, *_arguments: Any, username: str, role: str, reason: str, **_options: Any) -> None:
        """Change the role. Errors: CommandError, and exit 1, for a name that nobody has."""
        found = accounts.by_username(username)
        if found is None:
            raise CommandError(f"nobody is called {username!r}: register the account first")
        changed = staff_commands.set_staff_role(
            actor=Actor.system("operator"),
            user_id=found.pk,
            staff_role="" if role == NOBODY else role,
            note=reason,
            now=timezone.now(),
        )
        self.stdout.write(f"{changed.username}: {changed.staff_role or 'no longer of the staff'}")
