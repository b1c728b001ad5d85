"""Actions on a payee's identity: confirm it with the document at hand, or reject it with a reason for its owner."""

from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.payments.errors import NotFound
from multitask.payments.models import PayeeIdentity
from multitask.payments.payouts import identity
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.base import labels, links
from multitask.web.backoffice.base.actions import Action, ReasonForm, Submission, Summary, require_id
from multitask.web.pages.templatetags.money import moment


class UnkeptInput(forms.TextInput):
    """A text field that is empty whenever it is shown: what was typed is not sent back."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Leave the value out."""
        return super().get_context(name, None, attrs)


class DocumentForm(ReasonForm):
    """The number on the document, and how it was seen."""

    national_id = forms.CharField(
        label=gettext_lazy("National ID number on the document"),
        max_length=100,
        help_text=gettext_lazy("Type it from the document. It is compared with what was entered, which nobody sees."),
        widget=UnkeptInput(attrs={"inputmode": "numeric", "autocomplete": "off", "dir": "ltr"}),
    )
    field_order = ("national_id", "note")

    def __init__(self, *args: Any, **options: Any) -> None:
        """Explain above the field what the reason is for."""
        super().__init__(*args, **options)
        self.fields["note"].help_text = _("How you saw the document. Kept in the audit trail; leave the number out.")


class RejectionForm(ReasonForm):
    """The reason, which the owner reads."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Warn the writer."""
        super().__init__(*args, **options)
        self.fields["note"].help_text = _("The owner reads it. Kept in the audit trail; leave the number out.")


def others_named(others: list[PayeeIdentity]) -> SafeString:
    """Return links to other owners of a number, each with the state of their identity, and a warning."""
    parts = ((links.of(each.user), each.user.username, labels.of("identity", each.state)) for each in others)
    names = format_html_join(", ", '<a href="{}">{}</a> ({})', parts)
    return format_html("{}. {}", names, _("Confirm the identity only if they are the same person."))


class IdentityAction(Action):
    """An action on an identity."""

    power = Power.CONFIRM_IDENTITY

    def subject(self, actor: Actor, subject_id: int | None) -> PayeeIdentity:
        """Return the identity, with its owner."""
        found = PayeeIdentity.objects.filter(pk=require_id(subject_id)).select_related("user").first()
        if found is None:
            raise NotFound
        return found

    def summary(self, subject: PayeeIdentity) -> Summary:
        """Return what may be shown of it, and who else has the same number."""
        others = identity.others_with_number(subject)
        same = [(_("Same number"), others_named(others))] if others else []
        return [
            (_("User"), subject.user.username),
            (_("Legal name"), subject.masked_name),
            (_("National ID number"), subject.masked_number),
            *same,
            (_("State"), labels.of("identity", subject.state)),
            (_("Submitted"), moment(subject.submitted_at)),
        ]

    def result_address(self, subject: PayeeIdentity) -> str:
        """Return the owner's page."""
        return links.of(subject.user)


class ConfirmIdentity(IdentityAction):
    """Confirm it, having seen the document."""

    name = "confirm-identity"
    title = gettext_lazy("Confirm the identity")
    button_label = gettext_lazy("Confirm the identity")

    def form(self, subject: PayeeIdentity, *args: Any) -> forms.Form:
        """Return the form for the number on the document."""
        return DocumentForm(*args)

    def consequences(self, subject: PayeeIdentity) -> list[str]:
        """Return what the owner can do then."""
        return [
            _("They can be paid, once their payout destination has waited its time."),
            _("Compare the document's name with the letters above, and the picture with the person."),
            _("They are notified by email."),
        ]

    def execute(self, subject: PayeeIdentity, submission: Submission) -> object:
        """Confirm it."""
        return identity.confirm(
            actor=submission.actor,
            identity_id=subject.pk,
            national_id=submission.data["national_id"],
            note=submission.note,
            now=submission.now,
        )

    def success_message(self, subject: PayeeIdentity, outcome: object) -> str:
        """Return the confirmation."""
        return _("The identity is confirmed. They were notified by email.")


class RejectIdentity(IdentityAction):
    """Reject it, with a reason for its owner."""

    name = "reject-identity"
    title = gettext_lazy("Reject the identity")
    button_label = gettext_lazy("Reject the identity")

    def form(self, subject: PayeeIdentity, *args: Any) -> forms.Form:
        """Return the form for the reason."""
        return RejectionForm(*args)

    def consequences(self, subject: PayeeIdentity) -> list[str]:
        """Return what the owner has to do then."""
        return [
            _("They cannot be paid until they have entered it anew and it is confirmed."),
            _("They are notified by email and read the reason on their page."),
        ]

    def execute(self, subject: PayeeIdentity, submission: Submission) -> object:
        """Reject it."""
        return identity.reject(actor=submission.actor, identity_id=subject.pk, note=submission.note, now=submission.now)

    def success_message(self, subject: PayeeIdentity, outcome: object) -> str:
        """Return the confirmation."""
        return _("The identity is rejected. They were notified by email.")
