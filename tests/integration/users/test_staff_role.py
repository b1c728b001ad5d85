"""The command that gives the first staff member a role."""

import io

import pytest
from django.core.management import CommandError, call_command

from multitask.payments.models import AuditEvent
from multitask.users.models import User

pytestmark = pytest.mark.django_db


def told(*arguments: str) -> str:
    out = io.StringIO()
    call_command("staff_role", *arguments, stdout=out)
    return out.getvalue().strip()


def test_an_account_becomes_one_of_the_staff_and_stops_being_one() -> None:
    user = User.objects.create_user("ada", "ada@example.com", is_client=True)

    assert told("Ada", "admin", "--reason", "Runs the platform.") == "ada: admin"
    user.refresh_from_db()
    assert (user.staff_role, user.is_staff, user.is_superuser) == ("admin", True, True)
    event = AuditEvent.objects.get(event="staff_role_set")
    assert (event.user_id, event.note, event.actor_label) == (user.pk, "Runs the platform.", "operator")

    assert told("ada", "none") == "ada: no longer staff"
    user.refresh_from_db()
    assert (user.staff_role, user.is_staff, user.is_superuser) == ("", False, False)


@pytest.mark.parametrize("arguments", [("nobody", "admin"), ("ada", "king")])
def test_what_cannot_be_is_said_and_changes_nothing(arguments: tuple[str, str]) -> None:
    User.objects.create_user("ada", "ada@example.com", is_client=True)

    with pytest.raises(CommandError):
        told(*arguments)

    assert not User.objects.filter(is_staff=True).exists()
    assert not AuditEvent.objects.exists()
