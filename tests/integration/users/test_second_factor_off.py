"""The command that removes the second factor of the last administrator, who lost phone and recovery codes."""

import io

import pytest
from django.core.management import CommandError, call_command

from multitask.payments.models import AuditEvent
from multitask.users import second_factor
from multitask.users.models import User
from tests import mailbag, staff

pytestmark = pytest.mark.django_db


def told(*arguments: str) -> str:
    out = io.StringIO()
    call_command("second_factor_off", *arguments, stdout=out)
    return out.getvalue().strip()


def test_the_operator_takes_away_a_factor_that_was_lost() -> None:
    user = User.objects.create_superuser("ada", "ada@example.com")
    staff.enrol(user)

    assert told("Ada", "--reason", "Lost the phone.").startswith("ada: two-step sign-in is off")
    assert not second_factor.is_on(user.pk)
    event = AuditEvent.objects.get(event="second_factor_removed")
    assert (event.user_id, event.note, event.actor_label) == (user.pk, "Lost the phone.", "operator")
    assert [letter.subject for letter in mailbag.empty()] == ["Two-step sign-in is off"]


@pytest.mark.parametrize("name", ["nobody", "ada"])
def test_where_there_is_none_that_is_said(name: str) -> None:
    User.objects.create_superuser("ada", "ada@example.com")

    with pytest.raises(CommandError):
        told(name)

    assert not AuditEvent.objects.exists()
