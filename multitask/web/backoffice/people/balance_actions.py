"""Actions of finance on what a person has or owes: an adjustment, and the write-off of a receivable."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Currency, Money
from multitask.payments.errors import NotFound
from multitask.payments.losses import adjustments, write_offs
from multitask.payments.models import Receivable
from multitask.users.actor import Actor, Power
from multitask.users.models import User
from multitask.web.backoffice.base import links
from multitask.web.backoffice.base.actions import (
    Action,
    ReasonForm,
    Submission,
    Summary,
    outcome_message,
    require_id,
)
from multitask.web.backoffice.base.amount_form import AmountForm
from multitask.web.backoffice.people.actions import PersonAction
from multitask.web.pages.templatetags.money import moment, money

_ALWAYS_TWO = gettext_lazy("It always needs a second person: nothing moves until a colleague approves it.")


class AdjustmentForm(AmountForm):
    """In whose favour, how much, in which currency, and why."""

    IN_FAVOUR, AGAINST = "in_favour", "against"
    sign = forms.ChoiceField(
        label=gettext_lazy("Direction"),
        choices=[
            (IN_FAVOUR, gettext_lazy("In their favour: the platform pays")),
            (AGAINST, gettext_lazy("Against them: they owe it")),
        ],
    )

    def __init__(self, *args: Any, currency: str) -> None:
        """Select the person's own currency."""
        super().__init__(*args, currencies=sorted(each.code for each in Currency.all()), currency=currency)
        self.fields["note"].help_text = _("Kept in the audit trail under your name; the second person reads it.")

    def clean(self) -> dict[str, Any]:
        """Give the amount its sign."""
        found = super().clean()
        if "amount" in found and found.get("sign") != self.IN_FAVOUR:
            found["amount"] = -found["amount"]
        return found


class Adjust(PersonAction):
    """Adjust a freelancer's balance."""

    name = "adjust"
    power = Power.ADJUST
    title = gettext_lazy("Adjust the balance")
    button_label = gettext_lazy("Adjust the balance")

    def form(self, subject: User, *args: Any) -> forms.Form:
        """Return the form for the amount and the reason."""
        return AdjustmentForm(*args, currency=subject.default_currency)

    def consequences(self, subject: User) -> list[str]:
        """Return what an adjustment does in each direction."""
        return [
            _("In their favour: it pays what they owe first; the rest goes to their payout account and is available"
              " about a day later."),
            _("Against them: they owe it, and it is taken from later releases."),
            _("They see it in their history, without the reason."),
            str(_ALWAYS_TWO),
        ]  # fmt: skip

    def execute(self, subject: User, submission: Submission) -> object:
        """Ask for approval."""
        return adjustments.adjust(
            actor=submission.actor,
            user_id=subject.pk,
            amount=submission.data["amount"],
            note=submission.note,
            now=submission.now,
            request_key=submission.request_key,
        )

    def success_message(self, subject: User, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The balance was adjusted."))


class WriteOff(Action):
    """Give up what is still owed of a receivable."""

    name = "write-off"
    power = Power.ADJUST
    title = gettext_lazy("Write the receivable off")
    button_label = gettext_lazy("Write off")
    is_irreversible = True

    def subject(self, actor: Actor, subject_id: int | None) -> Receivable:
        """Return the receivable, with its debtor."""
        found = Receivable.objects.select_related("user").filter(pk=require_id(subject_id)).first()
        if found is None:
            raise NotFound
        return found

    def form(self, subject: Receivable, *args: Any) -> forms.Form:
        """Return the form for the reason."""
        return ReasonForm(*args)

    def summary(self, subject: Receivable) -> Summary:
        """Return who owes what, and since when."""
        return [
            (_("User"), subject.user.username),
            (_("Owed at first"), money(Money(subject.amount_minor, subject.currency))),
            (_("Recovered"), money(Money(subject.recovered_minor, subject.currency))),
            (_("Still owed"), money(subject.owed)),
            (_("Since"), moment(subject.created_at)),
        ]

    def consequences(self, subject: Receivable) -> list[str]:
        """Return who bears it."""
        return [
            _("The platform bears what is still owed when it is approved; now %(amount)s.")
            % {"amount": money(subject.owed)},
            str(_ALWAYS_TWO),
        ]

    def execute(self, subject: Receivable, submission: Submission) -> object:
        """Ask for approval."""
        return write_offs.write_off(
            actor=submission.actor,
            receivable_id=subject.pk,
            now=submission.now,
            note=submission.note,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Receivable, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The receivable was written off."))

    def result_address(self, subject: Receivable) -> str:
        """Return the debtor's page, at the receivable."""
        return f"{links.page('users.user', subject.user_id)}#receivable-{subject.pk}"
