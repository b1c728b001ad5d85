"""Actions of administrators: roles, accounts, a lost second factor."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.payments import staff_commands
from multitask.payments.errors import NotFound
from multitask.users.actor import Actor, Power
from multitask.users.models import StaffRole, User
from multitask.web.backoffice.base import labels, links
from multitask.web.backoffice.base.actions import Action, ReasonForm, Submission, Summary, require_id


class RoleForm(ReasonForm):
    """The staff role and the reason."""

    staff_role = forms.ChoiceField(label=gettext_lazy("Role"), required=False)

    def __init__(self, *args: Any, present: str) -> None:
        """Select the present role."""
        super().__init__(*args)
        choices = [(role, labels.of("role", role)) for role in StaffRole.values]
        self.fields["staff_role"] = forms.ChoiceField(label=_("Role"), required=False, choices=choices, initial=present)
        self.order_fields(["staff_role", "note"])


class PersonAction(Action):
    """An action on a person."""

    power = Power.MANAGE_USERS

    def subject(self, actor: Actor, subject_id: int | None) -> User:
        """Return the person."""
        found = User.objects.filter(pk=require_id(subject_id)).first()
        if found is None:
            raise NotFound
        return found

    def form(self, subject: User, *args: Any) -> forms.Form:
        """Return the form for the reason."""
        return ReasonForm(*args)

    def summary(self, subject: User) -> Summary:
        """Return the person's name, address and role."""
        return [
            (_("User"), subject.username),
            (_("Email"), subject.email if subject.email_confirmed else f"{subject.email} ({_('Not confirmed')})"),
            (_("Role"), labels.of("role", subject.staff_role)),
        ]

    def result_address(self, subject: User) -> str:
        """Return the person's page."""
        return links.of(subject)


class SetRole(PersonAction):
    """Give, change or take away a staff role."""

    name = "staff-role"
    title = gettext_lazy("Change the staff role")
    button_label = gettext_lazy("Change the staff role")

    def form(self, subject: User, *args: Any) -> forms.Form:
        """Return the form for the role and the reason."""
        return RoleForm(*args, present=subject.staff_role)

    def consequences(self, subject: User) -> list[str]:
        """Return when it takes effect."""
        return [
            _("It takes effect with their next request."),
            _("Nobody changes their own role."),
        ]

    def execute(self, subject: User, submission: Submission) -> object:
        """Set it."""
        return staff_commands.set_staff_role(
            actor=submission.actor,
            user_id=subject.pk,
            staff_role=submission.data["staff_role"],
            note=submission.note,
            now=submission.now,
        )

    def success_message(self, subject: User, outcome: object) -> str:
        """Return the confirmation."""
        return _("The role was changed.")


class CloseAccount(PersonAction):
    """Close an account."""

    name = "close-account"
    title = gettext_lazy("Close the account")
    button_label = gettext_lazy("Close the account")

    def consequences(self, subject: User) -> list[str]:
        """Return what happens to sessions and money."""
        return [
            _("They cannot sign in any more, and their sessions end at once."),
            _("Their money stays where it is; payments under way continue."),
        ]

    def execute(self, subject: User, submission: Submission) -> object:
        """Close it."""
        return staff_commands.set_active(
            actor=submission.actor, user_id=subject.pk, is_active=False, note=submission.note, now=submission.now
        )

    def success_message(self, subject: User, outcome: object) -> str:
        """Return the confirmation."""
        return _("The account is closed.")


class ReopenAccount(PersonAction):
    """Open a closed account again."""

    name = "reopen-account"
    title = gettext_lazy("Open the account again")
    button_label = gettext_lazy("Open the account again")

    def consequences(self, subject: User) -> list[str]:
        """Return what the person can do again."""
        return [_("They can sign in again with the password that they had.")]

    def execute(self, subject: User, submission: Submission) -> object:
        """Open it."""
        return staff_commands.set_active(
            actor=submission.actor, user_id=subject.pk, is_active=True, note=submission.note, now=submission.now
        )

    def success_message(self, subject: User, outcome: object) -> str:
        """Return the confirmation."""
        return _("The account is open again.")


class RemoveSecondFactor(PersonAction):
    """Remove the second factor of somebody who has lost it."""

    name = "second-factor-off"
    title = gettext_lazy("Switch their two-step sign-in off")
    button_label = gettext_lazy("Switch their two-step sign-in off")

    def consequences(self, subject: User) -> list[str]:
        """Return what protects the account afterwards."""
        return [
            _("Their password alone is enough to sign in and to withdraw, until they set it up again."),
            _("Make sure first that the request comes from them; an email does not prove it."),
            _("They are notified by email."),
        ]

    def execute(self, subject: User, submission: Submission) -> object:
        """Remove it."""
        return staff_commands.remove_second_factor(
            actor=submission.actor, user_id=subject.pk, note=submission.note, now=submission.now
        )

    def success_message(self, subject: User, outcome: object) -> str:
        """Return the confirmation."""
        return _("Their two-step sign-in is off. They were notified by email.")
