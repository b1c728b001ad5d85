"""`manage.py staff_role NAME ROLE`: give the first staff account its role; later ones get it in the back office."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from multitask.payments import staff_commands
from multitask.users import accounts
from multitask.users.actor import Actor
from multitask.users.models import StaffRole

NO_ROLE = "none"


class Command(BaseCommand):
    """Set the staff role of an account, as the operator of the server; the audit trail records it."""

    help = "Set or remove the staff role of an account."
    # System checks would import all pages and the API, which takes longer than this command.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the user name, the role and `--reason`."""
        roles = [role for role in StaffRole.values if role]
        parser.add_argument("username", help="the user name of an existing account")
        parser.add_argument("role", choices=[*roles, NO_ROLE], help="the new role")
        parser.add_argument("--reason", default="set from the command line", help="the note in the audit trail")

    def handle(self, *_arguments: Any, username: str, role: str, reason: str, **_options: Any) -> None:
        """Change the role. Raises CommandError (exit 1) if there is no such account."""
        found = accounts.by_username(username)
        if found is None:
            raise CommandError(f"there is no account {username!r}: register it first")
        changed = staff_commands.set_staff_role(
            actor=Actor.system("operator"),
            user_id=found.pk,
            staff_role="" if role == NO_ROLE else role,
            note=reason,
            now=timezone.now(),
        )
        self.stdout.write(f"{changed.username}: {changed.staff_role or 'no longer staff'}")
