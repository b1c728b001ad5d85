"""Deeds about people, for administrators."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.payments import staff_commands
from multitask.payments.errors import NotFound
from multitask.users.actor import Actor, Power
from multitask.users.models import User
from multitask.web.backoffice import addresses, words
from multitask.web.backoffice.deeds.deed import Deed, Facts, Order, ReasonForm, numbered
from multitask.web.backoffice.deeds.forms import RoleForm


class OfPerson(Deed):
    """A deed whose subject is a person."""

    power = Power.MANAGE_USERS

    def subject(self, actor: Actor, subject_id: int | None) -> User:
        """The person."""
        found = User.objects.filter(pk=numbered(subject_id)).first()
        if found is None:
            raise NotFound
        return found

    def form(self, subject: User, *args: Any) -> forms.Form:
        """The reason."""
        return ReasonForm(*args)

    def facts(self, subject: User) -> Facts:
        """Who it is."""
        return [
            (_("User"), subject.username),
            (_("Email"), subject.email if subject.email_confirmed else f"{subject.email} ({_('Not confirmed')})"),
            (_("Role"), words.of("role", subject.staff_role)),
        ]

    def address(self, subject: User) -> str:
        """The person's page."""
        return addresses.of(subject)


class SetRole(OfPerson):
    """Say which part somebody has in the staff."""

    name = "staff-role"
    title = gettext_lazy("Change the staff role")
    verb = gettext_lazy("Change the role")

    def form(self, subject: User, *args: Any) -> forms.Form:
        """The role and the reason."""
        return RoleForm(*args, present=subject.staff_role)

    def consequences(self, subject: User) -> list[str]:
        """When it counts."""
        return [
            _("It counts from their very next click; a role that is taken away stops at once."),
            _("Nobody changes their own role."),
        ]

    def carry_out(self, subject: User, order: Order) -> object:
        """Set it."""
        return staff_commands.set_staff_role(
            actor=order.actor,
            user_id=subject.pk,
            staff_role=order.data["staff_role"],
            note=order.note,
            now=order.now,
        )

    def done(self, subject: User, outcome: object) -> str:
        """Say so."""
        return _("The role was changed.")


class Shut(OfPerson):
    """Close an account to its owner."""

    name = "shut"
    title = gettext_lazy("Close the account")
    verb = gettext_lazy("Close")

    def consequences(self, subject: User) -> list[str]:
        """What stays."""
        return [
            _("They cannot sign in any more, and their sessions end at once."),
            _("Their money stays where it is; what is under way goes on."),
        ]

    def carry_out(self, subject: User, order: Order) -> object:
        """Close it."""
        return staff_commands.set_active(
            actor=order.actor, user_id=subject.pk, is_active=False, note=order.note, now=order.now
        )

    def done(self, subject: User, outcome: object) -> str:
        """Say so."""
        return _("The account is closed.")


class Reopen(OfPerson):
    """Open a closed account again."""

    name = "reopen"
    title = gettext_lazy("Open the account again")
    verb = gettext_lazy("Open again")

    def consequences(self, subject: User) -> list[str]:
        """What they can do."""
        return [_("They can sign in again with the password that they had.")]

    def carry_out(self, subject: User, order: Order) -> object:
        """Open it."""
        return staff_commands.set_active(
            actor=order.actor, user_id=subject.pk, is_active=True, note=order.note, now=order.now
        )

    def done(self, subject: User, outcome: object) -> str:
        """Say so."""
        return _("The account is open again.")


class RemoveSecondFactor(OfPerson):
    """Take a second factor away from somebody who has lost it."""

    name = "second-factor-off"
    title = gettext_lazy("Switch their two-step sign-in off")
    verb = gettext_lazy("Switch off")

    def consequences(self, subject: User) -> list[str]:
        """What protects the account afterwards."""
        return [
            _("Their password alone is enough to sign in and to withdraw, until they set it up again."),
            _("Make sure first that it is they who ask: an email of theirs does not prove it."),
            _("They are told of it by email."),
        ]

    def carry_out(self, subject: User, order: Order) -> object:
        """Remove it."""
        return staff_commands.remove_second_factor(
            actor=order.actor, user_id=subject.pk, note=order.note, now=order.now
        )

    def done(self, subject: User, outcome: object) -> str:
        """Say so."""
        return _("Their two-step sign-in is off. They were told by email.")
